"""From assembly to the addresses of functions in this process.

Optimisation is off on purpose. Measured on 600 nodes: 0.2 s without, 1.3 s with LLVM's first
level, and the search, which waits for memory most of the time, gains little from it.
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

import llvmlite
import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from pinlab.lab.explore import objectcache
from pinlab.lab.explore.codegen import TABLE, Assembly, assemble
from pinlab.lab.language.program import Program

KEPT = 64
"""Programs whose code stays in memory."""


@dataclass(frozen=True, slots=True)
class Code:
    """A program's machine code: `nodes` are the addresses of its functions by program counter.

    `engine` owns the memory of the functions and must outlive every call.
    """

    assembly: Assembly
    nodes: npt.NDArray[np.int64]
    engine: object


_loaded: OrderedDict[int, tuple[Program, Code]] = OrderedDict()  # by id: programs have no hash


def load(program: Program) -> Code:
    """The machine code of `program`: from this process, the cache or LLVM, in this order.

    Raises ranges.TooWide, ValueError for a program that native code cannot express.
    """
    if (known := _loaded.get(id(program))) is not None:
        _loaded.move_to_end(id(program))
        return known[1]
    assembly = assemble(program)
    name = _name(assembly)
    found = objectcache.load(name)
    if found is None:
        found = _compile(assembly.text)
        objectcache.store(name, found)
    code = _link(assembly, found)
    _loaded[id(program)] = program, code
    if len(_loaded) > KEPT:
        _loaded.popitem(last=False)
    return code


def is_quick(program: Program) -> bool:
    """Whether `load` needs no compilation."""
    return id(program) in _loaded or objectcache.holds(_name(assemble(program)))


def _name(assembly: Assembly) -> str:
    return objectcache.key(assembly.text, llvmlite.__version__, *_processor())


@cache
def _processor() -> tuple[str, str, str]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), features


def _machine() -> llvm.TargetMachine:
    triple, cpu, features = _processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=0, codemodel="jitdefault", jit=True
    )


def _compile(text: str) -> bytes:
    module = llvm.parse_assembly(text)
    module.triple = _processor()[0]
    return bytes(_machine().emit_object(module))


def _link(assembly: Assembly, code: bytes) -> Code:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_global_value_address(TABLE)
    count = assembly.text.count("\ndefine i64 @n") + assembly.text.startswith("define i64 @n") + 1
    table = (ctypes.c_int64 * count).from_address(address)
    return Code(assembly, np.array(table, np.int64), engine)

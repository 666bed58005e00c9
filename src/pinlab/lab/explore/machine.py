"""From assembly to the addresses of functions in this process.

Optimisation is off on purpose. Measured on 600 nodes: 0.2 s without, 1.3 s with LLVM's first
level, and the search, which waits for memory most of the time, gains little from it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cache

import llvmlite
import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from pinlab.lab.explore import objectcache
from pinlab.lab.explore.codegen import TABLE, Assembly, assemble
from pinlab.lab.explore.memo import KEPT, per_program
from pinlab.lab.language.program import Program


@dataclass(frozen=True, slots=True)
class Code:
    """A program's machine code: `nodes` are the addresses of its functions by program counter.

    `engine` owns the memory of the functions and must outlive every call.
    """

    assembly: Assembly
    nodes: npt.NDArray[np.int64]
    engine: object


_assemble = per_program(assemble)
_loaded: dict[str, Code] = {}


def load(program: Program, keep: bool = True) -> Code:
    """The machine code of `program`: from this process, the cache or LLVM, in this order. Without
    `keep` it does not get into the cache: nobody will ask for it again.

    Raises ranges.TooWide, ValueError for a program that native code cannot express.
    """
    assembly, name = _assemble(program), _name(program)
    if name not in _loaded:
        while len(_loaded) >= KEPT:
            del _loaded[next(iter(_loaded))]
        found = objectcache.load(name)
        if found is None:
            found = _compile(assembly.text)
            if keep:
                objectcache.store(name, found)
        _loaded[name] = _link(assembly, len(program.nodes), found)
    # equal code can belong to programs that give its numbers different meanings
    return replace(_loaded[name], assembly=assembly)


def is_quick(program: Program) -> bool:
    """Whether `load` needs no compilation. Raises as `load`."""
    name = _name(program)
    return name in _loaded or objectcache.holds(name)


@per_program
def _name(program: Program) -> str:
    return objectcache.key(_assemble(program).text, llvmlite.__version__, *_processor())


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


def _link(assembly: Assembly, nodes: int, code: bytes) -> Code:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    table = (ctypes.c_int64 * nodes).from_address(engine.get_global_value_address(TABLE))
    return Code(assembly, np.array(table, np.int64), engine)

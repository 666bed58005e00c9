"""Memory by address, for functions that numba compiles: `u64(address)[3] = ...`.

Also how their code is kept between runs.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import llvmlite
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, serialize
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.extending import intrinsic

from pinlab.lab.explore import objectcache

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = objectcache.cache_folder() / "search"

SOURCES = ("raw.py", "search.py", "tables.py", "assembly.py", "squeeze.py")
"""What the code of the search is made from: itself, and the files that it imports."""


def made_from() -> str:
    """The sources, and the versions of all that compiles them or reads what is kept."""
    sources = (Path(__file__).with_name(name).read_bytes() for name in SOURCES)
    digests = (hashlib.sha256(source).hexdigest() for source in sources)
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    return objectcache.key(*digests, *versions)


MADE_FROM = made_from()


class Kept(NullCache):
    """The code of one function, kept as `objectcache` keeps things.

    numba's own cache compares nothing but the file of the function itself, lies where the user's
    NUMBA_CACHE_DIR says, and believes what it reads: an index cut short ends the program, and code
    with a wrong bit is run.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = f"{function.__module__}.{function.__qualname__}"

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The code for `signature`; None if there is none that is whole."""
        target.refresh()
        data = objectcache.load(self._name(signature, target.codegen()), FOLDER)
        rebuild: Any = CompileResult._rebuild
        return None if data is None else rebuild(target, *pickle.loads(data))

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep the code for `signature`, unless it has addresses of this process in it."""
        if not code.library.has_dynamic_globals:
            dumps: Any = serialize.dumps
            objectcache.store(self._name(signature, code.codegen), dumps(code._reduce()), FOLDER)

    def _name(self, signature: Any, codegen: Any) -> str:
        processor = map(str, codegen.magic_tuple())
        return objectcache.key(MADE_FROM, self.function, str(signature), *processor)


def njit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` when it is first called, and keep the code on disk."""
    compiled: Any = numba.njit(error_model="numpy")(function)
    compiled._cache = Kept(function)
    result: Callable[P, R] = compiled
    return result


def _view(kind: Any) -> Any:
    """A function from an address to a pointer that can be indexed."""
    pointer: Any = types.CPointer

    def view(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return pointer(kind)(types.int64), generate

    return intrinsic(view)


u8 = _view(types.uint8)
u32 = _view(types.uint32)
u64 = _view(types.uint64)
i64 = _view(types.int64)


def _call_node(typing: Any, address: Any, shared: Any, frame: Any, context: Any) -> Any:
    """Call the node function at `address`; see codegen.py."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = cgutils.voidptr_t
        function = ir.FunctionType(ir.IntType(64), [pointer] * 3)
        callee = builder.inttoptr(args[0], function.as_pointer())
        return builder.call(callee, [builder.inttoptr(a, pointer) for a in args[1:]])

    return types.int64(*[types.int64] * 4), generate


call_node: Any = intrinsic(_call_node)


def _prefetch(typing: Any, address: Any) -> Any:
    """Ask for the cache line at `address`, which need not exist."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        insert: Any = cgutils.get_or_insert_function
        function = insert(builder.module, kind, "llvm.prefetch.p0")
        where = builder.inttoptr(args[0], cgutils.voidptr_t)
        # to read, to be used soon, data
        builder.call(function, [where, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


prefetch: Any = intrinsic(_prefetch)

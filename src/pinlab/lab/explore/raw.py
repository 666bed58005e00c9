"""Memory by address, for functions that numba compiles: `u64(address)[3] = ...`.

Also the import of numba itself, which must know its cache folder before it is imported.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pinlab.lab.explore.objectcache import cache_folder

# numba looks only at the file of the compiled function itself: the name covers the others
_names = ("raw.py", "search.py", "tables.py", "assembly.py", "squeeze.py")
_sources = (Path(__file__).with_name(name) for name in _names)
_version = hashlib.sha256(b"".join(path.read_bytes() for path in _sources)).hexdigest()[:12]
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / f"numba-{_version}"))

import numba  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba import types  # noqa: E402
from numba.core import cgutils  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

P = ParamSpec("P")
R = TypeVar("R")


def njit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` when it is first called, and keep the code on disk."""
    compiled: Callable[P, R] = numba.njit(cache=True, error_model="numpy")(function)
    return compiled


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

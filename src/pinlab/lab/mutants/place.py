"""A mutant in the place of its function."""

from __future__ import annotations
import __future__

import linecache
from types import FunctionType

from pinlab.lab.language import kernel
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.mutants.mutation import Mutant


def in_place_of(function: KernelFunction, mutant: Mutant) -> KernelFunction:
    """The mutant as a function: it sees what the module of the original sees, and the primitives
    that its kind needs. Its source is where Python looks for that of a file."""
    file = f"<{mutant.function}, line {mutant.line}, {mutant.kind}: {mutant.what}>"
    lines = mutant.text.splitlines(keepends=True)
    linecache.cache[file] = len(mutant.text), None, lines, file
    space = dict(function.function.__globals__)
    for name in ("atomic_read", "atomic_set", "test_bit", "set_bit", "clear_bit"):
        space.setdefault(name, getattr(kernel, name))
    for name in ("READ_ONCE", "WRITE_ONCE"):
        space.setdefault(name, getattr(kernel, name))
    flags = __future__.annotations.compiler_flag
    code = compile(mutant.text, file, "exec", flags, dont_inherit=True)
    exec(code, space)
    made = space[mutant.function]
    assert isinstance(made, KernelFunction)
    assert isinstance(made.function, FunctionType)
    return made

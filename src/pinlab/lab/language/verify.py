"""What every reader of a routine or a program takes for granted, checked once it is made."""

from __future__ import annotations

import ast

from pinlab.lab.language.blocks import RESULT, Block, Routine
from pinlab.lab.language.builder import Malformed
from pinlab.lab.language.liveness import Liveness
from pinlab.lab.language.source import Source


def check_locals(routine: Routine, source: Source) -> None:
    """Every local is set before it is read, and a result before the function returns.

    Raises LanguageError at the first line that reads, Malformed for a local of the compiler's own.
    """
    blocks = routine.blocks()
    liveness = Liveness(blocks, routine.parameters, routine.result)
    for slot in sorted(liveness.live_in(routine.entry) - set(routine.parameters)):
        name = routine.slots[slot][0]
        reader = next(block for block in blocks if liveness.reads_first(block, slot))
        if name == RESULT:
            where = f"{routine.name} can end without `return` behind line {reader.line}"
            source.refuse(source.tree, f"{where}: return a value on every path")
        if not name.isidentifier():
            raise Malformed(f"{routine.file}:{reader.line}: {name} is read before it is set")
        source.refuse(
            ast.Pass(lineno=_line(reader)),
            f"{name} may be read here before it is set: set it on every path",
        )


def _line(block: Block) -> int:
    return max(block.lines, default=block.line)

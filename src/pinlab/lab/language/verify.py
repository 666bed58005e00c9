"""What every reader of a routine or a program takes for granted, checked once it is made."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from pinlab.lab.language.blocks import RESULT, Block, Routine
from pinlab.lab.language.builder import Malformed
from pinlab.lab.language.declarations import Declarations
from pinlab.lab.language.liveness import Liveness
from pinlab.lab.language.program import Node, SetShared, flat
from pinlab.lab.language.source import LanguageError, Source


def check_locals(routine: Routine, liveness: Liveness, source: Source) -> None:
    """Every local is set before it is read, and a result before the function returns.

    Raises LanguageError at the first line that reads, Malformed for a local of the compiler's own.
    """
    for slot in sorted(liveness.live_in(routine.entry) - set(routine.parameters)):
        name = routine.slots[slot][0]
        reader = next(block for block in liveness.blocks if liveness.reads_first(block, slot))
        if name == RESULT:
            where = f"{routine.name} can end without `return` behind line {reader.line}"
            source.refuse(source.tree, f"{where}: return a value on every path")
        if not name.isidentifier():
            raise Malformed(f"{routine.file}:{reader.line}: {name} is read before it is set")
        source.refuse(
            ast.Pass(lineno=_line(reader)),
            f"{name} may be read here before it is set: set it on every path",
        )


def check_static(nodes: Iterable[Node], declarations: Declarations) -> None:
    """What static_branch reads, without a step of its own, no step writes. Raises LanguageError."""
    for node in nodes:
        for op in flat(node.ops):
            if isinstance(op, SetShared) and op.var in declarations.static:
                name, read_at = declarations.vars[op.var].name, declarations.static[op.var]
                raise LanguageError(
                    node.file,
                    node.line,
                    f"{name} is written here, and static_branch reads it at {read_at}, which takes "
                    f"no step: read it with READ_ONCE there",
                )


def _line(block: Block) -> int:
    return max(block.lines, default=block.line)

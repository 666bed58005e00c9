"""What a compiled function is, in 64 bits of hexadecimal: equal for functions that do the same.

Numbers that depend on what else is in a program (of variables, slots, nodes) are not part of it,
nor are lines: a function keeps its digest when others change, or when it is moved about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass

from pinlab.lab.language.blocks import Block, Call, Fork, Jump, Return, Routine
from pinlab.lab.language.program import SetShared, Shared, Var


def digest(routine: Routine, blocks: Sequence[Block], variables: Sequence[Var]) -> str:
    """The digest of a routine that has these blocks, the first one its entry; `variables` are those
    of its program, by number."""
    numbers = {id(block): number for number, block in enumerate(blocks)}
    words = _Words(variables, numbers)
    found = hashlib.sha256()
    slots = [(number, name, kind.lo, kind.hi) for number, (name, kind) in routine.slots.items()]
    head = routine.name, routine.parameters, routine.result, routine.caller, slots
    found.update(repr(head).encode())
    for block in blocks:
        found.update("\0".join(words.of_block(block)).encode() + b"\n")
    return found.hexdigest()[:16]


class _Words:
    """Puts parts of a block into words, in which variables stand by what they are, and blocks by
    their places in the routine."""

    def __init__(self, variables: Sequence[Var], numbers: Mapping[int, int]) -> None:
        self.variables = variables
        self.numbers = numbers

    def of_block(self, block: Block) -> Iterator[str]:
        yield repr((block.primitive, block.visible, block.choices))
        yield from self.of(block.guard)
        for op in block.ops:
            yield from self.of(op)
        yield from self._way_on(block)

    def _way_on(self, block: Block) -> Iterator[str]:
        match block.next:
            case Jump(target):
                yield f"jump {self.numbers[id(target)]}"
            case Fork(test, then, other):
                yield f"fork {self.numbers[id(then)]} {self.numbers[id(other)]}"
                yield from self.of(test)
            case Call(callee, back):
                yield f"call {callee} {self.numbers[id(back)]}"
            case Return() | None:
                yield "return"

    def of(self, part: object) -> Iterator[str]:
        """An expression, an operation, or a part of one."""
        if isinstance(part, Shared | SetShared):
            yield f"{type(part).__name__} {self.variables[part.var]!r}"
            yield from self.of(part.index)
            if isinstance(part, SetShared):
                yield from self.of(part.value)
        elif isinstance(part, tuple):
            yield f"({len(part)}"
            for each in part:
                yield from self.of(each)
        elif is_dataclass(part):
            yield type(part).__name__
            for each in fields(part):
                yield from self.of(getattr(part, each.name))
        else:
            yield repr(part)

"""The words of a program that a memory model is about: those that somebody stores to.

What is no memory (`Var.order` is strong), or a device's, is none of them. Nor is a lock, unless it
is a bit of another word, or the model has the store that lets go of it in a buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinlab.lab.language.program import WEAK, Program, SetShared, Var, flat

LOCKS = frozenset({"spinlock", "mutex", "rwsem"})

Cell = tuple[int, int]
"""An element of a shared variable: its number, and which."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words in order: the cells that each has. `bits` has, for each variable with a part of
    one, the bit of each element's word."""

    cells: tuple[tuple[Cell, ...], ...]
    bits: Mapping[int, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.cells)

    def beside(self, var: int) -> tuple[int, ...]:
        """The variables whose elements are parts of the same words; the one asked for too."""
        return tuple(other for other, bits in self.bits.items() if bits == self.bits[var])


def words(program: Program, with_locks: bool) -> Words:
    """The words of a program. Raises ValueError for parts of one word that are of different
    lengths, of which nobody knows which belong together."""
    stored = {
        op.var for node in program.nodes for op in flat(node.ops) if isinstance(op, SetShared)
    }
    stored -= {program.irqs_off, *program.automaton_vars}
    named: dict[str, list[int]] = {}
    for number in sorted(stored):
        var = program.vars[number]
        if var.order == WEAK and (with_locks or not is_lock(var)):
            named.setdefault(var.of_word, []).append(number)
    cells: list[tuple[Cell, ...]] = []
    bits: dict[int, tuple[int, ...]] = {}
    for name, vars in named.items():
        lengths = {program.vars[var].length for var in vars}
        if len(lengths) > 1:
            raise ValueError(f"the parts of {name} are arrays of {sorted(lengths)} elements")
        first = len(cells)
        cells += [tuple((var, i) for var in vars) for i in range(*lengths)]
        bits |= dict.fromkeys(vars, tuple(1 << at for at in range(first, len(cells))))
    return Words(tuple(cells), bits)


def is_lock(var: Var) -> bool:
    """Whether it is a lock by itself, and no bit of another word."""
    return var.kind in LOCKS and not var.word

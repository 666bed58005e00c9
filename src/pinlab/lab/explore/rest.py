"""The states at rest, found among those that a search has stored.

No goal says which they are: a step that fails fulfils every goal. But the program counters do, and
HALTED is 0: a state is at rest if certain bits of it are all zero. Nearly everything is done on
states as they are stored: where they are at rest, and which of them have the same shared variables.
Only those that differ are unsqueezed, and their values taken out for an audit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pinlab.lab.explore.memo import per_program
from pinlab.lab.explore.packing import Layout, Words, layout
from pinlab.lab.explore.squeeze import Squeeze, mark
from pinlab.lab.language.program import PC, Program, System

SHARE = 1 << 16
"""States looked at in one go: what numpy makes of them is as large as they are."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the values that an audit is given are in the shared words, element by element; those of
    the variable names[i] from ends[i][0] up to ends[i][1]. `bits` has all that hold them set."""

    names: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]
    word: npt.NDArray[np.int64]
    shift: Words
    mask: Words
    lo: npt.NDArray[np.int64]
    bits: Words

    def values(self, states: Words) -> Iterator[dict[str, tuple[int, ...]]]:
        """The variables of each state: as Field.get reads them, for all states at once."""
        distances = states[:, self.word] >> self.shift & self.mask
        for row in (distances.view(np.int64) + self.lo).tolist():
            value = tuple(row)
            yield {
                name: value[start:end]
                for name, (start, end) in zip(self.names, self.ends, strict=True)
            }


@per_program
def columns(program: Program) -> Columns:
    """The variables of `program` that an audit is given: all but those of the automata."""
    place = layout(program)
    names: list[str] = []
    ends: list[tuple[int, int]] = []
    rows: list[tuple[int, int, int, int]] = []
    bits = [0] * place.shared_words
    for number, (var, field) in enumerate(zip(program.vars, place.vars, strict=True)):
        if number in program.automaton_vars:
            continue
        names.append(var.name)
        ends.append((len(rows), len(rows) + field.length))
        for i in range(field.length):
            where = field.at(i) if field.width else (0, 0)
            rows.append((*where, field.mask, field.lo))
        mark(bits, field)
    word, shift, mask, lo = np.array(rows, np.int64).reshape(-1, 4).T
    unsigned = shift.astype(np.uint64), mask.astype(np.uint64)
    return Columns(tuple(names), tuple(ends), word, *unsigned, lo, np.array(bits, np.uint64))


def states(
    system: System, place: Layout, how: Squeeze, rows: Words
) -> Iterator[tuple[int, dict[str, tuple[int, ...]]]]:
    """(number, shared variables) of the states at rest among `rows`, stored by `how`.

    Of those that differ in nothing that an audit is given, the first alone.
    """
    told = columns(system.program)
    masks = np.zeros((2, place.words(len(system.actors))), np.uint64)
    masks[0] = _counters(system, place)
    masks[1, : place.shared_words] = told.bits
    running, shared = how.squeezed(masks)
    looked_at = np.flatnonzero(running)
    seen: set[bytes] = set()
    size = 8 * how.words
    for start in range(0, len(rows), SHARE):
        share = rows[start : start + SHARE]
        at_rest = np.flatnonzero(~(share[:, looked_at] & running[looked_at]).any(axis=1))
        balance = share[at_rest] & shared
        data = balance.tobytes()
        new: list[int] = []
        for i in range(len(at_rest)):
            key = data[i * size : (i + 1) * size]
            if key not in seen:
                seen.add(key)
                new.append(i)
        if not new:
            continue
        numbers = (start + at_rest[new]).tolist()
        yield from zip(numbers, told.values(how.unsqueezed(balance[new])), strict=True)


def _counters(system: System, place: Layout) -> Words:
    """The bits of the program counters that are HALTED in a state at rest."""
    masks = np.zeros(place.words(len(system.actors)), np.uint64)
    pc = place.slots[PC]
    for i, actor in enumerate(system.actors):
        if not actor.daemon and actor.irq_of is None:
            masks[place.frame(i) + pc.word] |= np.uint64(pc.mask << pc.shift)
    return masks

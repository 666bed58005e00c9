"""The initial state in words.

It is packed once for each system, and a sweep has a hundred thousand of them: what is shared goes
into its place all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pinlab.lab.explore.memo import per_program
from pinlab.lab.explore.packing import Field, Layout, Words, layout
from pinlab.lab.explore.ranges import TooWide
from pinlab.lab.language.program import Program, System


def pack(
    system: System, place: Layout, frames: Sequence[Sequence[int]], state: Sequence[int]
) -> Words:
    """The interpreter's `state` (see places.py) in words; `frames` are its slots by actor.

    Raises ValueError if a value is out of bounds, which only a faulty scenario can cause.
    """
    words = np.zeros(place.words(len(system.actors)), np.uint64)
    every = elements(system.program)
    shared = len(every.lo)
    words[: place.shared_words] = every.packed(np.array(state[:shared], np.int64))
    values = iter(state[shared:])
    for actor, who in enumerate(system.actors):
        frame = words[place.frame(actor) : place.frame(actor + 1)]
        for number in frames[actor]:
            slot, field, value = system.program.slots[number], place.slots[number], next(values)
            if value != slot.lo:  # slots may share bits; a cleared one must not clear another
                _set(field, frame, value, 0, f"{who.name}: {slot.name}")
    return words


def _set(field: Field, words: Words, value: int, index: int, name: str) -> None:
    try:
        field.set(words, value, index)
    except ValueError as error:
        raise ValueError(f"initial state: {name} = {error}") from None


@dataclass(frozen=True, slots=True)
class Elements:
    """The shared variables element by element: int64[n] each but for `shift`, uint64[n]."""

    names: tuple[str, ...]
    word: npt.NDArray[np.int64]
    shift: Words
    lo: npt.NDArray[np.int64]
    hi: npt.NDArray[np.int64]
    words: int

    def packed(self, values: npt.NDArray[np.int64]) -> Words:
        """As Field.set writes them, all at once. Raises ValueError for one out of bounds."""
        if len(wrong := np.flatnonzero((values < self.lo) | (values > self.hi))):
            i = wrong[0]
            outside = f"{values[i]} is outside [{self.lo[i]}, {self.hi[i]}]"
            raise ValueError(f"initial state: {self.names[i]} = {outside}")
        words = np.zeros(self.words, np.uint64)
        np.bitwise_or.at(words, self.word, (values - self.lo).view(np.uint64) << self.shift)
        return words


@per_program
def elements(program: Program) -> Elements:
    """Where each of the shared variables' elements is. Raises TooWide for bounds beyond
    63 bits."""
    place = layout(program)
    for var in program.vars:
        if not -(1 << 63) <= var.lo <= var.hi < 1 << 63:
            raise TooWide(f"{var.name}: [{var.lo}, {var.hi}]")
    named = [
        (var.name, *(field.at(i) if field.width else (0, 0)), var.lo, var.hi)
        for var, field in zip(program.vars, place.vars, strict=True)
        for i in range(field.length)
    ]
    word, shift, lo, hi = np.array([row[1:] for row in named], np.int64).reshape(-1, 4).T
    names = tuple(row[0] for row in named)
    return Elements(names, word, shift.astype(np.uint64), lo, hi, place.shared_words)

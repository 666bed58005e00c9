"""A state as 64-bit words: the shared variables, then every actor's frame.

    [shared words][frame of actor 0][frame of actor 1] ...

Every value is stored as its distance from its lower bound, in as many bits as its bounds ask
for, and never straddles a word: a load is one shift and one mask. The layout belongs to the
program, not to the system, so that code compiled once serves every scenario.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pinlab.lab.explore.memo import per_program
from pinlab.lab.language.program import IN_IRQ, PC, RUNS, Program

WORD = 64

Words = npt.NDArray[np.uint64]


def width(lo: int, hi: int) -> int:
    """Bits that hold a value of [lo, hi]; 0 for a constant."""
    return (hi - lo).bit_length()


@dataclass(frozen=True, slots=True)
class Field:
    """`length` values of [lo, hi], `width` bits each, `per_word` of them in a word.

    The first is at bit `shift` of word `word`; a field of more than one word has `shift` 0.
    """

    word: int
    shift: int
    width: int
    lo: int
    hi: int
    length: int = 1

    @property
    def per_word(self) -> int:
        return self.length if self.width == 0 else min(self.length, WORD // self.width)

    @property
    def mask(self) -> int:
        """The bits of one value, before shifting."""
        return (1 << self.width) - 1

    def at(self, index: int) -> tuple[int, int]:
        """(word, shift) of element `index`."""
        word, element = divmod(index, self.per_word)
        return self.word + word, self.shift + element * self.width

    def get(self, words: Sequence[int] | Words, index: int = 0) -> int:
        """Read element `index` from `words`."""
        if self.width == 0:
            return self.lo
        word, shift = self.at(index)
        return self.lo + (int(words[word]) >> shift & self.mask)

    def set(self, words: Words, value: int, index: int = 0) -> None:
        """Write element `index`. Raises ValueError when `value` is out of bounds."""
        if not self.lo <= value <= self.hi:
            raise ValueError(f"{value} is outside [{self.lo}, {self.hi}]")
        if self.width == 0:
            return
        word, shift = self.at(index)
        cleared = int(words[word]) & ~(self.mask << shift)
        words[word] = cleared | (value - self.lo) << shift


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything of a program's states is: `vars` from the state's first word, `slots`
    from the frame's first word."""

    vars: tuple[Field, ...]
    slots: tuple[Field, ...]
    shared_words: int
    frame_words: int

    def frame(self, actor: int) -> int:
        """The first word of the actor's frame."""
        return self.shared_words + actor * self.frame_words

    def words(self, actors: int) -> int:
        """The number of words of a state with so many actors."""
        return self.frame(actors)


@per_program
def layout(program: Program) -> Layout:
    """Lay out a program's states. Raises ValueError for a value wider than 63 bits."""
    named = [(v.name, v.lo, v.hi) for v in program.vars]
    for name, lo, hi in (*named, *((s.name, s.lo, s.hi) for s in program.slots)):
        if width(lo, hi) >= WORD:
            raise ValueError(f"{name}: [{lo}, {hi}] needs 64 bits or more")
    shared, shared_words = _shared(program)
    slots = tuple(
        Field(*divmod(bit, WORD), width(slot.lo, slot.hi), slot.lo, slot.hi)
        for slot, bit in zip(program.slots, program.slot_bits, strict=True)
    )
    for slot in slots:
        if slot.width and slot.shift + slot.width > WORD:
            raise ValueError(f"a slot at bit {slot.shift} of {slot.width} bits straddles a word")
    if slots[PC].lo != 0 or slots[PC].hi < len(program.nodes) - 1:
        raise ValueError("the slot of the program counter must hold 0 .. the last node")
    if (slots[IN_IRQ].lo, slots[IN_IRQ].hi) != (0, RUNS):
        raise ValueError(f"the slot of interrupt handlers must hold 0 .. {RUNS}")
    return Layout(shared, slots, shared_words, max(1, -(-program.frame_bits // WORD)))


def _shared(program: Program) -> tuple[tuple[Field, ...], int]:
    """Fields of the shared variables, and how many words they take.

    Arrays of more than a word first, from a fresh word each; then the widest of the rest into
    the first word with room.
    """
    used: list[int] = []  # bits taken in each word
    fields: dict[int, Field] = {}
    bits = {i: width(v.lo, v.hi) * v.length for i, v in enumerate(program.vars)}
    for i in sorted(bits, key=lambda i: (-bits[i], i)):
        v = program.vars[i]
        field = Field(0, 0, width(v.lo, v.hi), v.lo, v.hi, v.length)
        if field.width and v.length > WORD // field.width:
            first = len(used)
            whole, rest = divmod(v.length, field.per_word)
            used += [field.per_word * field.width] * whole
            used += [rest * field.width] if rest else []
        else:
            first = next((w for w, u in enumerate(used) if u + bits[i] <= WORD), len(used))
            if first == len(used):
                used.append(0)
            field = Field(first, used[first], field.width, v.lo, v.hi, v.length)
            used[first] += bits[i]
            fields[i] = field
            continue
        fields[i] = Field(first, 0, field.width, v.lo, v.hi, v.length)
    return tuple(fields[i] for i in range(len(program.vars))), len(used)

"""Which bits of a system's states can change, and where they are kept.

The layout of packing.py belongs to the program; one scenario uses only some of it. Bits that
no node of its actors can write are the same in every state, so a state is stored without
them: runs of changing bits, packed into as few words as will hold them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pinlab.lab.explore.memo import per_entry, per_program
from pinlab.lab.explore.packing import WORD, Field, Layout, Words, layout
from pinlab.lab.explore.reach import reachable
from pinlab.lab.language.program import (
    IN_IRQ,
    PC,
    Emit,
    Program,
    SetLocal,
    SetShared,
    System,
    flat,
)

FROM_WORD, FROM_SHIFT, MASK, TO_WORD, TO_SHIFT, RUN_COLUMNS = range(6)


@dataclass(frozen=True, slots=True)
class Squeeze:
    """How a state of `wide` words is stored in `words`: `runs` are int64[n, RUN_COLUMNS];
    `constant` the bits outside them."""

    words: int
    runs: npt.NDArray[np.int64]
    constant: Words

    def squeezed(self, states: Words) -> Words:
        """States as they are stored, as search.squeeze does it; one a row."""
        stored = np.zeros((len(states), self.words), np.uint64)
        _move(self.runs, states, stored, (FROM_WORD, FROM_SHIFT, TO_WORD, TO_SHIFT))
        return stored

    def unsqueezed(self, stored: Words) -> Words:
        """The inverse of `squeezed`."""
        states = np.tile(self.constant, (len(stored), 1))
        _move(self.runs, stored, states, (TO_WORD, TO_SHIFT, FROM_WORD, FROM_SHIFT))
        return states


def _move(
    runs: npt.NDArray[np.int64], source: Words, to: Words, columns: tuple[int, int, int, int]
) -> None:
    """Bring every run of bits from its place in the rows of `source` to its place in `to`, where
    there are zeroes; `columns` are those of the word and the shift, here and there."""
    there = columns[2]
    runs = runs[np.argsort(runs[:, there], kind="stable")]
    unsigned = runs.view(np.uint64)  # of a run of a whole word the mask is -1
    _, shift, _, to_shift = (unsigned[:, column] for column in columns)
    bits = (source[:, runs[:, columns[0]]] >> shift & unsigned[:, MASK]) << to_shift
    first = np.flatnonzero(np.diff(runs[:, there], prepend=-1))
    to[:, runs[first, there]] |= np.bitwise_or.reduceat(bits, first, axis=1)


def squeeze(system: System, place: Layout, first: Words) -> Squeeze:
    """The bits that can differ from the initial state `first`."""
    masks = changing(system, place, first)
    constant = np.array([int(w) & ~m for w, m in zip(first, masks, strict=True)], np.uint64)
    runs = [(word, shift, size) for word, m in enumerate(masks) for shift, size in _runs(m)]
    room: list[int] = []  # bits taken of each word stored
    rows: list[tuple[int, ...]] = []
    for word, shift, size in sorted(runs, key=lambda run: (-run[2], run)):
        to = next((i for i, used in enumerate(room) if used + size <= WORD), len(room))
        if to == len(room):
            room.append(0)
        mask = (1 << size) - 1
        rows.append((word, shift, mask - (1 << WORD) if size == WORD else mask, to, room[to]))
        room[to] += size
    table = np.array(sorted(rows), np.int64).reshape(-1, RUN_COLUMNS)
    return Squeeze(len(room), table, constant)


def changing(system: System, place: Layout, first: Words) -> list[int]:
    """Per word of a state, the bits that some node of the system's actors can write, and
    those of slots that have a value in `first` and lose it when they are dead."""
    program = system.program
    masks = [0] * place.words(len(system.actors))
    written: set[int] = set()
    for actor, who in enumerate(system.actors):
        writes = _writes(program, program.entries[who.entry].pc)
        written |= writes.vars
        written |= {var for name, var in writes.automata if name in system.watch}
        base = place.frame(actor)
        frame = list(writes.frame)
        if who.irq_of is not None:
            mark(frame, place.slots[IN_IRQ])
        for i, mask in enumerate(frame):
            masks[base + i] |= mask | int(first[base + i])
    bits = _bits_of_vars(program)
    for var in written:
        for word, mask in bits[var]:
            masks[word] |= mask
    return masks


@per_program
def _bits_of_vars(program: Program) -> list[list[tuple[int, int]]]:
    """For each variable the words that it has bits in, and which."""
    place = layout(program)
    found: list[list[tuple[int, int]]] = []
    for field in place.vars:
        masks = [0] * place.shared_words
        mark(masks, field)
        found.append([(word, mask) for word, mask in enumerate(masks) if mask])
    return found


@dataclass(frozen=True, slots=True)
class Writes:
    """What the nodes behind an entry can change, and is not forgotten where an actor stops."""

    frame: tuple[int, ...]  # masks, word by word; the program counter is in them
    vars: frozenset[int]
    automata: frozenset[tuple[str, int]]  # names and variables of those that hear an event


@per_entry
def _writes(program: Program, entry: int) -> Writes:
    place = layout(program)
    nodes = [program.nodes[pc] for pc in reachable(program, entry)]
    ops = [op for node in nodes for op in flat(node.ops)]
    kept = {PC}.union(*(node.live for node in nodes if node.visible))
    frame = [0] * place.frame_words
    for slot in {PC} | {op.slot for op in ops if isinstance(op, SetLocal)} & kept:
        mark(frame, place.slots[slot])
    events = {op.event for op in ops if isinstance(op, Emit)}
    return Writes(
        tuple(frame),
        frozenset(op.var for op in ops if isinstance(op, SetShared)),
        frozenset(
            (automaton.name, var)
            for automaton, var in zip(program.automata, program.automaton_vars, strict=True)
            if any(map(automaton.listens_to, events))
        ),
    )


def mark(masks: list[int], field: Field) -> None:
    """Add the bits of `field` to `masks`, word by word."""
    for i in range(field.length if field.width else 0):
        word, shift = field.at(i)
        masks[word] |= field.mask << shift


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """(first bit, length) of every run of ones."""
    bit = 0
    while mask >> bit:
        bit += (mask >> bit & -(mask >> bit)).bit_length() - 1
        size = (~(mask >> bit) & (mask >> bit) + 1).bit_length() - 1
        yield bit, size
        bit += size

"""Where a state of the interpreter has each value.

A state is a tuple of integers: the shared variables, element by element, then every actor's
frame, slot by slot, as far as the actor's code can touch it. Slots are kept apart here even where
the packed state lets them share bits, so an error in that sharing shows as a difference between
the two explorers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from pinlab.lab.explore.reach import touched
from pinlab.lab.language.program import HALTED, IN_IRQ, Actor, Program, System

State = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is kept of an actor's frame: what is read again. The rest has its least value."""

    start: int
    """The place of its first slot; the others follow."""
    least: list[int]
    live: tuple[int, ...]
    """Places."""

    def forget(self, values: list[int]) -> None:
        """Let what nobody reads again have its least value."""
        kept = list(self.least)
        for where in self.live:
            kept[where - self.start] = values[where]
        values[self.start : self.start + len(kept)] = kept


class Places:
    """The places of one system's values in its states."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.program = program = system.program
        self.vars = first_places(program)
        self.frames = tuple(_slots(program, actor) for actor in system.actors)
        """The slots of each actor's frame, in order."""
        starts = accumulate(map(len, self.frames), initial=self.vars[-1])
        self.slots = [
            {slot: start + i for i, slot in enumerate(frame)}
            for start, frame in zip(starts, self.frames, strict=False)
        ]
        """The place of each slot of each actor."""
        self.standing: dict[tuple[int, int], Frame] = {}

    def frame(self, actor: int, pc: int) -> Frame:
        """The frame of `actor` once it stands before node `pc`, or has HALTED."""
        if (actor, pc) not in self.standing:
            live = frozenset[int]() if pc == HALTED else self.program.nodes[pc].live
            slots = self.slots[actor]
            self.standing[actor, pc] = Frame(
                min(slots.values()),
                [self.program.slots[slot].lo for slot in slots],
                tuple(where for slot, where in slots.items() if slot in live),
            )
        return self.standing[actor, pc]


def first_places(program: Program) -> list[int]:
    """Of each shared variable the place of its first element; at the end, how many places."""
    return [0, *accumulate(var.length for var in program.vars)]


def _slots(program: Program, actor: Actor) -> tuple[int, ...]:
    """The slots that the actor's frame has: those that its code can touch."""
    entry = program.entries[actor.entry]
    irq = {IN_IRQ} if actor.irq_of is not None else set[int]()
    return tuple(sorted(touched(program, entry.pc) | irq | set(entry.parameters)))

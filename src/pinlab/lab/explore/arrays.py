"""A system as the tables that search.py reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pinlab.lab.explore import machine, tables
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.memo import per_program
from pinlab.lab.explore.packing import Layout, layout
from pinlab.lab.explore.result import DEADLOCK, LIVELOCK, AlwaysPossible
from pinlab.lab.explore.squeeze import Squeeze
from pinlab.lab.explore.transition import LOOK_AGAIN
from pinlab.lab.language.program import IN_IRQ, PC, RUNS, Program

Tables = tuple[npt.NDArray[np.generic], ...]


def model(
    run: Interpreter, code: machine.Code, stored: Squeeze, progress: tuple[AlwaysPossible, ...]
) -> tuple[tables.Model, Tables]:
    """The tables of a system, and what must stay alive as long as they are used.

    Raises ValueError for a system with more actors than bits in a word.
    """
    system, program, place = run.system, run.program, code.assembly.place
    if len(system.actors) > 63:
        raise ValueError("more than 63 actors")
    goal_of_event = np.zeros(64, np.uint32)
    for number, event in enumerate(code.assembly.events):
        goal_of_event[number] = _bits([p.event == event for p in progress])
    actors = _actors(run, place)
    visible, choices = of_nodes(program)
    keep = _kept_bits(program)
    pc = place.slots[PC]
    made = tables.Model(
        words=stored.words,
        wide=len(stored.constant),
        runs=len(stored.runs),
        run=stored.runs.ctypes.data,
        constant=stored.constant.ctypes.data,
        frame_words=place.frame_words,
        actors=len(system.actors),
        actor=actors.ctypes.data,
        nodes=code.nodes.ctypes.data,
        visible=visible.ctypes.data,
        choices=choices.ctypes.data,
        keep=keep.ctypes.data,
        pc_word=pc.word,
        pc_shift=pc.shift,
        pc_mask=pc.mask,
        irq_word=place.slots[IN_IRQ].word,
        irqs=_bits([actor.irq_of is not None for actor in system.actors]),
        goals=int(bool(progress)),
        goal_of_event=goal_of_event.ctypes.data,
        goal_of_finish=_bits([p.event is None for p in progress]),
        livelock=code.assembly.sites.index(LIVELOCK),
        deadlock=code.assembly.sites.index(DEADLOCK),
        look_again=LOOK_AGAIN,
    )
    owners = (goal_of_event, actors, visible, choices, keep, code.nodes)
    return made, (*owners, stored.runs, stored.constant)


def _actors(run: Interpreter, place: Layout) -> npt.NDArray[np.int64]:
    """The table of actors; see tables.py for its columns."""
    system, program = run.system, run.program
    irqs = place.vars[program.irqs_off]
    rows = np.zeros((len(system.actors), tables.ACTOR_COLUMNS), np.uint64)
    for a, (row, actor) in enumerate(zip(rows, system.actors, strict=True)):
        row[tables.FRAME] = place.frame(a)
        row[tables.ON_CPU] = system.cpu(a)
        if actor.irq_of is None:
            row[tables.MUST_FINISH] = not actor.daemon
            continue
        if not irqs.lo <= 0 <= irqs.hi:
            raise ValueError("the variable that says whether interrupts are off is never 0")
        word, shift = irqs.at(system.cpu(a))
        row[tables.RUNNING] = RUNS << place.slots[IN_IRQ].shift
        row[tables.IRQS_WORD] = word
        row[tables.IRQS_MASK] = irqs.mask << shift
        row[tables.IRQS_ON] = -irqs.lo << shift
    return rows.view(np.int64)


@per_program
def of_nodes(program: Program) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Per node whether it is visible, and how many choices it has."""
    visible = np.array([node.visible for node in program.nodes], np.uint8)
    return visible, np.array([node.choices for node in program.nodes], np.int64)


def _bits(flags: list[bool]) -> int:
    return sum(1 << i for i, flag in enumerate(flags) if flag)


@per_program
def _kept_bits(program: Program) -> npt.NDArray[np.uint64]:
    """Per node, the bits of a frame that survive before it: those of its live slots.

    A move writes anew where the actor stands and that a handler runs.
    """
    place = layout(program)
    kept = np.zeros((len(program.nodes), place.frame_words), np.uint64)
    for node in program.nodes[1:]:
        for slot in node.live - {PC, IN_IRQ}:
            field = place.slots[slot]
            if field.width:
                kept[node.pc, field.word] |= np.uint64(field.mask << field.shift)
    return kept

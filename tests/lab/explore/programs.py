"""Programs built by hand: what the explorers are tested on, without the language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

from pinlab.lab.explore.result import Exploration
from pinlab.lab.language.program import (
    RUNS,
    Actor,
    Binary,
    Branch,
    Check,
    Const,
    Entry,
    Expr,
    Failure,
    Goto,
    Halt,
    If,
    Local,
    Next,
    Node,
    Op,
    Program,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    System,
    Var,
)
from pinlab.objectives.automaton import Automaton

Explore = Callable[..., Exploration]

ZERO, ONE = Const(0), Const(1)

OWN = 4
"""The first slot of `slots`: the ones before are the language's."""


def node(
    *ops: Op,
    to: int | Next,
    guard: Expr | None = None,
    choices: int = 1,
    live: Iterable[int] = (),
    visible: bool = True,
) -> Node:
    """A node; `program` gives it its number."""
    after = Goto(to) if isinstance(to, int) else to
    kept = frozenset({0, 1, 2, 3, *live})
    return Node(0, "f", "model.py", 0, "step", visible, guard, choices, ops, after, kept)


def program(
    nodes: Sequence[Node],
    *,
    shared: Sequence[Var] = (),
    slots: Sequence[Slot] = (),
    entries: Mapping[str, Entry] | None = None,
    automata: Sequence[Automaton] = (),
    pages: int = 1,
    cpus: int = 8,
) -> Program:
    """A program of `nodes`, numbered from 1, with shared variables from number 1 on.

    Variable 0 is that of interrupts; those of the automata come last. Slots from `OWN` on.
    """
    own = (Slot("pc", 0, len(nodes)), Slot("preempt", 0, 3), Slot("locks", 0, 3))
    everything = (*own, Slot("in_irq", 0, RUNS), *slots)
    bits, offset = [], 0
    for slot in everything:
        width = (slot.hi - slot.lo).bit_length()
        if offset % 64 + width > 64:
            offset += 64 - offset % 64
        bits.append(offset)
        offset += width
    states = tuple(Var(a.name, 0, len(a.states) - 1, pages) for a in automata)
    first = len(shared) + 1
    numbered = [
        Node(
            i,
            n.function,
            n.file,
            i,
            n.primitive,
            n.visible,
            n.guard,
            n.choices,
            n.ops,
            n.next,
            n.live,
        )
        for i, n in enumerate((node(to=Halt()), *nodes))
    ]
    return Program(
        vars=(Var("irqs_off", 0, 1, cpus), *shared, *states),
        slots=everything,
        slot_bits=tuple(bits),
        frame_bits=offset,
        nodes=tuple(numbered),
        automata=tuple(automata),
        automaton_vars=tuple(range(first, first + len(states))),
        irqs_off=0,
        entries=entries or {"f": Entry(1, ())},
    )


def actors(count: int) -> tuple[Actor, ...]:
    return tuple(Actor(f"actor{i}", "f") for i in range(count))


def add(left: Expr, right: Expr | int) -> Expr:
    return Binary("+", left, Const(right) if isinstance(right, int) else right)


def equals(left: Expr, right: int) -> Expr:
    return Binary("==", left, Const(right))


def both(tests: Iterable[Expr]) -> Expr:
    return reduce(lambda a, b: Binary("and", a, b), tests)


def filter_lock(n: int) -> System:
    """Peterson's filter lock of `n` processes, five steps each, the wait an atomic await."""
    level, victim, inside = 1, 2, 3
    j = Local(OWN)
    nobody_above = both(
        Binary("or", equals(Self(), k), Binary("<", Shared(level, Const(k)), j)) for k in range(n)
    )
    passes = Binary("or", Binary("!=", Shared(victim, j), Self()), nobody_above)
    count = Shared(inside, ZERO)
    enter = (
        SetShared(inside, ZERO, add(count, 1)),
        Check(equals(count, 1), Failure("bug", "two processes are inside")),
        SetLocal(OWN, ZERO),
    )
    last = Binary("==", j, Const(n - 1))
    return System(
        program(
            [
                node(SetLocal(OWN, ONE), to=2),
                node(SetShared(level, Self(), j), to=3, live=[OWN]),
                node(SetShared(victim, j, Self()), to=4, live=[OWN]),
                node(
                    If(last, enter, (SetLocal(OWN, add(j, 1)),)),
                    to=Branch(equals(j, 0), 5, 2),
                    guard=passes,
                    live=[OWN],
                ),
                node(
                    SetShared(inside, ZERO, Binary("-", count, ONE)),
                    SetShared(level, Self(), ZERO),
                    to=1,
                ),
            ],
            shared=[Var("level", 0, n - 1, n), Var("victim", 0, n - 1, n), Var("inside", 0, n)],
            slots=[Slot("j", 0, n - 1, "f")],
            cpus=n,
        ),
        actors(n),
    )

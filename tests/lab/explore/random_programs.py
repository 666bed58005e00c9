"""Random systems for property tests: every kind of expression, operation and next step.

What the language promises is kept: tables are indexed inside their bounds, nothing is divided
by zero, an invisible node leads to a visible one or to one with a higher number. Hypothesis
draws the sizes and a seed, not every leaf: that would take a hundred times longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from pinlab.lab.explore.result import AlwaysPossible
from pinlab.lab.language.program import (
    FAILURE_KINDS,
    Actor,
    Binary,
    Branch,
    Check,
    Chosen,
    Const,
    Cpu,
    Emit,
    Entry,
    Expr,
    Failure,
    Goto,
    Halt,
    If,
    Local,
    Lookup,
    Next,
    Node,
    Op,
    Select,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    Switch,
    System,
    Unary,
    Var,
)
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

from .programs import OWN, node, program

EVENTS = (Event.PIN, Event.UNPIN, Event.DIRTY)
GOALS = (
    AlwaysPossible("all finish"),
    AlwaysPossible("a pin", Event.PIN),
    AlwaysPossible("dirty", Event.DIRTY),
)
PAGES = 2
SPANS = (0, 1, 1, 2, 5, 7)
FREE = ["+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"]


@dataclass(frozen=True)
class Maker:
    """Expressions, operations and nodes over given variables and slots."""

    random: Random
    shared: tuple[Var, ...]
    slots: tuple[Slot, ...]
    visible: tuple[bool, ...]

    def number(self, depth: int = 2) -> Expr:
        r = self.random
        kind = r.randrange(8 if depth == 0 else 16)
        match kind:
            case 0 | 1:
                return Const(r.randint(-3, 6))
            case 2 | 3:
                return Local(OWN + r.randrange(len(self.slots)))
            case 4 | 5:
                return self.cell(depth)
            case 6:
                return r.choice((Self(), Cpu()))
            case 7:
                return Chosen()
            case 8 | 9 | 10:
                return Binary(r.choice(FREE), self.number(depth - 1), self.number(depth - 1))
            case 11:
                divisor = r.choice((Const(2), Const(-3), Binary("+", self.small(), Const(1))))
                return Binary(r.choice(("//", "%")), self.number(depth - 1), divisor)
            case 12:
                return Binary(r.choice(("<<", ">>")), self.number(depth - 1), self.small())
            case 13:
                return Unary(r.choice(("-", "not")), self.number(depth - 1))
            case 14:
                return Select(*(self.number(depth - 1) for _ in range(3)))
            case _:
                return Lookup(tuple(r.randint(-4, 9) for _ in range(4)), self.small())

    def small(self) -> Expr:
        """0 .. 3."""
        return Binary("&", self.number(0), Const(3))

    def cell(self, depth: int) -> Expr:
        var = self.random.randrange(len(self.shared))
        return Shared(1 + var, self.index(self.shared[var], depth))

    def index(self, var: Var, depth: int = 1) -> Expr:
        match self.random.randrange(8):
            case 0 if depth:
                return self.number(depth - 1)  # may not exist
            case 1 | 2:
                return Binary("%", self.number(0), Const(var.length))
            case _:
                return Const(self.random.randrange(var.length))

    def value(self, lo: int, hi: int) -> Expr:
        """Mostly values that can be stored, else every run ends in an overflow."""
        match self.random.randrange(8):
            case 0:
                return self.number()
            case 1 | 2:
                return Const(self.random.randint(lo, min(hi, lo + 7)))
            case _:
                wrapped = Binary("%", self.number(), Const(hi - lo + 1))
                return Binary("+", wrapped, Const(lo))

    def op(self, depth: int = 1) -> Op:
        r = self.random
        match r.randrange(16):
            case 0 | 1:
                slot = r.randrange(len(self.slots))
                return SetLocal(OWN + slot, self.value(self.slots[slot].lo, self.slots[slot].hi))
            case 2:
                return SetShared(0, Cpu(), Const(r.randrange(2)))
            case 3:
                test = Binary(r.choice(("or", "!=")), self.number(), Const(r.choice((1, 6))))
                return Check(test, Failure(r.choice(sorted(FAILURE_KINDS)), "it failed"))
            case 4 | 5 if depth:
                some = [tuple(self.op(0) for _ in range(r.randrange(3))) for _ in range(2)]
                return If(self.number(), some[0], some[1])
            case 6 | 7:
                page = self.number() if r.randrange(9) == 0 else Const(r.randint(0, PAGES))
                return Emit(r.choice(EVENTS), page)
            case _:
                var = r.randrange(len(self.shared))
                v = self.shared[var]
                return SetShared(1 + var, self.index(v), self.value(v.lo, v.hi))

    def node(self, pc: int, most: int) -> Node:
        r, seen = self.random, self.visible[pc]
        own = range(OWN, OWN + len(self.slots))
        return node(
            *(self.op() for _ in range(r.randint(0, most))),
            to=self.next(pc),
            guard=self.number() if seen and r.randrange(8) == 0 else None,
            choices=r.choice((1, 1, 1, 2, 3)) if seen else 1,
            live=[slot for slot in own if r.randrange(4)],
            visible=seen,
        )

    def next(self, pc: int) -> Next:
        r = self.random
        count = len(self.visible)
        allowed = [i for i in range(1, count) if self.visible[i] or self.visible[pc] or i > pc]
        match r.randrange(16):
            case 0:
                return Halt()
            case 1 | 2 | 3 | 4:
                return Branch(self.number(), r.choice(allowed), r.choice(allowed))
            case 5 | 6:
                number, slot = r.choice(list(enumerate(self.slots, OWN)))
                if slot.lo >= 0:
                    return Switch(number, tuple(r.choices(allowed, k=slot.hi + 1)))
        return Goto(r.choice(allowed))


def shared_var(r: Random, name: str) -> Var:
    lo = r.randint(-2, 1)
    # the wide one makes arrays of several words
    return Var(name, lo, lo + r.choice((*SPANS, 1 << 20)), r.randint(1, 5))


def own_slot(r: Random, name: str) -> Slot:
    lo = r.randint(-1, 1)
    return Slot(name, lo, lo + r.choice(SPANS), "f")


def automaton(r: Random, name: str) -> Automaton:
    states = ("a", "b", "c")[: r.randint(1, 3)]
    pairs = [(state, event) for state in states for event in EVENTS]
    step = {r.choice(pairs): r.choice(states) for _ in range(r.randrange(6))}
    bad = frozenset(r.choice(pairs) for _ in range(r.randrange(3)))
    return Automaton(name, "a claim", "a source", states, step, bad)


def random_system(seed: int, count: int, most_ops: int, watchers: int, crowd: int) -> System:
    """`count` nodes of at most `most_ops` operations, `watchers` automata, `crowd` actors."""
    r = Random(seed)
    maker = Maker(
        r,
        tuple(shared_var(r, f"v{i}") for i in range(r.randint(1, 4))),
        tuple(own_slot(r, f"l{i}") for i in range(r.randint(1, 4))),
        (True, True, *(r.randrange(4) > 0 for _ in range(count - 1))),
    )
    # An event before an actor's first step would be refused.
    steps = [pc for pc in range(1, count + 1) if maker.visible[pc]]
    watched = tuple(automaton(r, f"A{i}") for i in range(watchers))
    made = program(
        [maker.node(pc, most_ops) for pc in range(1, count + 1)],
        shared=maker.shared,
        slots=maker.slots,
        entries={"f": Entry(1, ()), "g": Entry(r.choice(steps), (OWN,))},
        automata=watched,
        pages=PAGES,
    )
    argument = r.randint(maker.slots[0].lo, maker.slots[0].hi)
    who = (
        Actor("a", "f", daemon=r.randrange(3) == 0),
        Actor("b", "g", (argument,), irq_of=r.choice((None, None, 0))),
        Actor("c", "f", irq_of=r.choice((None, None, 0))),
    )
    v = maker.shared[0]
    initial = {v.name: tuple(r.randint(v.lo, min(v.hi, v.lo + 7)) for _ in range(v.length))}
    watch = tuple(a.name for a in watched if r.randrange(4))
    return System(made, who[:crowd], initial, watch)


def systems() -> st.SearchStrategy[System]:
    return st.builds(
        random_system,
        seed=st.integers(0, 1 << 64),
        count=st.integers(2, 9),
        most_ops=st.integers(1, 3),
        watchers=st.integers(0, 3),
        crowd=st.integers(2, 3),
    )

"""The meaning of each expression, op and end of a node: a function of what a move works on.

A node is read once; what it means is then called each time that a move comes by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from pinlab.lab.explore.memo import per_program
from pinlab.lab.explore.places import first_places
from pinlab.lab.explore.result import Move
from pinlab.lab.language.program import (
    HALTED,
    Binary,
    Branch,
    Check,
    Chosen,
    Const,
    Cpu,
    Emit,
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
    Program,
    Select,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Switch,
    Unary,
)

Listener = tuple[str, int, tuple[tuple[int, bool], ...]]
"""An automaton that an event concerns: its name, its variable, what the event does to it."""

Listeners = Callable[[str], tuple[Listener, ...]]
"""Who listens to an event of this name."""


class Failed(Exception):
    """The step ends here: a failure of the program, not of ours."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


@dataclass(slots=True)
class Work:
    """What one move works on, and what happened so far."""

    values: list[int]
    """A copy of the state."""
    slots: Mapping[int, int]
    """The place of each slot of the actor that moves."""
    move: Move
    cpu: int
    """The one that the actor runs on."""
    listening: Listeners
    violated: list[str] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)


Value = Callable[[Work], int]
"""What an expression is worth now. Raises Failed."""
Action = Callable[[Work], None]
"""What an op does. Raises Failed."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a node means."""

    guard: Value | None
    ops: tuple[Action, ...]
    next: Value
    """The pc of the node that comes next."""


class Meanings:
    """What the nodes of a program mean."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.starts = first_places(program)
        self.known: dict[int, Meaning] = {}

    def of(self, pc: int) -> Meaning:
        """What a node means."""
        if pc not in self.known:
            self.known[pc] = self.node(self.program.nodes[pc])
        return self.known[pc]

    def node(self, node: Node) -> Meaning:
        """What a node means."""
        guard = None if node.guard is None else self.value(node.guard)
        return Meaning(guard, tuple(map(self.action, node.ops)), self.next(node.next))

    def value(self, expr: Expr) -> Value:
        """What an expression means."""
        match expr:
            case Const(number):
                return lambda work: number
            case Local(slot):
                return lambda work: work.values[work.slots[slot]]
            case Shared(var, index):
                place = self._element(var, index)
                return lambda work: work.values[place(work)]
            case Self():
                return lambda work: work.move.actor
            case Cpu():
                return lambda work: work.cpu
            case Chosen():
                return lambda work: work.move.choice
            case Unary("-", operand):
                positive = self.value(operand)
                return lambda work: -positive(work)
            case Unary(_, operand):
                true = self.value(operand)
                return lambda work: int(not true(work))
            case Binary(op, left, right):
                combine, a, b = BINARY[op], self.value(left), self.value(right)
                return lambda work: combine(a(work), b(work))
            case Select(test, then, other):
                which, yes, no = self.value(test), self.value(then), self.value(other)
                return lambda work: yes(work) if which(work) else no(work)
            case Lookup(table, index):
                at = self.value(index)
                return lambda work: _of_table(table, at(work))
            case _:
                assert_never(expr)

    def _element(self, var: int, index: Expr) -> Value:
        """The place of an element of a shared variable."""
        name, length = self.program.vars[var].name, self.program.vars[var].length
        start, at = self.starts[var], self.value(index)

        def place(work: Work) -> int:
            i = at(work)
            if not 0 <= i < length:
                raise Failed(Failure("null", f"{name}[{i}] does not exist", name))
            return start + i

        return place

    def action(self, op: Op) -> Action:
        """What an op means."""
        match op:
            case SetLocal(slot, value):
                s = self.program.slots[slot]
                name = f"{s.function}: {s.name}"
                return _store(lambda work: work.slots[slot], self.value(value), s.lo, s.hi, name)
            case SetShared(var, index, value):
                v = self.program.vars[var]
                place = self._element(var, index)
                return _store(place, self.value(value), v.lo, v.hi, v.name)
            case Check(test, failure):
                return _check(self.value(test), failure)
            case If(test, then, other):
                yes, no = tuple(map(self.action, then)), tuple(map(self.action, other))
                return _either(self.value(test), yes, no)
            case Emit(event, page):
                return self._emit(event, self.value(page))
            case _:
                assert_never(op)

    def _emit(self, event: str, page: Value) -> Action:
        def emit(work: Work) -> None:
            number = page(work)
            if number == 0:
                return
            work.events.append((event, number))
            for name, var, table in work.listening(event):
                if not 1 <= number <= self.program.vars[var].length:
                    message = f"{event}: page {number} does not exist"
                    raise Failed(Failure("null", message, event))
                where = self.starts[var] + number - 1
                work.values[where], violated = table[work.values[where]]
                if violated and name not in work.violated:
                    work.violated.append(name)

        return emit

    def next(self, next_: Next) -> Value:
        """The node that comes next."""
        match next_:
            case Goto(pc):
                return lambda work: pc
            case Branch(test, then, other):
                which = self.value(test)
                return lambda work: then if which(work) else other
            case Switch(slot, pcs):
                return lambda work: _of_table(pcs, work.values[work.slots[slot]])
            case Halt():
                return lambda work: HALTED
            case _:
                assert_never(next_)


meanings = per_program(Meanings)
"""What the nodes of a program mean: of each node once, however many systems share the program."""


def _store(place: Value, value: Value, lo: int, hi: int, name: str) -> Action:
    def store(work: Work) -> None:
        where, number = place(work), value(work)
        if not lo <= number <= hi:
            raise Failed(Failure("overflow", f"{name} = {number}, outside [{lo}, {hi}]", name))
        work.values[where] = number

    return store


def _check(test: Value, failure: Failure) -> Action:
    def check(work: Work) -> None:
        if not test(work):
            raise Failed(failure)

    return check


def _either(test: Value, then: tuple[Action, ...], other: tuple[Action, ...]) -> Action:
    def either(work: Work) -> None:
        for act in then if test(work) else other:
            act(work)

    return either


def _of_table(table: tuple[int, ...], index: int) -> int:
    if index < 0:  # Python would count from the end
        raise IndexError(f"element {index} of a table of {len(table)}")
    return table[index]


BINARY: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "and": lambda a, b: int(bool(a) and bool(b)),
    "or": lambda a, b: int(bool(a) or bool(b)),
}

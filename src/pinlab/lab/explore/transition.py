"""What one move does to a state: the meaning of each expression, op and end of a node.

A move executes one visible node and what is invisible behind it, up to the next visible one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from pinlab.lab.explore.places import Places
from pinlab.lab.explore.result import Move
from pinlab.lab.language.program import (
    HALTED,
    PC,
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
    Op,
    Select,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Switch,
    Unary,
)

LOOK_AGAIN = 1024
"""Nodes that one move runs before it is asked whether they go round in a circle: a power of 2."""

Listener = tuple[str, int, tuple[tuple[int, bool], ...]]
"""An automaton that an event concerns: its name, its variable, what the event does to it."""


class Failed(Exception):
    """The step ends here: a failure of the program, not of ours."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class Circle:
    """Finds out that a move never ends, as R. P. Brent does: the state that it works on says all of
    where it goes, so if that comes back once, it comes back forever.

    It is compared with one that is kept, and a new one is kept at each power of 2: one of them is
    in the circle, and further from the next than the circle is long. A long way is no circle.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.kept: tuple[int, list[int]] = HALTED, []

    def closed(self, pc: int, values: list[int]) -> bool:
        """Whether the move, one node further and now before `pc`, is where it was before."""
        self.nodes += 1
        if self.nodes < LOOK_AGAIN:
            return False
        if self.nodes.bit_count() == 1:
            self.kept = pc, list(values)
            return False
        return (pc, values) == self.kept


class Transition:
    """The working copy of one move's state, and what happened to it so far."""

    def __init__(
        self,
        places: Places,
        listening: Callable[[str], tuple[Listener, ...]],
        values: list[int],
        move: Move,
    ) -> None:
        self.system = places.system
        self.program = places.program
        self.places = places
        self.slots = places.slots[move.actor]
        self.listening = listening
        self.values = values
        self.move = move
        self.violated: list[str] = []
        self.events: list[tuple[str, int]] = []
        self.nodes: list[int] = []

    def run(self) -> None:
        """Execute the actor's node and what is invisible behind it; forget what is dead.

        Raises Failed.
        """
        nodes, here, circle = self.program.nodes, self.slots[PC], Circle()
        pc = self.values[here]
        while True:
            node = nodes[pc]
            self.nodes.append(pc)
            if node.visible and node.guard is not None:
                self.value(node.guard)  # it is true, or it fails and the step with it
            for op in node.ops:
                self.execute(op)
            pc = self.follow(node.next)
            if pc == HALTED or nodes[pc].visible:
                break
            if circle.closed(pc, self.values):
                raise Failed(Failure("livelock", f"{node.function} loops without a step"))
        live = frozenset[int]() if pc == HALTED else nodes[pc].live
        for slot, where in self.slots.items():
            if slot not in live:
                self.values[where] = self.program.slots[slot].lo
        self.values[here] = pc

    def value(self, expr: Expr) -> int:
        """What an expression is worth now. Raises Failed."""
        value = self.value
        match expr:
            case Const(number):
                return number
            case Local(slot):
                return self.values[self.slots[slot]]
            case Shared(var, index):
                i = value(index)
                if not 0 <= i < self.program.vars[var].length:
                    name = self.program.vars[var].name
                    raise Failed(Failure("null", f"{name}[{i}] does not exist"))
                return self.values[self.places.vars[var] + i]
            case Self():
                return self.move.actor
            case Cpu():
                return self.system.cpu(self.move.actor)
            case Chosen():
                return self.move.choice
            case Unary("-", operand):
                return -value(operand)
            case Unary(_, operand):
                return int(not value(operand))
            case Binary(op, left, right):
                return BINARY[op](value(left), value(right))
            case Select(test, then, other):
                return value(then) if value(test) else value(other)
            case Lookup(table, index):
                return _element(table, value(index))
            case _:
                assert_never(expr)

    def execute(self, op: Op) -> None:
        """Do one thing. Raises Failed."""
        match op:
            case SetLocal(slot, value):
                s = self.program.slots[slot]
                where, name = self.slots[slot], f"{s.function}: {s.name}"
                self._store(where, self.value(value), s.lo, s.hi, name)
            case SetShared(var, index, value):
                v = self.program.vars[var]
                i = self.value(index)
                if not 0 <= i < v.length:
                    raise Failed(Failure("null", f"{v.name}[{i}] does not exist"))
                where = self.places.vars[var] + i
                self._store(where, self.value(value), v.lo, v.hi, v.name)
            case Check(test, failure):
                if not self.value(test):
                    raise Failed(failure)
            case If(test, then, other):
                for inner in then if self.value(test) else other:
                    self.execute(inner)
            case Emit(event, page):
                self._emit(event, self.value(page))
            case _:
                assert_never(op)

    def _store(self, where: int, value: int, lo: int, hi: int, name: str) -> None:
        if not lo <= value <= hi:
            raise Failed(Failure("overflow", f"{name} = {value}, outside [{lo}, {hi}]"))
        self.values[where] = value

    def _emit(self, event: str, page: int) -> None:
        if page == 0:
            return
        self.events.append((event, page))
        for name, var, table in self.listening(event):
            if not 1 <= page <= self.program.vars[var].length:
                raise Failed(Failure("null", f"{event}: page {page} does not exist"))
            where = self.places.vars[var] + page - 1
            self.values[where], violated = table[self.values[where]]
            if violated and name not in self.violated:
                self.violated.append(name)

    def follow(self, next_: Next) -> int:
        """The node that comes next."""
        match next_:
            case Goto(pc):
                return pc
            case Branch(test, then, other):
                return then if self.value(test) else other
            case Switch(slot, pcs):
                return _element(pcs, self.value(Local(slot)))
            case Halt():
                return HALTED
            case _:
                assert_never(next_)


def _element(table: tuple[int, ...], index: int) -> int:
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

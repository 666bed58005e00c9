"""The reference explorer: small, plain Python, obviously right.

A state is a tuple of integers: the shared variables, element by element, then every actor's
frame, slot by slot, as far as the actor's code can touch it. Slots are kept apart here even where
the packed state lets them share bits, so an error in that sharing shows as a difference between
the two explorers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import assert_never

from pinlab.lab.explore.reach import touched
from pinlab.lab.explore.result import (
    INTERRUPTED,
    AlwaysPossible,
    Exploration,
    Limits,
    Move,
    OnProgress,
    Path,
    Progress,
)
from pinlab.lab.language.program import (
    HALTED,
    IN_IRQ,
    PC,
    Actor,
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
    System,
    Unary,
)

State = tuple[int, ...]

LOCAL_STEPS = 10_000
"""Invisible nodes that one transition may run before it counts as a livelock."""

REPORT_EVERY = 4096


@dataclass(frozen=True, slots=True)
class Step:
    """What one move did: the state reached (None if it failed), the automata it violated, the
    events it emitted and the nodes it executed, in order."""

    state: State | None
    failure: Failure | None
    violated: tuple[str, ...]
    events: tuple[tuple[str, int], ...]
    nodes: tuple[int, ...]


Listener = tuple[str, int, tuple[tuple[int, bool], ...]]
"""An automaton that an event concerns: its name, its variable, what the event does to it."""


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class Interpreter:
    """Executes the steps of one system."""

    def __init__(self, system: System) -> None:
        program = system.program
        self.system = system
        self.program = program
        lengths = [var.length for var in program.vars]
        self.var_base = [0, *accumulate(lengths)]
        self.frames = tuple(self._slots(actor) for actor in system.actors)
        self.frame_base = list(accumulate(map(len, self.frames), initial=self.var_base[-1]))
        self.where = [
            {slot: base + i for i, slot in enumerate(frame)}
            for base, frame in zip(self.frame_base, self.frames, strict=False)
        ]
        self.watched = {
            automaton.name: (automaton, program.automaton_vars[i])
            for i, automaton in enumerate(program.automata)
            if automaton.name in system.watch
        }
        self.listeners: dict[str, tuple[Listener, ...]] = {}
        self.first = self._first()
        self.start = tuple(self.pc(self.first, i) for i in range(len(system.actors)))

    def initial(self) -> State:
        """The state before the first move: every actor stands before its first visible node."""
        return self.first

    def _slots(self, actor: Actor) -> tuple[int, ...]:
        """The slots that the actor's frame has: those that its code can touch."""
        entry = self.program.entries[actor.entry]
        irq = {IN_IRQ} if actor.irq_of is not None else set[int]()
        return tuple(sorted(touched(self.program, entry.pc) | irq | set(entry.parameters)))

    def _first(self) -> State:
        values: list[int] = []
        for var in self.program.vars:
            default = 0 if var.lo <= 0 <= var.hi else var.lo
            values += self.system.initial.get(var.name, (default,) * var.length)
        for actor, slots in zip(self.system.actors, self.frames, strict=True):
            entry = self.program.entries[actor.entry]
            frame = {slot: self.program.slots[slot].lo for slot in slots}
            frame[PC] = entry.pc
            if actor.irq_of is not None:
                frame[IN_IRQ] = 1
            frame |= zip(entry.parameters, actor.arguments, strict=True)
            values += frame.values()
        for i in range(len(self.system.actors)):
            pc = values[self.where[i][PC]]
            if not self.program.nodes[pc].visible:
                before = list(values)
                try:
                    self._run_to_visible(_Run(self, values, Move(i)), pc)
                except _Failed:  # the actor's first move will say so
                    values = before
        return tuple(values)

    def pc(self, state: Sequence[int], actor: int) -> int:
        """Where `actor` stands."""
        return state[self.where[actor][PC]]

    def finished(self, state: Sequence[int]) -> bool:
        """Whether every actor that has to finish has."""
        return all(
            a.daemon or a.irq_of is not None or self.pc(state, i) == HALTED
            for i, a in enumerate(self.system.actors)
        )

    def may_run(self, state: Sequence[int], actor: int) -> bool:
        """Whether interrupts let `actor` take a step: see `Actor.irq_of`."""
        if self.pc(state, actor) == HALTED:
            return False
        for i, other in enumerate(self.system.actors):
            running = self.pc(state, i) not in (HALTED, self.start[i])
            same_cpu = i != actor and self.system.cpu(i) == self.system.cpu(actor)
            if other.irq_of is not None and running and same_cpu:
                return False
        me = self.system.actors[actor]
        if me.irq_of is not None and self.pc(state, actor) == self.start[actor]:
            return state[self.var_base[self.program.irqs_off] + self.system.cpu(actor)] == 0
        return True

    def moves(self, state: State) -> Iterator[Move]:
        """Every enabled move, by actor, then by choice."""
        for actor in range(len(self.system.actors)):
            if self.may_run(state, actor):
                node = self.program.nodes[self.pc(state, actor)]
                for choice in range(node.choices):
                    if node.guard is None or self._enabled(node.guard, state, actor, choice):
                        yield Move(actor, choice)

    def _enabled(self, guard: Expr, state: State, actor: int, choice: int) -> bool:
        try:
            return bool(self._value(guard, state, actor, choice))
        except _Failed:  # the move is there, and fails
            return True

    def step(self, state: State, move: Move) -> Step:
        """Execute `move`, which must be enabled in `state`."""
        values = list(state)
        run = _Run(self, values, move)
        try:
            self._run_to_visible(run, self.pc(values, move.actor))
        except _Failed as failed:
            return Step(None, failed.failure, *run.seen())
        return Step(tuple(values), None, *run.seen())

    def _run_to_visible(self, run: _Run, pc: int) -> None:
        """Execute the node at `pc` and what is invisible behind it; forget what is dead."""
        for _ in range(LOCAL_STEPS):
            node = self.program.nodes[pc]
            run.nodes.append(pc)
            if node.visible and node.guard is not None:
                run.value(node.guard)  # it is true, or it fails and the step with it
            for op in node.ops:
                run.execute(op)
            pc = run.follow(node.next)
            if pc == HALTED or self.program.nodes[pc].visible:
                break
        else:
            raise _Failed(Failure("livelock", f"{node.function} loops without a step"))
        live = frozenset[int]() if pc == HALTED else self.program.nodes[pc].live
        for slot, where in self.where[run.move.actor].items():
            if slot not in live:
                run.values[where] = self.program.slots[slot].lo
        run.values[self.where[run.move.actor][PC]] = pc

    def listening(self, event: str) -> tuple[Listener, ...]:
        """The watched automata that `event` concerns."""
        if event not in self.listeners:
            self.listeners[event] = tuple(
                (name, var, automaton.table(event))
                for name, (automaton, var) in self.watched.items()
                if automaton.listens_to(event)
            )
        return self.listeners[event]

    def replay(self, path: Path) -> tuple[State, Step | None]:
        """Execute `path` from the initial state; the last state before a failure and the last
        step (None for an empty path)."""
        state, step = self.initial(), None
        for move in path:
            step = self.step(state, move)
            state = step.state or state
        return state, step

    def _value(self, expr: Expr, values: Sequence[int], actor: int, choice: int) -> int:
        def value(e: Expr) -> int:
            return self._value(e, values, actor, choice)

        match expr:
            case Const(number):
                return number
            case Local(slot):
                return values[self.where[actor][slot]]
            case Shared(var, index):
                i = value(index)
                if not 0 <= i < self.program.vars[var].length:
                    name = self.program.vars[var].name
                    raise _Failed(Failure("null", f"{name}[{i}] does not exist"))
                return values[self.var_base[var] + i]
            case Self():
                return actor
            case Cpu():
                return self.system.cpu(actor)
            case Chosen():
                return choice
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


class _Run:
    """The working copy of one transition."""

    def __init__(self, interpreter: Interpreter, values: list[int], move: Move) -> None:
        self.interpreter = interpreter
        self.values = values
        self.move = move
        self.violated: list[str] = []
        self.events: list[tuple[str, int]] = []
        self.nodes: list[int] = []

    def seen(
        self,
    ) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...], tuple[int, ...]]:
        return tuple(self.violated), tuple(self.events), tuple(self.nodes)

    def value(self, expr: Expr) -> int:
        return self.interpreter._value(expr, self.values, self.move.actor, self.move.choice)

    def execute(self, op: Op) -> None:
        program = self.interpreter.program
        match op:
            case SetLocal(slot, value):
                where = self.interpreter.where[self.move.actor][slot]
                s = program.slots[slot]
                self.store(where, self.value(value), s.lo, s.hi, f"{s.function}: {s.name}")
            case SetShared(var, index, value):
                v = program.vars[var]
                i = self.value(index)
                if not 0 <= i < v.length:
                    raise _Failed(Failure("null", f"{v.name}[{i}] does not exist"))
                where = self.interpreter.var_base[var] + i
                self.store(where, self.value(value), v.lo, v.hi, v.name)
            case Check(test, failure):
                if not self.value(test):
                    raise _Failed(failure)
            case If(test, then, other):
                for inner in then if self.value(test) else other:
                    self.execute(inner)
            case Emit(event, page):
                self.emit(event, self.value(page))
            case _:
                assert_never(op)

    def store(self, where: int, value: int, lo: int, hi: int, name: str) -> None:
        if not lo <= value <= hi:
            raise _Failed(Failure("overflow", f"{name} = {value}, outside [{lo}, {hi}]"))
        self.values[where] = value

    def emit(self, event: str, page: int) -> None:
        if page == 0:
            return
        self.events.append((event, page))
        for name, var, table in self.interpreter.listening(event):
            if not 1 <= page <= self.interpreter.program.vars[var].length:
                raise _Failed(Failure("null", f"{event}: page {page} does not exist"))
            where = self.interpreter.var_base[var] + page - 1
            self.values[where], violated = table[self.values[where]]
            if violated and name not in self.violated:
                self.violated.append(name)

    def follow(self, next_: Next) -> int:
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


def explore(
    system: System,
    limits: Limits | None = None,
    progress: tuple[AlwaysPossible, ...] = (),
    on_progress: OnProgress | None = None,
) -> Exploration:
    """Visit every state breadth-first; the first hit of anything is therefore a shortest one."""
    limits = limits or Limits()
    run = Interpreter(system)
    start = time.perf_counter()
    first = run.initial()
    parents: dict[State, tuple[State, Move] | None] = {first: None}
    depth = {first: 0}
    queue = deque([first])
    hits: dict[str, Path] = {}
    messages: dict[str, str] = {}
    covered: set[int] = set()
    predecessors: dict[State, list[State]] = {}
    good: dict[str, set[State]] = {p.name: set() for p in progress}
    transitions = 0
    stopped: str | None = None

    def path_to(state: State) -> Path:
        moves: list[Move] = []
        while (parent := parents[state]) is not None:
            state, move = parent
            moves.append(move)
        return tuple(reversed(moves))

    def hit(what: str, state: State, *last: Move, message: str = "") -> None:
        if what not in hits:
            hits[what] = (*path_to(state), *last)
            messages[what] = message

    def visit(state: State) -> None:
        nonlocal transitions
        any_move = False
        finished = run.finished(state)
        for p in progress:
            if p.event is None and finished:
                good[p.name].add(state)
        for move in run.moves(state):
            any_move = True
            step = run.step(state, move)
            transitions += 1
            covered.update(step.nodes)
            for name in step.violated:
                hit(name, state, move)
            for p in progress:
                happens = p.event is not None and any(name == p.event for name, _ in step.events)
                if happens or step.failure is not None:  # what follows a failure is not known
                    good[p.name].add(state)
            if step.failure is not None:
                kind = f"failure:{step.failure.kind}"
                hit(kind, state, move, message=step.failure.message)
            if step.state is None:
                continue
            if progress:
                predecessors.setdefault(step.state, []).append(state)
            if step.state not in parents:
                parents[step.state] = (state, move)
                depth[step.state] = depth[state] + 1
                queue.append(step.state)
        if not any_move and not finished:
            hit("failure:deadlock", state, message=deadlock_message(run, state))

    def memory() -> int:
        return len(parents) * len(first) * 8

    visited = 0
    try:
        while queue and stopped is None:
            state = queue.popleft()
            visit(state)
            visited += 1
            seconds = time.perf_counter() - start
            if limits.max_states is not None and len(parents) > limits.max_states:
                stopped = f"more than {limits.max_states:,} states"
            elif limits.seconds is not None and seconds > limits.seconds:
                stopped = f"more than {limits.seconds:g} seconds"
            elif limits.memory_bytes is not None and memory() > limits.memory_bytes:
                stopped = f"more than {limits.memory_bytes:,} bytes"
            if on_progress is not None and visited % REPORT_EVERY == 0:
                frontier, level = len(queue), depth[state]
                on_progress(Progress(len(parents), transitions, frontier, level, seconds, memory()))
    except KeyboardInterrupt:
        stopped = INTERRUPTED

    stuck: dict[str, Path] = {}
    if stopped is None:
        for p in progress:
            possible = _backwards(good[p.name], predecessors)
            for state in parents:  # in breadth-first order: the first one is nearest
                if state not in possible:
                    stuck[p.name] = path_to(state)
                    break
    return Exploration(
        states=len(parents),
        transitions=transitions,
        depth=max(depth.values()),
        hits=hits,
        covered=frozenset(covered),
        complete=stopped is None,
        seconds=time.perf_counter() - start,
        memory_bytes=memory(),
        stopped=stopped,
        messages=messages,
        stuck=stuck,
    )


def deadlock_message(run: Interpreter, state: State) -> str:
    """Who waits where."""
    waiting = [
        f"{actor.name} in {run.program.nodes[run.pc(state, i)].function}"
        for i, actor in enumerate(run.system.actors)
        if run.pc(state, i) != HALTED and not actor.daemon and actor.irq_of is None
    ]
    return "waiting for ever: " + ", ".join(waiting)


def _backwards(good: set[State], predecessors: dict[State, list[State]]) -> set[State]:
    """Every state from which a state of `good` can be reached."""
    reached = set(good)
    todo = list(good)
    while todo:
        for before in predecessors.get(todo.pop(), ()):
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return reached

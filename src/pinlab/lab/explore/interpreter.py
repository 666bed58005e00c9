"""The reference interpreter: which moves a state has, and what each of them does.

It is meant to be believed by reading, with `meaning` (what a node means), `transition` (what a
move does) and `reference` (the search): whatever else reads programs is compared with these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pinlab.errors import UsageError
from pinlab.lab.explore.meaning import Failed, Listener, Value, Work, meanings
from pinlab.lab.explore.places import Places, State
from pinlab.lab.explore.result import Move, Path
from pinlab.lab.explore.transition import run
from pinlab.lab.language.access import access
from pinlab.lab.language.program import (
    HALTED,
    IN_IRQ,
    PC,
    RUNS,
    SC,
    WAITS,
    Check,
    Failure,
    If,
    Node,
    SetLocal,
    SetShared,
    Shared,
    System,
    subexpressions,
)

__all__ = ["Interpreter", "State", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one move did: the state reached (None if it failed), the automata it violated, the
    events it emitted and the nodes it executed, in order."""

    state: State | None
    failure: Failure | None
    violated: tuple[str, ...]
    events: tuple[tuple[str, int], ...]
    nodes: tuple[int, ...]


class Interpreter:
    """Executes the steps of one system."""

    def __init__(self, system: System) -> None:
        program = system.program
        self.system = system
        self.program = program
        self.places = Places(system)
        self.watched = {
            automaton.name: (automaton, program.automaton_vars[i])
            for i, automaton in enumerate(program.automata)
            if automaton.name in system.watch
        }
        self.handlers = [i for i, each in enumerate(system.actors) if each.irq_of is not None]
        self.listeners: dict[str, tuple[Listener, ...]] = {}
        self.meanings = meanings(program)
        self.first = self._first()

    def initial(self) -> State:
        """The state before the first move: every actor stands before its first visible node."""
        return self.first

    def _first(self) -> State:
        values: list[int] = []
        for var in self.program.vars:
            default = 0 if var.lo <= 0 <= var.hi else var.lo
            values += self.system.initial.get(var.name, (default,) * var.length)
        for actor, slots in zip(self.system.actors, self.places.frames, strict=True):
            entry = self.program.entries[actor.entry]
            frame = {slot: self.program.slots[slot].lo for slot in slots}
            frame[PC] = entry.pc
            if actor.irq_of is not None:
                frame[IN_IRQ] = WAITS
            frame |= zip(entry.parameters, actor.arguments, strict=True)
            values += frame.values()
        for i in range(len(self.system.actors)):
            if not self.program.nodes[self.pc(values, i)].visible:
                work = self.work(values, Move(i))
                try:
                    run(self.meanings, self.places, work)
                except Failed:  # the actor's first move will say so
                    continue
                if work.events:
                    raise self._too_early(i, work)
                values = work.values
        return tuple(values)

    def _too_early(self, actor: int, work: Work) -> UsageError:
        node = self.program.nodes[work.nodes[0]]
        who, (event, _) = self.system.actors[actor].name, work.events[0]
        return UsageError(
            f"{node.file}:{node.line}: {who} says {event} before its first step, where nobody "
            "listens: put the primitive that it belongs to before trace()"
        )

    def pc(self, state: Sequence[int], actor: int) -> int:
        """Where `actor` stands."""
        return state[self.places.slots[actor][PC]]

    def finished(self, state: Sequence[int]) -> bool:
        """Whether every actor that has to finish has."""
        return all(
            a.daemon or a.irq_of is not None or self.pc(state, i) == HALTED
            for i, a in enumerate(self.system.actors)
        )

    def shared(self, state: State) -> dict[str, tuple[int, ...]]:
        """The values of every shared variable, but for those of the automata."""
        start = self.places.vars
        return {
            var.name: state[start[i] : start[i + 1]]
            for i, var in enumerate(self.program.vars)
            if i not in self.program.automaton_vars
        }

    def may_run(self, state: Sequence[int], actor: int) -> bool:
        """Whether interrupts let `actor` take a step: see `Actor.irq_of`."""
        if self.pc(state, actor) == HALTED:
            return False
        if self._interrupts(state, actor):
            return True
        cpu = self.system.cpu(actor)
        for i in self.handlers:
            if self._interrupts(state, i) and self.system.cpu(i) == cpu:
                return False
        if self.system.actors[actor].irq_of is None:
            return True
        return state[self.places.vars[self.program.irqs_off] + cpu] == 0

    def _interrupts(self, state: Sequence[int], actor: int) -> bool:
        """Whether `actor` is a handler that runs."""
        handler = self.system.actors[actor].irq_of is not None
        return handler and state[self.places.slots[actor][IN_IRQ]] == RUNS

    def moves(self, state: State) -> Iterator[Move]:
        """Every enabled move, by actor, then by choice."""
        for actor in range(len(self.system.actors)):
            if self.may_run(state, actor):
                pc = self.pc(state, actor)
                guard = self.meanings.of(pc).guard
                for choice in range(self.program.nodes[pc].choices):
                    move = Move(actor, choice)
                    if guard is None or self._enabled(guard, self.work(state, move)):
                        yield move

    def _enabled(self, guard: Value, work: Work) -> bool:
        try:
            return bool(guard(work))
        except Failed:  # the move is there, and fails
            return True

    def step(self, state: State, move: Move) -> Step:
        """Execute `move`, which must be enabled in `state`."""
        work = self.work(state, move)
        handler = self.system.actors[move.actor].irq_of is not None
        reached, failure = None, None
        try:
            run(self.meanings, self.places, work)
            if handler and work.values[work.slots[PC]] != HALTED:
                work.values[work.slots[IN_IRQ]] = RUNS
            reached = tuple(work.values)
        except Failed as failed:
            failure = failed.failure
        return Step(reached, failure, tuple(work.violated), tuple(work.events), tuple(work.nodes))

    def read(self, state: State, move: Move) -> dict[tuple[int, int], int]:
        """What the step of `move` looks at: the value of each (variable, element), in order."""
        work, value = self.work(state, move), self.meanings.value
        found: dict[tuple[int, int], int] = {}
        node = self.program.nodes[self.pc(state, move.actor)]
        for cell in _looks_at(node) if self.program.memory_model == SC else access(node).reads:
            try:
                found[cell.var, value(cell.index)(work)] = value(cell)(work)
            except Failed:  # evaluated for the side of an `or` that does not count
                continue
        return found

    def guarded(self, state: State, actor: int) -> list[tuple[int, int]]:
        """The cells, as (variable, element), that say whether `actor` may take its step."""
        guard = self.program.nodes[self.pc(state, actor)].guard
        work, value = self.work(state, Move(actor)), self.meanings.value
        cells = [] if guard is None else list(subexpressions(guard))
        return [(it.var, value(it.index)(work)) for it in cells if isinstance(it, Shared)]

    def work(self, state: Sequence[int], move: Move) -> Work:
        """What `move` works on in `state`: a copy of it."""
        actor = move.actor
        return Work(
            list(state), self.places.slots[actor], move, self.system.cpu(actor), self.listening
        )

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


def _looks_at(node: Node) -> list[Shared]:
    """The cells that a primitive reads: those of its guard and its first operation.

    What comes behind the first is computed from it. A check that holds is of no interest, and one
    that fails has a message.
    """
    found = [] if node.guard is None else [node.guard]
    match next((op for op in node.ops if not isinstance(op, Check)), None):
        case SetLocal(_, value) | SetShared(_, _, value):
            found.append(value)
        case If(test, _, _):
            found.append(test)
        case _:
            pass
    return [it for expr in found for it in subexpressions(expr) if isinstance(it, Shared)]

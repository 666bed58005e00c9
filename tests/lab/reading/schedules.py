"""Every schedule of the threads of a `Reading`.

Generators cannot be copied: a state is reached again by running its schedule from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import GeneratorType
from typing import Any, NoReturn

from tests.lab.reading.source import Reading
from tests.lab.reading.state import Failed, Request, Thread, fail

Move = tuple[int, int]
Events = tuple[tuple[str, int], ...]
Task = tuple[Any, ...]
"""A @kernel function and its arguments."""

CPYTHON: Mapping[type[Exception], str] = {ZeroDivisionError: "bug", ValueError: "bug"}
"""What Python raises for a division by zero and for a negative shift count."""


@dataclass
class Outcome:
    """What all schedules lead to."""

    finals: set[tuple[tuple[int, ...], bool, Events]] = field(default_factory=set)
    """Shared variables where nobody can go on, whether all have finished, and (one thread) the
    events on the way there."""
    failures: set[str] = field(default_factory=set)
    events: set[Events] = field(default_factory=set)
    """The events of one step, for all steps."""
    states: int = 0


def fails(kind: str, chosen: int) -> NoReturn:
    """A step that does nothing but fail."""
    fail(kind)


class TooMany(Exception):
    """More states than the test wants to look at."""


class Run:
    """One schedule of `tasks`, step by step."""

    def __init__(
        self,
        reading: Reading,
        tasks: tuple[Task, ...],
        values: list[int],
        interrupts: int | None = None,
    ) -> None:
        self.machine = machine = reading.machine
        machine.reset(values)
        for number, (function, *arguments) in enumerate(tasks):
            last = number == len(tasks) - 1
            thread = Thread(number, interrupts if last else None)
            thread.run = reading.function(function)(*arguments)
            machine.threads.append(thread)
            try:
                self.resume(thread, None)
            except Failed as failed:  # the thread's first step will say so
                thread.request = Request(partial(fails, str(failed)))
        machine.events = []

    def moves(self) -> list[Move]:
        found = []
        for thread in self.machine.threads:
            self.machine.me = thread
            request = thread.request
            if request is not None and self.machine.may_run(thread) and request.ready():
                found += [(thread.number, choice) for choice in range(request.choices)]
        return found

    def step(self, move: Move) -> Events:
        """The events of the step. Raises Failed."""
        thread = self.machine.threads[move[0]]
        request = thread.request
        assert request is not None
        self.machine.events = []
        self.resume(thread, lambda: request.act(move[1]))
        thread.stepped = True
        return tuple(self.machine.events)

    def resume(self, thread: Thread, act: Callable[[], Any] | None) -> None:
        self.machine.me = thread
        assert thread.run is not None
        try:
            thread.request = thread.run.send(act() if act else None)
        except StopIteration:
            thread.request = None
            self.machine.finish()
        except tuple(CPYTHON) as error:
            raise Failed(CPYTHON[type(error)]) from error

    def finished(self) -> bool:
        """A handler need not have come."""
        threads = self.machine.threads
        return all(it.request is None or it.irq_of is not None for it in threads)

    def where(self) -> tuple[Any, ...]:
        """The state: the same again means the same future."""
        threads = (
            (t.preempt, t.locks, t.interrupting, *position(t.run)) for t in self.machine.threads
        )
        return (*self.machine.values, *threads)


def position(run: object) -> tuple[Any, ...]:
    """Where a generator stands, and all that it has called."""
    found: list[Any] = []
    while isinstance(run, GeneratorType) and run.gi_frame is not None:
        frame = run.gi_frame
        found += (frame.f_lasti, *frame.f_locals.items())
        run = run.gi_yieldfrom
    return tuple(found)


def explore(
    reading: Reading,
    tasks: tuple[Task, ...],
    values: list[int],
    interrupts: int | None = None,
    most: int = 20_000,
) -> Outcome:
    """Depth first; of one thread, a state includes the events that led to it. Raises TooMany."""
    found = Outcome()
    seen: set[tuple[Any, ...]] = set()
    todo: list[tuple[Move, ...]] = [()]
    while todo:
        path = list(todo.pop())
        run, history = Run(reading, tasks, values, interrupts), list[tuple[str, int]]()
        alone = len(tasks) == 1
        for move in path[:-1]:
            events = run.step(move)
            history += events if alone else ()
        ahead = path[-1:]
        while True:
            try:
                events = run.step(ahead[0]) if ahead else ()
            except Failed as failed:
                found.failures.add(str(failed))
                break
            found.events.add(events)
            history += events if alone else ()
            where = (run.where(), tuple(history))
            if where in seen:
                break
            seen.add(where)
            if len(seen) > most:
                raise TooMany
            moves = run.moves()
            if not moves:
                done = run.finished()
                found.finals.add((tuple(reading.machine.values), done, tuple(history)))
                if not done:
                    found.failures.add("deadlock")
                break
            todo += [(*path, move) for move in moves[1:]]
            ahead = moves[:1]
            path.append(moves[0])
    found.states = len(seen)
    return found

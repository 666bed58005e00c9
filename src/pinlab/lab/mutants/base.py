"""What a design does in every combination of operations, before anything is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pinlab.errors import UsageError
from pinlab.lab import build, ledger, sweep
from pinlab.lab.audited import Audited
from pinlab.lab.design import Design
from pinlab.lab.explore import machine
from pinlab.lab.explore.result import AlwaysPossible, Exploration, Limits, words
from pinlab.lab.language.program import Emit, If, Op, Program, System
from pinlab.lab.orders import orders
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Wanted
from pinlab.lab.scenarios.scenario import Scenario

SIZE: Final = 2
"""Operations at a time, at most."""

CHUNK: Final = 100

LIMITS: Final = Limits(max_states=sweep.MAX_STATES)

OnDone = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Question:
    """A combination of operations from a state, in one order of its tasks."""

    operations: tuple[str, ...]
    state: str
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes of it: `hits` in words, `ends` what tells its states at rest apart."""

    states: int
    complete: bool
    hits: frozenset[str]
    ends: frozenset[str]
    covered: frozenset[int]
    """Nodes of the program that was explored."""
    events: frozenset[str]
    """What the judges heard for certain,"""
    possible: frozenset[str]
    """and what they may have heard: some steps say it in one case and not in another."""
    key: bytes = b""
    """What the exploration is kept under: the same key, the same answer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks a design, of whom it is known what the static keys say."""

    design: Design
    keys: Mapping[str, int]

    def system(self, question: Question) -> System:
        """What is explored."""
        return build.system(self.design, question.scenario, self.keys)

    def audit(self, question: Question) -> Audited | None:
        """Who looks at the states at rest."""
        return build.audit(self.design, question.scenario, question.scenario.judges)

    def goals(self, question: Question) -> tuple[AlwaysPossible, ...]:
        """What must always be able to happen."""
        return build.progress(self.design, question.scenario)

    def answer(self, question: Question) -> Answer:
        """What the design does, as explored or kept."""
        system, goals, audit = self.system(question), self.goals(question), self.audit(question)
        found = ledger.explore(system, LIMITS, goals, audit=audit)
        key = ledger.key(system, goals, audit, everywhere=False)
        return replace(answer(system.program, found, audit), key=key)

    def known(self, question: Question) -> Answer | None:
        """The same, if it was kept."""
        system, goals, audit = self.system(question), self.goals(question), self.audit(question)
        found = ledger.recall(system, LIMITS, goals, audit=audit)
        if found is None:
            return None
        key = ledger.key(system, goals, audit, everywhere=False)
        return replace(answer(system.program, found, audit), key=key)

    def key(self, question: Question) -> bytes:
        """What the answer is kept under, whether it is or not."""
        system, goals, audit = self.system(question), self.goals(question), self.audit(question)
        return ledger.key(system, goals, audit, everywhere=False)


def answer(program: Program, found: Exploration, audit: Audited | None) -> Answer:
    """What came of an exploration: failures of one kind are told apart."""
    hits = {name for name in found.hits if not name.startswith("failure:")}
    hits |= {words(site) for site in found.failures} | found.stuck.keys()
    ends = audit.ends if audit is not None else frozenset()
    hits |= found.unbalanced.keys()
    steps = [program.nodes[pc].ops for pc in found.covered]
    return Answer(
        states=found.states,
        complete=found.complete,
        hits=frozenset(hits),
        ends=ends,
        covered=found.covered,
        events=frozenset(op.event for ops in steps for op in ops if isinstance(op, Emit)),
        possible=frozenset(event for ops in steps for event in _said(ops)),
    )


def _said(ops: Iterable[Op]) -> Iterator[str]:
    """Every event that operations may say."""
    for op in ops:
        if isinstance(op, Emit):
            yield op.event
        elif isinstance(op, If):
            yield from _said((*op.then, *op.other))


@dataclass(frozen=True, slots=True)
class Base:
    """A design asked in every combination, the smallest ones first; `executes` says which of them
    executes which node of its program: bool[combinations, nodes]."""

    asking: Asking
    program: Program
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]
    executes: npt.NDArray[np.bool_]

    def executing(self, function: str, lines: Iterable[int] = ()) -> list[int]:
        """Which combinations execute one of these lines of a function, the smallest first; or the
        function, if none of its steps stands for them."""
        chosen = sorted(self.steps(function, lines))
        found = np.flatnonzero(self.executes[:, chosen].any(axis=1))
        return [int(number) for number in found]

    def steps(self, function: str, lines: Iterable[int] = ()) -> frozenset[int]:
        """The nodes that stand for these lines of a function; all of it if none does."""
        return _steps(self.program, function, lines)

    def question(self, number: int) -> Question:
        """A combination, by its place."""
        return self.questions[number]

    def answer(self, number: int) -> Answer:
        """What comes of it."""
        return self.answers[number]

    def key(self, number: int) -> bytes:
        """What that is kept under."""
        return self.answers[number].key


def _steps(program: Program, function: str, lines: Iterable[int]) -> frozenset[int]:
    wanted = frozenset(lines)
    own = [at for at, node in enumerate(program.nodes) if node.function == function]
    return frozenset([at for at in own if wanted & program.nodes[at].lines] or own)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another design, asked where `home` executes what is wrong, or comes near it: its own answers
    are explored when they are asked for. `questions` are by their places at home."""

    home: Base
    asking: Asking
    program: Program
    questions: Mapping[int, Question]
    answers: dict[int, Answer]
    """Those that were asked for already;"""
    keys: dict[int, bytes]
    """and what some are kept under."""

    def executing(self, function: str, lines: Iterable[int] = ()) -> list[int]:
        """Which combinations execute the function at home, or whoever calls it: those in which
        somebody pins come first, as that is what designs differ in. No more than SCANNED."""
        found = self.home.executing(function)
        if not found:
            callers = [it for it, called in self.program.calls.items() if function in called]
            found = sorted({number for it in callers for number in self.home.executing(it)})
        pinning = frozenset(self.home.executing("pin_begins"))
        there = (number for number in found if number in self.questions)
        return sorted(there, key=lambda it: (it not in pinning, it))[:SCANNED]

    def steps(self, function: str, lines: Iterable[int] = ()) -> frozenset[int]:
        """The nodes that stand for these lines of a function; all of it if none does."""
        return _steps(self.program, function, lines)

    def question(self, number: int) -> Question:
        """A combination, by its place at home."""
        return self.questions[number]

    def answer(self, number: int) -> Answer:
        """What comes of it here."""
        if number not in self.answers:
            self.answers[number] = self.asking.answer(self.questions[number])
        return self.answers[number]

    def key(self, number: int) -> bytes:
        """What that is kept under."""
        if number not in self.keys:
            self.keys[number] = self.asking.key(self.questions[number])
        return self.keys[number]


def elsewhere(home: Base, design: Design, keys: Mapping[str, int]) -> Elsewhere:
    """Another design of the same world, asked what `home` was asked."""
    asking = Asking(design, keys)
    program = build.program(design)
    there = {_named(it): it for it in questions_of(asking, EVERY)}
    own = {
        number: there[_named(it)] for number, it in enumerate(home.questions) if _named(it) in there
    }
    return Elsewhere(home, asking, program, own, {}, {})


def _named(it: Question) -> tuple[object, ...]:
    """What tells a question from another one, whichever design is asked."""
    return it.operations, it.state, tuple(task.name for task in it.scenario.tasks)


SCANNED: Final = 1000
"""Combinations of another design in which it is looked, at most, whether they execute a line."""

EVERY: Final = Wanted(SIZE)
"""All combinations."""


def base(
    design: Design,
    keys: Mapping[str, int],
    jobs: int,
    on_done: OnDone | None = None,
    wanted: Wanted = EVERY,
    *,
    exploring: bool = True,
) -> Base | None:
    """Ask a design in every combination that is wanted. Without `exploring` nothing is: None if any
    was not kept. Raises UsageError; Ctrl-C goes through."""
    asking = Asking(design, keys)
    questions = tuple(questions_of(asking, wanted))
    return asked(asking, questions, jobs, on_done, exploring=exploring)


def asked(
    asking: Asking,
    questions: Sequence[Question],
    jobs: int,
    on_done: OnDone | None = None,
    *,
    exploring: bool = True,
) -> Base | None:
    """Ask a design these questions, as `base` does."""
    program = build.program(asking.design)
    if exploring:
        machine.load(program)  # once for all processes
    ask = asking.answer if exploring else asking.known
    answers: list[Answer] = []
    with closing(in_processes(ask, questions, jobs, CHUNK)) as found:
        for each in found:
            if each is None:
                return None
            answers.append(each)
            if on_done is not None and len(answers) % CHUNK == 0:
                on_done(len(answers), len(questions))
    order = sorted(range(len(questions)), key=lambda it: (_size(questions[it]), answers[it].states))
    executes = np.zeros((len(order), len(program.nodes)), np.bool_)
    for row, number in enumerate(order):
        executes[row, sorted(answers[number].covered)] = True
    return Base(
        asking,
        program,
        tuple(questions[it] for it in order),
        tuple(answers[it] for it in order),
        executes,
    )


def _size(question: Question) -> int:
    return len(question.operations)


def questions_of(asking: Asking, wanted: Wanted) -> Iterator[Question]:
    """Every combination that is wanted of a design, in each order of its tasks that it is played
    in. Raises UsageError."""
    able = sweep.possible(sweep.ask(asking.design, wanted), asking.keys)
    asker = sweep.Asker(asking.design, asking.keys, None, {}, able)
    for size in range(1, wanted.size + 1):
        for chosen, at in sweep.combinations(able, size):
            scenario = asker.scenario(chosen, at)
            names = sweep.names_of(chosen)
            try:
                for ordered in orders(asking.design, scenario):
                    yield Question(names, at.name, ordered)
            except UsageError:  # more orders than are explored: the sweep says so too
                continue

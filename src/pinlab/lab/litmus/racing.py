"""The racing part of a counterexample, as a litmus test.

Under a memory model some load gave an old value. Its store s is one thread's, the load l another's.
What makes the two a race is a second word, which the first thread comes to behind s and the second
one before l: what happened there says that s is before l, and l says that it is not. These four
accesses are the test, with whatever orders them; where nothing does, the accesses in between are
left out.

    P0: s, ..., e0    P1: e1, ..., l    e0 is before e1, l has not seen s
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pinlab.lab.explore.interpreter import Interpreter, State
from pinlab.lab.explore.result import Move
from pinlab.lab.language.access import access
from pinlab.lab.language.primitives import TABLE, Order
from pinlab.lab.language.program import System
from pinlab.lab.litmus.run import answered
from pinlab.lab.trace import element
from pinlab.lab.weak.story import Story

MOST = 100
"""Candidates that are tried, the shortest first."""

PLAIN = frozenset({Order.LOAD, Order.STORE, Order.AWAIT, Order.WALK, Order.RMW})
"""What orders nothing around it."""

Word = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Access:
    """One step of a thread: the word it came to; `old` if it gave an old value. No word: a barrier,
    or what is ordered by something that is none."""

    number: int
    actor: int
    order: Order
    word: Word | None
    reads: bool
    writes: bool
    old: bool

    def conflicts(self, other: Access) -> bool:
        """Whether the order of the two makes a difference."""
        return self.word == other.word and (self.writes or other.writes)


def racing(system: System, moves: Sequence[Move], title: str) -> str | None:
    """The shortest test that the run has in it: its outcome is never under sequential consistency,
    and may be under the memory model of the run. None if there is none."""
    it = _Reader(system)
    seen = list(it.accesses(moves))
    found = [
        (_between(seen, store, first), _between(seen, second, load))
        for load in seen
        if load.old
        for store in seen
        if store.writes and store.actor != load.actor and store.word == load.word
        for first, second in _second_word(seen, store, load)
    ]
    for one, other in sorted(found, key=lambda parts: len(parts[0]) + len(parts[1]))[:MOST]:
        text = it.text(title, one, other)
        if _is_race(text, title, system.program.memory_model):
            return text
    return None


def _is_race(text: str, title: str, model: str) -> bool:
    """Whether the test is what it is to be."""
    answers = {each.model: each for each in answered(text, title).answers}
    return answers["sc"].possible is False and answers[model].possible is True


def _second_word(
    seen: Sequence[Access], store: Access, load: Access
) -> Iterator[tuple[Access, Access]]:
    """What the first thread did behind its store, before what the second did before its load."""
    behind = [e for e in seen if e.actor == store.actor and e.number > store.number]
    before = [e for e in seen if e.actor == load.actor and e.number < load.number]
    for first in behind:
        if first.word is None or first.word == store.word:
            continue
        for second in before:
            if first.number < second.number and first.conflicts(second):
                yield first, second
                break  # at the earliest: what orders the second thread behind it is in the test


def _between(seen: Sequence[Access], first: Access, last: Access) -> list[Access]:
    """The two, and what orders them."""
    mine = [e for e in seen if e.actor == first.actor and first.number <= e.number <= last.number]
    return [e for e in mine if e in (first, last) or e.order not in PLAIN]


class _Reader:
    """Reads the accesses of a run."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.program = system.program
        self.run = Interpreter(system)
        self.story = Story(
            system, lambda var, i: element(self.program, var, i), lambda _, v: str(v)
        )

    def accesses(self, moves: Sequence[Move]) -> Iterator[Access]:
        """Each step that accesses a word, or orders."""
        state = self.run.initial()
        for number, move in enumerate(moves):
            step = self.run.step(state, move)
            after = step.state or state
            for pc in step.nodes:
                if self.program.nodes[pc].primitive:
                    yield from self._access(number, move, pc, state, after)
            state = after

    def _access(
        self, number: int, move: Move, pc: int, before: State, after: State
    ) -> Iterator[Access]:
        node = self.program.nodes[pc]
        order = TABLE[node.primitive].order
        if order in (Order.MB, Order.RMB, Order.WMB):
            yield Access(number, move.actor, order, None, False, False, False)
            return
        if not node.visible or order is Order.NONE:
            return
        it = access(node)
        looked_at = self.run.read(before, move)
        old = self.story.old_reads(node, move.choice, looked_at)
        cells = [cell for cell in looked_at if cell[0] in self.story.twins]
        stored = [w for w in it.writes if w.var in self.story.twins]
        changed = [
            (var, i)
            for var in self.story.twins
            for i in range(self.program.vars[var].length)
            if self._cell(before, var, i) != self._cell(after, var, i)
        ]
        place = next(iter([*(cells if not stored else []), *changed, *cells]), None)
        if place is None:
            if order in (Order.ACQUIRE, Order.RELEASE, Order.ATOMIC_RELEASE, Order.FULL):
                yield Access(number, move.actor, order, None, False, False, False)
            return
        word = self.program.vars[place[0]].of_word, place[1]
        reads = bool([r for r in it.reads if r.var in self.story.twins])
        yield Access(number, move.actor, order, word, reads, bool(stored), bool(old))

    def _cell(self, state: State, var: int, i: int) -> int:
        return state[self.run.places.vars[var] + i]

    def _parts(self, word: Word) -> list[int]:
        return [var for var in self.story.twins if self.program.vars[var].of_word == word[0]]

    def _name(self, word: Word) -> str:
        first = self._parts(word)[0]
        name = element(self.program, first, word[1])
        if "." in name and len(self._parts(word)) > 1:
            name = f"{name.rpartition('.')[0]}.{word[0].rpartition('.')[2]}"
        return re.sub(r"\W+", "_", name.lower()).strip("_")

    # ------------------------------------------------------------------------------ the text

    def text(self, title: str, one: Sequence[Access], other: Sequence[Access]) -> str:
        """The test of two threads. Values are numbered anew, as much in a word is left out."""
        both = sorted((*one, *other), key=lambda each: each.number)
        words = list(dict.fromkeys(each.word for each in both if each.word is not None))
        values = _values(both)
        conditions: list[str] = []
        threads = [
            _thread(number, part, {word: self._name(word) for word in words}, values, conditions)
            for number, part in enumerate((one, other))
        ]
        start = " ".join(f"{self._name(word)}=0;" for word in words)
        condition = " /\\ ".join(conditions)
        parts = [f"C {title}", f"{{ {start} }}", *threads, f"exists ({condition})"]
        return "\n\n".join(parts) + "\n"


def _values(seen: Sequence[Access]) -> dict[int, int]:
    """What each access gives, or stores, if words begin with 0."""
    newest: dict[Word, int] = {}
    before: dict[Word, int] = {}
    values: dict[int, int] = {}
    for it in seen:
        if it.word is None:
            continue
        now = newest.get(it.word, 0)
        if not it.writes:
            values[it.number] = before.get(it.word, 0) if it.old else now
            continue
        values[it.number] = now if it.reads else now + 1
        before[it.word], newest[it.word] = now, now + 1
    return values


def _thread(
    number: int,
    part: Sequence[Access],
    names: dict[Word, str],
    values: dict[int, int],
    conditions: list[str],
) -> str:
    """The text of a thread; what its first and last access give is added to the conditions."""
    lines: list[str] = []
    registers: list[str] = []
    others: list[str] = []
    for it in part:
        register = f"r{len(registers)}"
        if it.word is None:
            others.append(f"other{number}{len(others)}")
            line = _order(it, register, others[-1])
            if line in BARRIERS.values():
                others.pop()
        else:
            line = _access(it, register, names[it.word], values[it.number])
        if line.startswith(f"{register} ="):
            registers.append(register)
            if it in (part[0], part[-1]):
                conditions.append(f"{number}:{register}={values[it.number]}")
        lines.append(f"\t{line}")
    parameters = ", ".join(f"int *{name}" for name in (*names.values(), *others))
    declared = [f"\tint {register};" for register in registers]
    return "\n".join([f"P{number}({parameters})", "{", *declared, *lines, "}"])


BARRIERS = {Order.MB: "smp_mb();", Order.RMB: "smp_rmb();", Order.WMB: "smp_wmb();"}


def _order(it: Access, register: str, other: str) -> str:
    """What orders others by an access of its own word, or of none."""
    if it.order in BARRIERS:
        return BARRIERS[it.order]
    if it.order in (Order.RELEASE, Order.ATOMIC_RELEASE):
        return f"smp_store_release({other}, 1);"
    if it.order is Order.ACQUIRE:
        return f"{register} = smp_load_acquire({other});"
    return f"{register} = xchg({other}, 1);"


def _access(it: Access, register: str, name: str, value: int) -> str:
    if not it.writes:
        load = "smp_load_acquire(" if it.order is Order.LOAD_ACQUIRE else "READ_ONCE(*"
        return f"{register} = {load}{name});"
    match it.order:
        case Order.STORE:
            return f"WRITE_ONCE(*{name}, {value});"
        case Order.STORE_RELEASE | Order.RELEASE | Order.ATOMIC_RELEASE:
            return f"smp_store_release({name}, {value});"
        case Order.RMW | Order.RELAXED:
            return f"atomic_inc({name});"
        case _:
            return f"{register} = atomic_fetch_add(1, {name});"

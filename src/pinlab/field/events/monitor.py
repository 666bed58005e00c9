"""The objectives of the thread judge a stream of rows: recorded, live, or of the lab.

The automata are those of `pinlab.objectives`; here are only folios, gaps and doubts. Each folio
(in one life in the page cache) has one run of each automaton. A violation stands whatever else
was lost. *Holds* needs a stream without gaps, the tracepoints that the objective lives on, and
events; else it is *inconclusive*, with what was missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import pyarrow as pa

from pinlab import objectives
from pinlab.field.events.batch import Batch
from pinlab.field.events.columns import FENTRY, RAW
from pinlab.field.events.schema import MODEL, Meta, Row
from pinlab.field.probes.hooks import FUNCTIONS
from pinlab.field.probes.symbols import Told, told
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.judge import advance
from pinlab.objectives.verdict import Verdict

COMPLETE = ("block_rq_complete", "block_bio_complete")
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "O1": (("block_bio_queue",), COMPLETE),
    "O2": (("writeback_dirty_folio",),),
    "I3": (("writeback_dirty_folio",),),
}
"""The objectives that live events can express, and the tracepoints each lives on (any of each)."""

NO_PAGE: Final = (0, 0)
"""The `page` of a folio that has none."""

HISTORY = 16
"""Rows of one folio that are kept for a witness."""

UNSEEN_BEGIN = "pinned under a writeback whose start was not seen"
NO_PINS = (
    "direct I/O of this kernel takes references, not pins (before Linux 6.5), so nobody sees that "
    "a device owns a page"
)
UNSEEN_HOLDER = "written back while pinned by a holder that no tracepoint shows"
UNSEEN_STORE = "pinned under its writeback by a holder whose stores nobody sees"

KEPT = 1000
"""Violations that are kept whole; more are only counted."""

SWEEP = 1 << 18
"""Rows between two times at which what is long past is forgotten."""


Place = tuple[Batch, int]
"""Where a row is."""


class Violation:
    """One violation: the objective, and the events of the folio that lead to it.

    With a `doubt` it is none that can be claimed, and that says why.
    """

    def __init__(self, objective: str, places: Sequence[Place], doubt: str = "") -> None:
        self.objective = objective
        self.doubt = doubt
        self._places = tuple(places)

    @property
    def file(self) -> tuple[int | None, int | None]:
        """The device and inode of the file, without making rows."""
        batch, at = self._places[-1]
        return batch.columns["dev"][at].as_py(), batch.columns["ino"][at].as_py()

    @cached_property
    def witness(self) -> tuple[Row, ...]:
        """The last events of the folio; ends with `row`."""
        return tuple(batch[at] for batch, at in self._places)

    def keep(self) -> None:
        """Have rows of its own, so that it does not keep whole batches alive."""
        rows = Batch.of(self.witness)
        self._places = tuple((rows, at) for at in range(len(rows)))

    @property
    def row(self) -> Row:
        """The event that violates."""
        return self.witness[-1]


@dataclass(slots=True)
class _Folio:
    """The automata of one folio, by name, and where its last rows are."""

    states: dict[str, str]
    page: tuple[int, int]
    """Mapping and index."""
    history: list[Place] = field(default_factory=list)
    seen: list[int] = field(default_factory=lambda: [0, 0])
    """Pins that are there as tracepoints show it, and as functions do: mostly the same ones."""
    last: int = 0
    """How many rows had been seen at its last one."""


@dataclass(slots=True)
class Tally:
    """What one objective came to so far."""

    events: int = 0
    folios: set[int] = field(default_factory=set)
    violations: int = 0
    first: Row | None = None
    doubts: list[str] = field(default_factory=list)
    doubtful: int = 0


class _Columns(NamedTuple):
    """What is asked of every row, as lists."""

    seq: list[int]
    kind: list[Event]
    head: list[int]
    page: list[tuple[int, int]]
    """Mapping and index."""
    flags: list[int]
    dropped: list[int]
    stack: list[int]
    pins: list[int]
    model: list[bool]
    read: list[bool]
    told: list[bool]
    """A tracepoint said so."""
    function: list[bool]
    """A function said so."""

    def unseen(self, at: int, seen: Sequence[int]) -> bool:
        """Whether the folio has a pin that no row shows, by the counts of this row."""
        return self.pins[at] > max(seen)


class Monitor:
    """Judges row after row."""

    def __init__(self, names: Sequence[str] = tuple(NEEDS), *, writeback: int = 0) -> None:
        """`writeback` is the mask of PG_writeback, to know one whose start was not seen by."""
        self._writeback = writeback
        known = objectives.load()
        self.automata: dict[str, Automaton] = {}
        for name in names:
            objective = known[name]
            if not isinstance(objective, Automaton):
                raise TypeError(f"{name} is not an automaton: a stream cannot judge it")
            self.automata[name] = objective
        self._listens = {
            event: tuple(n for n, a in self.automata.items() if a.listens_to(event))
            for event in Event
        }
        self._begin = {name: a.states[0] for name, a in self.automata.items()}
        self._folios: dict[int, _Folio] = {}
        self._next: int | None = None
        self._swept = 0
        self.tally = {name: Tally() for name in self.automata}
        self.violations: list[Violation] = []
        self.doubted: deque[Violation] = deque(maxlen=HISTORY)
        """What could not be decided, for whoever takes it from here."""
        self.rows = 0
        self.gaps: list[str] = []
        self.disorder = False
        self.first_ns = self.last_ns = 0

    def see(
        self, rows: Iterable[Row], stacks: Sequence[tuple[str, ...]] = ()
    ) -> Iterator[Violation]:
        """Judge a batch; each violation as it happens."""
        batch = Batch.of(rows)
        if not batch:
            return
        times = batch.numbers("ts_ns")
        self.first_ns = self.first_ns or times[0]
        self.last_ns = max(self.last_ns, *times)
        columns = _Columns(
            batch.numbers("seq"),
            batch.kinds,
            batch.numbers("head_pfn"),
            list(zip(batch.numbers("mapping"), batch.numbers("index"), strict=True)),
            batch.numbers("flags"),
            batch.numbers("dropped_before"),
            batch.numbers("stack_id"),
            batch.pins,
            batch.where("src", MODEL),
            batch.where("op", "READ"),
            batch.where("src", RAW),
            batch.where("src", FENTRY),
        )
        for at in range(len(batch)):
            yield from self._see(batch, at, columns, stacks)
        if self.rows - self._swept > SWEEP:
            self._sweep()

    def _see(
        self, batch: Batch, at: int, columns: _Columns, stacks: Sequence[tuple[str, ...]]
    ) -> Iterator[Violation]:
        seq, kind, head = columns.seq[at], columns.kind[at], columns.head[at]
        self._in_order(seq, columns.dropped[at])
        self.rows += 1
        if self.disorder:
            return
        folio = self._folio(at, columns)
        folio.history.append((batch, at))
        folio.last = self.rows
        self._count_pins(folio, at, columns)
        for name in self._listens[kind]:
            tally = self.tally[name]
            tally.events += 1
            tally.folios.add(head)
            automaton = self.automata[name]
            state = folio.states[name]
            folio.states[name], violated = advance(automaton, state, kind)
            if not violated:
                continue
            if state in automaton.saturated:
                self._doubt(name, folio, seq, "pins were beyond counting")
            elif kind is Event.DIRTY and not columns.model[at]:
                who = _dirtier(columns.stack[at], stacks)
                if who is Told.no:
                    yield self._violated(name, folio)
                elif who is Told.unknown:
                    self._doubt(name, folio, seq, _unknown(columns.stack[at], stacks))
            else:
                yield self._violated(name, folio)
        if not columns.model[at]:
            self._tidy(head, folio, kind)

    def _folio(self, at: int, columns: _Columns) -> _Folio:
        """The folio of a row: another one if its frame bears another page by now."""
        head, page = columns.head[at], columns.page[at]
        folio = self._folios.get(head)
        if folio is not None and columns.model[at]:
            return folio
        if columns.kind[at] is Event.CACHE_ADD:
            states = {name: automaton.states[0] for name, automaton in self.automata.items()}
            folio = self._folios[head] = _Folio(states, page)
        elif folio is None or (page[0] and page != folio.page):
            folio = self._folios[head] = _Folio(dict(self._begin), page)
        return folio

    def _violated(self, name: str, folio: _Folio) -> Violation:
        tally = self.tally[name]
        tally.violations += 1
        violation = Violation(name, folio.history[-HISTORY:])
        tally.first = tally.first or violation.row
        if len(self.violations) < KEPT:
            violation.keep()
            self.violations.append(violation)
        return violation

    def _in_order(self, seq: int, dropped: int) -> None:
        """Find gaps and disorder; after a gap no folio's state is known."""
        if self._next is not None and seq < self._next:
            if not self.disorder:
                self.gaps.append(f"row {seq} comes after row {self._next - 1}: out of order")
            self.disorder = True
            return
        missing = seq - (0 if self._next is None else self._next)
        self._next = seq + 1
        if not missing and not dropped:
            return
        if missing:
            self.gaps.append(f"{missing} rows are missing before row {seq}")
        if dropped:
            self.gaps.append(f"{dropped} events were lost before row {seq}")
        self._folios.clear()
        self._begin = {name: _safe(automaton) for name, automaton in self.automata.items()}

    def _count_pins(self, folio: _Folio, at: int, columns: _Columns) -> None:
        """A writeback, or a pin, of which something was not seen decides nothing."""
        if columns.model[at]:
            return
        kind, by, seq = columns.kind[at], columns.function[at], columns.seq[at]
        if kind is Event.PIN:
            folio.seen[by] += 1
        # An unpin may have been missed.
        folio.seen = [min(each, columns.pins[at]) for each in folio.seen]
        if kind is Event.UNPIN:
            folio.seen[by] = max(0, folio.seen[by] - 1)
        if "O1" not in self.tally:
            return
        written = kind in (Event.WRITEBACK_START, Event.WRITEBACK_END)
        if written and columns.told[at] and columns.unseen(at, folio.seen):
            self._doubt("O1", folio, seq, UNSEEN_HOLDER)
        if not (columns.read[at] and columns.flags[at] & self._writeback):
            return
        if kind in (Event.PIN, Event.DEV_STORE) and folio.states["O1"] == "idle":
            self._doubt("O1", folio, seq, UNSEEN_BEGIN)
        elif kind is Event.PIN and by:
            self._doubt("O1", folio, seq, UNSEEN_STORE)

    def _doubt(self, name: str, folio: _Folio, seq: int, reason: str) -> None:
        tally = self.tally[name]
        tally.doubtful += 1
        self.doubted.append(Violation(name, folio.history[-HISTORY:], reason))
        if len(tally.doubts) < 8:
            tally.doubts.append(f"row {seq}: {reason}")

    def _tidy(self, head: int, folio: _Folio, kind: Event) -> None:
        if len(folio.history) > 2 * HISTORY:
            del folio.history[:-HISTORY]
        if kind in (Event.WRITEBACK_END, Event.CACHE_DEL) and self._quiet(folio):
            folio.history.clear()
            if kind is Event.CACHE_DEL:
                del self._folios[head]
        elif kind is Event.CACHE_DEL:
            folio.page = NO_PAGE  # should the same one come back, it is another life

    def _quiet(self, folio: _Folio) -> bool:
        return not any(folio.seen) and folio.states.get("O1", "idle") == "idle"

    def _sweep(self) -> None:
        """Forget what is long past, so that a long watch needs no more memory than a short one."""
        kept: dict[int, tuple[Batch, list[_Folio]]] = {}
        for head, folio in list(self._folios.items()):
            if folio.last > self._swept:
                continue
            if self._quiet(folio):
                folio.history.clear()
                if folio.states == self._begin:
                    del self._folios[head]
            for batch, _ in folio.history:
                kept.setdefault(id(batch), (batch, []))[1].append(folio)
        for batch, folios in kept.values():
            _move(batch, folios)
        self._swept = self.rows

    # -- verdicts -----------------------------------------------------------------------------

    def verdicts(self, meta: Meta) -> dict[str, Verdict]:
        """The verdict on each objective, of all that was seen."""
        return {name: self._verdict(name, meta) for name in self.automata}

    def _verdict(self, name: str, meta: Meta) -> Verdict:
        tally = self.tally[name]
        seconds = max(0, self.last_ns - self.first_ns) / 1e9
        by = "the lab" if meta.kernel == MODEL else f"{_sources(meta)} of {meta.kernel}"
        folios = "folios while pinned" if meta.pinned_only else "folios"
        bounds = (
            f"{tally.events:,} events of {len(tally.folios):,} {folios} in {seconds:.1f} s, {by}"
        )
        if self.disorder:
            return Verdict.inconclusive(self.gaps[-1], bounds)
        if tally.first is not None:
            evidence = next(
                (v.witness for v in self.violations if v.objective == name), (tally.first,)
            )
            others = f"{tally.violations:,} violations" if tally.violations > 1 else ""
            return Verdict.violated(
                tally.first.seq + 1, bounds, evidence=[r.seq for r in evidence], reason=others
            )
        if meta.rows is not None and (self._next or 0) < meta.rows:
            return Verdict.inconclusive(f"{meta.rows - (self._next or 0)} rows are missing", bounds)
        if self.gaps:
            more = f" and {len(self.gaps) - 1} more gaps" if len(self.gaps) > 1 else ""
            return Verdict.inconclusive(self.gaps[0] + more, bounds)
        if meta.lost:
            return Verdict.inconclusive(f"{meta.lost} events were lost", bounds)
        if meta.kernel != MODEL:
            for choice in NEEDS.get(name, ()):
                if not set(choice) & set(meta.attached):
                    return Verdict.inconclusive(f"{choice[0]} could not be watched", bounds)
        if name == "O1" and not meta.bios_pin:
            return Verdict.inconclusive(NO_PINS, bounds)
        if tally.doubts:
            more = f" ({tally.doubtful:,} such)" if tally.doubtful > 1 else ""
            return Verdict.inconclusive(tally.doubts[0] + more, bounds)
        if not tally.events:
            return Verdict.inconclusive("no event was seen that it listens to", bounds)
        return Verdict.holds(bounds)


def _sources(meta: Meta) -> str:
    """What the events come from."""
    functions = [each.name for each in FUNCTIONS if each.name in meta.attached]
    return "raw tracepoints" + (f" and fentry ({', '.join(functions)})" if functions else "")


def _safe(automaton: Automaton) -> str:
    """The state from which nothing violates until more is known; the first if there is none."""
    risky = {state for state, _ in automaton.bad}
    return next((state for state in automaton.states if state not in risky), automaton.states[0])


def _move(batch: Batch, folios: Sequence[_Folio]) -> None:
    """Let these folios remember rows of a batch in a batch of their own."""
    wanted = sorted({at for folio in folios for each, at in folio.history if each is batch})
    small = Batch(batch.columns.take(pa.array(wanted)))
    number = {at: new for new, at in enumerate(wanted)}
    for folio in folios:
        folio.history = [
            (small, number[at]) if each is batch else (each, at) for each, at in folio.history
        ]


def _dirtier(stack: int, stacks: Sequence[tuple[str, ...]]) -> Told:
    """Whether the file system had a say when a page was made dirty: what the stack tells."""
    return told(stacks[stack]) if 0 <= stack < len(stacks) else Told.unknown


def _unknown(stack: int, stacks: Sequence[tuple[str, ...]]) -> str:
    """Why a page made dirty is no violation that can be claimed."""
    if not 0 <= stack < len(stacks):
        return "a page was made dirty, and without a stack nobody can say by whom"
    return "a page was made dirty by a path that is not known: " + " < ".join(stacks[stack][:6])

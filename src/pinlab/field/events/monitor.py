"""The objectives of the thread judge a stream of rows: recorded, live, or of the lab.

The automata are those of `pinlab.objectives`; here are only folios, gaps and doubts. Each folio
(in one life in the page cache) has one run of each automaton. A violation stands whatever else
was lost. *Holds* needs a stream without gaps, the tracepoints that the objective lives on, and
events; else it is *inconclusive*, with what was missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pinlab import objectives
from pinlab.field.events.normalise import RAW, maybe_pinned
from pinlab.field.events.schema import Meta, Row
from pinlab.field.events.symbols import Told, told
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.judge import advance
from pinlab.objectives.verdict import Verdict

MODEL: Final = "model"
"""`Row.src` of events that the lab made: they need no tracepoint and are as exact as it is."""

COMPLETE = ("block_rq_complete", "block_bio_complete")
NEEDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "O1": (("block_bio_queue",), COMPLETE),
    "O2": (("writeback_dirty_folio",),),
}
"""The objectives that live events can express, and the tracepoints each lives on (any of each)."""

HISTORY = 16
"""Rows of one folio that are kept for a witness."""

KEPT = 1000
"""Violations that are kept whole; more are only counted."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation: the objective, the event, and the events of the folio that lead to it."""

    objective: str
    row: Row
    witness: tuple[Row, ...]
    """Ends with `row`."""


@dataclass(slots=True)
class _Folio:
    """The automata of one folio, by name, and its last rows."""

    states: dict[str, str]
    history: list[Row] = field(default_factory=list)
    pins: int = 0


@dataclass(slots=True)
class Tally:
    """What one objective came to so far."""

    events: int = 0
    folios: set[int] = field(default_factory=set)
    violations: int = 0
    first: Row | None = None
    doubts: list[str] = field(default_factory=list)
    doubtful: int = 0


class Monitor:
    """Judges row after row."""

    def __init__(self, names: Sequence[str] = tuple(NEEDS), *, writeback: int = 0) -> None:
        """`writeback` is the mask of PG_writeback if only pinned folios are seen, else 0.

        The begin of a writeback is then not seen if the folio was pinned after it.
        """
        self._writeback = writeback
        known = objectives.load()
        self.automata: dict[str, Automaton] = {}
        for name in names:
            objective = known[name]
            if not isinstance(objective, Automaton):
                raise TypeError(f"{name} is no automaton: a stream cannot judge it")
            self.automata[name] = objective
        self._listens = {
            event: tuple(n for n, a in self.automata.items() if a.listens_to(event))
            for event in Event
        }
        self._begin = {name: a.states[0] for name, a in self.automata.items()}
        self._folios: dict[int, _Folio] = {}
        self._next: int | None = None
        self._model = False
        self.tally = {name: Tally() for name in self.automata}
        self.violations: list[Violation] = []
        self.rows = 0
        self.gaps: list[str] = []
        self.disorder = False
        self.first_ns = self.last_ns = 0

    def see(
        self, rows: Iterable[Row], stacks: Sequence[tuple[str, ...]] = ()
    ) -> Iterator[Violation]:
        """Judge a batch; each violation as it happens."""
        for row in rows:
            yield from self._see(row, stacks)

    def _see(self, row: Row, stacks: Sequence[tuple[str, ...]]) -> Iterator[Violation]:
        self._in_order(row)
        self.rows += 1
        self.first_ns = self.first_ns or row.ts_ns
        self.last_ns = max(self.last_ns, row.ts_ns)
        if self.disorder:
            return
        folio = self._folios.get(row.head_pfn)
        if folio is None:
            folio = self._folios[row.head_pfn] = _Folio(dict(self._begin))
        elif row.kind is Event.CACHE_ADD and row.src != MODEL:
            folio.history.clear()
        folio.history.append(row)
        self._count_pins(folio, row)
        for name in self._listens[row.kind]:
            tally = self.tally[name]
            tally.events += 1
            tally.folios.add(row.head_pfn)
            automaton = self.automata[name]
            state = folio.states[name]
            folio.states[name], violated = advance(automaton, state, row.kind)
            if not violated:
                continue
            if state in automaton.saturated:
                self._doubt(tally, row, "pins were beyond counting")
            elif name == "O2" and (reason := _unknown_dirtier(row, stacks)):
                self._doubt(tally, row, reason)
            else:
                tally.violations += 1
                tally.first = tally.first or row
                violation = Violation(name, row, tuple(folio.history[-HISTORY:]))
                if len(self.violations) < KEPT:
                    self.violations.append(violation)
                yield violation
        self._tidy(folio, row)

    def _in_order(self, row: Row) -> None:
        """Find gaps and disorder; after a gap no folio's state is known."""
        if self._next is not None and row.seq < self._next:
            if not self.disorder:
                self.gaps.append(f"row {row.seq} comes after row {self._next - 1}: out of order")
            self.disorder = True
            return
        missing = row.seq - (0 if self._next is None else self._next)
        self._next = row.seq + 1
        if not missing and not row.dropped_before:
            return
        if missing:
            self.gaps.append(f"{missing} rows are missing before row {row.seq}")
        if row.dropped_before:
            self.gaps.append(f"{row.dropped_before} events were lost before row {row.seq}")
        self._folios.clear()
        self._begin = {name: _safe(automaton) for name, automaton in self.automata.items()}

    def _count_pins(self, folio: _Folio, row: Row) -> None:
        """Writeback of a folio that somebody pins whom no tracepoint shows decides nothing."""
        if row.kind is Event.PIN:
            folio.pins += 1
            unseen = row.flags & self._writeback and folio.states.get("O1") == "idle"
            if unseen and row.op == "READ":
                self._doubt(self.tally["O1"], row, "pinned under a writeback whose begin is unseen")
        elif row.kind is Event.UNPIN:
            folio.pins = max(0, folio.pins - 1)
        elif (
            row.kind is Event.WRITEBACK_START
            and row.src == RAW
            and "O1" in self.tally
            and maybe_pinned(row)
            and not folio.pins
        ):
            self._doubt(self.tally["O1"], row, "written back while pinned by an unseen holder")

    def _doubt(self, tally: Tally, row: Row, reason: str) -> None:
        tally.doubtful += 1
        if len(tally.doubts) < 8:
            tally.doubts.append(f"row {row.seq}: {reason}")

    def _tidy(self, folio: _Folio, row: Row) -> None:
        if len(folio.history) > 2 * HISTORY:
            del folio.history[:-HISTORY]
        if row.src == MODEL:
            return
        quiet = not folio.pins and self._quiet(folio)
        if quiet and row.kind in (Event.WRITEBACK_END, Event.CACHE_DEL):
            folio.history.clear()
            if row.kind is Event.CACHE_DEL:
                del self._folios[row.head_pfn]

    def _quiet(self, folio: _Folio) -> bool:
        return folio.states.get("O1", "idle") == "idle"

    # -- verdicts -----------------------------------------------------------------------------

    def verdicts(self, meta: Meta) -> dict[str, Verdict]:
        """The verdict on each objective, of all that was seen."""
        return {name: self._verdict(name, meta) for name in self.automata}

    def _verdict(self, name: str, meta: Meta) -> Verdict:
        tally = self.tally[name]
        seconds = max(0, self.last_ns - self.first_ns) / 1e9
        by = "the lab" if meta.kernel == MODEL else f"raw tracepoints of {meta.kernel}"
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
        if tally.doubts:
            more = f" ({tally.doubtful:,} such)" if tally.doubtful > 1 else ""
            return Verdict.inconclusive(tally.doubts[0] + more, bounds)
        if not tally.events:
            return Verdict.inconclusive("no event was seen that it listens to", bounds)
        return Verdict.holds(bounds)


def _safe(automaton: Automaton) -> str:
    """The state from which nothing violates until more is known; the first if there is none."""
    risky = {state for state, _ in automaton.bad}
    return next((state for state in automaton.states if state not in risky), automaton.states[0])


def _unknown_dirtier(row: Row, stacks: Sequence[tuple[str, ...]]) -> str:
    """Why an O2 violation is none that can be claimed; empty if it can."""
    if row.src == MODEL:
        return ""
    if row.stack_id is None or row.stack_id >= len(stacks):
        return "a page was made dirty by nobody knows whom: there is no stack"
    stack = stacks[row.stack_id]
    if told(stack) is Told.no:
        return ""
    return "a page was made dirty by a path that is not known: " + " < ".join(stack[:6])

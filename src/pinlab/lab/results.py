"""What the lab hands to whoever shows it: frozen values, no machinery behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pinlab import objectives
from pinlab.lab.explore.result import Move, Progress
from pinlab.objectives import Objective
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.balance import Balance
from pinlab.objectives.verdict import (
    EXIT_HOLDS,
    EXIT_UNKNOWN,
    EXIT_VIOLATED,
    Outcome,
    Verdict,
    worst,
)

SC: Final = "sc"
"""Sequential consistency, as `lab.language.program` has it: reports know results alone."""


@dataclass(frozen=True, slots=True)
class Info:
    """One line of `pinlab list`: a design, a scenario or an objective.

    `kind` is "detector" or "policy" for designs; the other lists say what theirs is.
    """

    name: str
    summary: str
    kind: str = ""
    path: str = ""

    @classmethod
    def of(cls, it: Objective) -> Info:
        """The line of an objective."""
        kinds = {Automaton: "safety", Balance: "at rest"}
        return cls(it.name, it.claim, kinds.get(type(it), "progress"))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the model: its source, what it stands for, and where it is used.

    `role` is "kernel", "hook" or "pure"; `lines` are its source, numbered; `kernel` the files of
    the kernel that it models a part of, in `version`; `stands_for` names of the kernel's functions
    that are not its own. `scenarios` can come to it; `designs` of the package replace it.
    """

    name: str
    role: str
    file: str
    lines: tuple[tuple[int, str], ...]
    kernel: tuple[str, ...]
    version: str
    stands_for: tuple[str, ...]
    callers: tuple[str, ...]
    calls: tuple[str, ...]
    scenarios: tuple[str, ...]
    designs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TouchedFunction:
    """A function of C that a patch touches, and those of the model that stand for it. Where none
    does, `named_in` are those whose text speaks of it: they may have a part of it in line."""

    file: str
    name: str
    model: tuple[str, ...]
    named_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Touched:
    """What a patch to the kernel touches, in its order."""

    functions: tuple[TouchedFunction, ...]
    unnamed: tuple[tuple[str, int], ...] = ()
    """Files with changed lines of which the diff does not name the function, and in how many
    hunks."""


@dataclass(frozen=True, slots=True)
class Row:
    """The verdict on one design, objective and scenario, with what it took."""

    design: str
    objective: str
    scenario: str
    verdict: Verdict
    states: int
    transitions: int
    seconds: float
    memory_model: str = SC

    @property
    def steps(self) -> int | None:
        """Steps of the shortest counterexample, if violated."""
        return self.verdict.steps

    @property
    def bounds(self) -> str:
        """What was explored: actors, pages, limits."""
        return self.verdict.bounds

    @property
    def reason(self) -> str:
        """What is missing if unknown, what failed if violated."""
        return self.verdict.reason


@dataclass(frozen=True, slots=True)
class Cost:
    """What a design costs, counted from its program.

    `pin` and `unpin` count what one call does at most, by kind: "atomic_rmw", "locks",
    "allocations", "page_table_walks". `gup_fast` and `irq_unpin` say whether pin ran in
    GUP-fast and unpin in an interrupt without a violation; None: the exploration was cut off.
    """

    design: str
    pin: Mapping[str, int]
    unpin: Mapping[str, int]
    struct_page_bytes: int
    gup_fast: bool | None
    irq_unpin: bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every design against every objective. `stopped` says what ended it early, if anything."""

    rows: tuple[Row, ...]
    costs: tuple[Cost, ...]
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class LitmusAnswer:
    """Whether a state at the end fulfils a litmus test's condition under a memory model:
    `possible`, and `always` if all do. None where a limit ended the exploration before it could
    say."""

    model: str
    possible: bool | None
    always: bool | None
    states: int


@dataclass(frozen=True, slots=True)
class LitmusResult:
    """A litmus test, and its answer under each memory model. `quantifier` is what stands before its
    condition: exists, ~exists or forall."""

    test: str
    file: str
    quantifier: str
    answers: tuple[LitmusAnswer, ...]


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of a counterexample: who executed which line, what it read, what it changed.

    `changes` are (name, old, new) of shared variables, `events` (event, page) with pages
    counted from 1, `reads` (name, value) of shared variables that the step looked at and left as
    they were. `notes` say what a memory model did: what went into a buffer, what became visible,
    what was seen as it had been.
    """

    number: int
    actor: str
    function: str
    file: str
    line: int
    source: str
    changes: tuple[tuple[str, str, str], ...] = ()
    events: tuple[tuple[str, int], ...] = ()
    reads: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A shortest counterexample, replayed by the interpreter.

    `actors` are the columns, in order. `moves` is what it was replayed from, so that it can be
    again. `outcome` is VIOLATED if the replay ended in what it is to show; `message` says in
    words how it ended (a failure's text, or what can no longer happen).
    """

    design: str
    scenario: str
    objective: str
    claim: str
    actors: tuple[str, ...]
    steps: tuple[TraceStep, ...]
    moves: tuple[Move, ...] = ()
    outcome: Outcome = Outcome.VIOLATED
    message: str = ""
    memory_model: str = SC


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which combinations a sweep explores: of `size` operations; each has one of `having` (words of
    operations) and none of `without`, and in each somebody comes to one of the functions
    `touching`. Without `states`, from all that have a name."""

    size: int = 2
    having: str = ""
    without: str = ""
    touching: tuple[str, ...] = ()
    states: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """An objective that a combination of operations breaks. `scenario` is its name, by which
    `explain` shows the run; `how` tells ways apart: the failure, or what is wrong at rest."""

    design: str
    objective: str
    operations: tuple[str, ...]
    state: str
    scenario: str
    how: str
    steps: int
    states: int

    @property
    def way(self) -> tuple[str, tuple[str, ...], str, str]:
        """What two designs have in common that break it alike, in whatever order of CPUs."""
        return self.objective, self.operations, self.state, self.how

    @property
    def place(self) -> tuple[int, int, int, str]:
        """Its place in an order that has the smallest first."""
        return len(self.operations), self.steps, self.states, self.scenario


LEFT_OUT = "what breaks it breaks it without the patch too"
UNCOMPARED = "stopped before it was known whether it breaks without the patch too"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep of a design found in combinations of up to `size` operations.

    `cut_off` are those with too many states, `unexplored` those left when it was stopped. `skipped`
    counts by why what was not asked. In `unplayed` of the combinations some operation never came to
    its goal; in `restless` of them not everybody ever finishes, so there is no rest to be judged.
    `failed` counts the failures that end a run where a kernel would go on, by kind.
    """

    design: str
    size: int
    broken: tuple[Broken, ...]
    objectives: tuple[str, ...]
    explored: int
    states: int
    cut_off: tuple[str, ...] = ()
    unexplored: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    unplayed: int = 0
    restless: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    """Objectives that only combinations break that break without the patch too."""
    unsure: frozenset[str] = frozenset()
    """Objectives that some break, of which nobody knows whether they do without the patch."""
    seconds: float = 0.0
    stopped: str | None = None

    def verdicts(self) -> dict[str, Verdict]:
        """Of each objective, over all combinations. One that may have more in it than was seen is
        unknown, if it is not violated."""
        smallest = self.smallest()
        bounds = f"{self.explored:,} combinations of up to {self.size}, {self.states:,} states"
        missing = [
            f"{len(self.cut_off):,} combinations were cut off" if self.cut_off else "",
            f"{self.unexplored:,} were left when it was stopped" if self.unexplored else "",
            *(f"{times:,} end early with {kind}" for kind, times in self.failed.items()),
        ]
        why = "; ".join(filter(None, missing))
        found = {}
        for name in self.objectives:
            if name in smallest:
                it = smallest[name]
                found[name] = Verdict.violated(it.steps, bounds, reason=it.how)
            elif name in self.left_out:
                found[name] = Verdict.unknown(LEFT_OUT, bounds)
            elif name in self.unsure:
                found[name] = Verdict.unknown(UNCOMPARED, bounds)
            elif why or not self.explored:
                found[name] = Verdict.unknown(why or "no combination was explored", bounds)
            elif self.restless and isinstance(objectives.load().get(name), Balance):
                never = f"in {self.restless:,} of them not everybody ever finished"
                found[name] = Verdict.unknown(never, bounds)
            else:
                found[name] = Verdict.holds(bounds)
        return found

    def uncompared(self, stopped: str) -> Swept:
        """Of a patch, stopped before it was known what is broken without it too: nothing is said to
        be broken by it."""
        unsure = frozenset(it.objective for it in self.broken)
        return replace(self, broken=(), unsure=unsure, stopped=stopped)

    def beyond(self, base: Swept) -> Swept:
        """Without what is broken in `base` too, in the same combination and in the same way."""
        known = {it.way for it in base.broken}
        new = [it for it in self.broken if it.way not in known]
        kinds = {it.how.partition(":")[0] for it in new}
        failed = {kind: times for kind, times in self.failed.items() if kind in kinds}
        left_out = {it.objective for it in self.broken} - {it.objective for it in new}
        return replace(self, broken=tuple(new), failed=failed, left_out=frozenset(left_out))

    @property
    def exit_status(self) -> int:
        """That of its verdicts; what is violated without the patch too does not count."""
        asked = (it for name, it in self.verdicts().items() if name not in self.left_out)
        return worst(asked).exit_status

    def smallest(self) -> dict[str, Broken]:
        """Per objective that is broken, the smallest combination that does it."""
        found: dict[str, Broken] = {}
        for each in sorted(self.broken, key=lambda each: each.place):
            found.setdefault(each.objective, each)
        return {name: found[name] for name in self.objectives if name in found}


@dataclass(frozen=True, slots=True)
class First:
    """The first combination, in the order of a sweep, that breaks an objective which it does not
    break in another design; and how many were explored to come to it.

    `cut_off` are those with too many states, in either design; `failed` counts failures that end a
    run where a kernel would go on, by kind.
    """

    broken: Broken | None
    size: int
    """Operations of the combination, or of the largest that were explored."""
    explored: int
    states: int
    cut_off: tuple[str, ...] = ()
    failed: Mapping[str, int] = field(default_factory=dict)
    stopped: str | None = None

    @property
    def found(self) -> bool | None:
        """Whether there is one; None if that is not known."""
        if self.broken is not None:
            return True
        return None if self.missing else False

    @property
    def missing(self) -> str:
        """Why it is not known whether there is one; "" if it is known."""
        if self.broken is not None:
            return ""
        said = [f"stopped: {self.stopped}"] if self.stopped else []
        said += [f"{len(self.cut_off):,} cut off"] if self.cut_off else []
        said += [f"{times:,} end early with {kind}" for kind, times in self.failed.items()]
        said += [] if self.explored or said else ["no combination was explored"]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many combinations there are, and how many seconds of one core they take, from `sampled`
    of them drawn at random."""

    combinations: int
    seconds: float
    sampled: int


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that a design replaces: its own lines, numbered, and those of its world."""

    name: str
    role: str
    file: str
    lines: tuple[tuple[int, str], ...]
    before: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a design beside its verdicts: what it replaces; what the whole sweep found,
    None if there was none; and the rows under other memory models, of those that were asked."""

    hooks: tuple[Hook, ...]
    swept: Swept | None
    models: Mapping[str, tuple[Row, ...]]


OnSweep = Callable[[int, int], None]
"""Told how many combinations are done, of how many."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of model or design; in a coverage report one that was never executed."""

    file: str
    line: int
    function: str
    source: str


@dataclass(frozen=True, slots=True)
class Way:
    """One of the ways in which an objective is violated: the line whose step does it, and a
    shortest run to there, which `trace` makes. `function` is empty where no step does it, as in a
    deadlock, or if the objective can never come true from some state on. `about` tells failures of
    one line apart."""

    objective: str
    scenario: str
    steps: int
    function: str
    file: str
    line: int
    trace: Callable[[], Trace]
    about: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure that an exploration met: its kind and what it is about, and the steps to it."""

    objective: str
    scenario: str
    failure: str
    steps: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One design against objectives and scenarios.

    `traces` makes, when called, the counterexample of a violated (objective, scenario).
    `ways` are all that differ, nearest first, if they were asked for; `uncovered` is None unless
    coverage was. `failures` are told apart where one verdict stands for several; in the scenarios
    `unfinished` there may be more.
    """

    design: str
    rows: tuple[Row, ...]
    traces: Mapping[tuple[str, str], Callable[[], Trace]] = field(default_factory=dict)
    uncovered: tuple[Line, ...] | None = None
    stopped: str | None = None
    ways: tuple[Way, ...] = ()
    failures: tuple[Failed, ...] = ()
    unfinished: frozenset[str] = frozenset()

    @property
    def verdict(self) -> Verdict:
        """What all rows come to."""
        return worst(row.verdict for row in self.rows)


_KNOWN = (Outcome.HOLDS, Outcome.VIOLATED)


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that a patch changes. None where the objective was not judged: the scenario does
    not ask for it, and no failure that violates it was met."""

    objective: str
    scenario: str
    before: Verdict | None
    after: Verdict | None

    @property
    def broke(self) -> bool:
        """Whether something is violated that was known not to be."""
        return self._held and self.after is not None and self.after.outcome is Outcome.VIOLATED

    @property
    def opened(self) -> bool:
        """Whether something held and nobody knows whether it still does, or is violated and
        nobody knows whether it was."""
        if self._held:
            return self.after is not None and self.after.outcome not in _KNOWN
        was_known = self.before is not None and self.before.outcome in _KNOWN
        return not was_known and self.after is not None and self.after.outcome is Outcome.VIOLATED

    @property
    def _held(self) -> bool:
        return self.before is None or self.before.outcome is Outcome.HOLDS


@dataclass(frozen=True, slots=True)
class NewFailure:
    """A failure that a patch brings where its objective was violated anyway. Not `known` to be new
    if what it builds on was not explored to the end."""

    failed: Failed
    known: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What a patch changes: its verdicts beside those of `base`, what it builds on.

    `verdicts` were compared, in `scenarios` that were explored to `states`. `stopped` says what
    ended either of the two early, if anything. `unsaid` are functions with an event that they no
    longer say: what objectives make of that is not known. `failures` stand behind verdicts that
    are the same.
    """

    base: str
    changes: tuple[Change, ...]
    verdicts: int
    scenarios: int
    states: int
    stopped: str | None = None
    unsaid: tuple[tuple[str, str], ...] = ()
    failures: tuple[NewFailure, ...] = ()

    @property
    def broke(self) -> bool:
        """Whether anything is violated, or fails in a way, that was known not to."""
        changed = any(change.broke for change in self.changes)
        return changed or any(new.known for new in self.failures)

    @property
    def exit_status(self) -> int:
        """1 if the patch broke something, 3 if that cannot be told, else 0."""
        if self.broke:
            return EXIT_VIOLATED
        if self.stopped or self.unsaid or self.failures:
            return EXIT_UNKNOWN
        return EXIT_UNKNOWN if any(change.opened for change in self.changes) else EXIT_HOLDS


@dataclass(frozen=True, slots=True)
class Activity:
    """A report while checking: job `done` of `total` is running (or all are done).

    `progress` are the figures of the exploration under way, None when it begins or ends. `rows`
    are the verdicts of a job that has just ended.
    """

    design: str
    scenario: str
    done: int
    total: int
    progress: Progress | None = None
    rows: tuple[Row, ...] = ()


OnActivity = Callable[[Activity], None]

"""Check designs: the face of the lab.

design + scenario -> system -> explorer -> verdicts, one per objective that the scenario judges.
"""

from __future__ import annotations

import inspect
import linecache
import os
import pathlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from pinlab import objectives as objectives_
from pinlab.errors import UsageError
from pinlab.garbage import uncollected
from pinlab.lab import asked, build, kept, ledger, worlds
from pinlab.lab import cluster as clusters
from pinlab.lab import cost as costs
from pinlab.lab import design as designs_
from pinlab.lab import difference as difference_
from pinlab.lab import sweep as sweep_
from pinlab.lab import verdicts as verdicts_
from pinlab.lab.catalogue import function as function
from pinlab.lab.catalogue import functions as functions
from pinlab.lab.catalogue import hooks
from pinlab.lab.cluster import Cluster, Lost
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, room
from pinlab.lab.explore.result import Exploration, Limits, Path, Progress
from pinlab.lab.film import Film
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.language.program import SC, System
from pinlab.lab.language.source import LanguageError
from pinlab.lab.mutants.results import Score
from pinlab.lab.orders import orders
from pinlab.lab.patch import patch as patch
from pinlab.lab.processes import as_finished, in_processes
from pinlab.lab.results import (
    Activity,
    CheckResult,
    Comparison,
    Cost,
    Difference,
    Estimate,
    Failed,
    Info,
    Known,
    Line,
    LitmusResult,
    OnActivity,
    OnSweep,
    Row,
    Swept,
    Trace,
    Wanted,
    Way,
)
from pinlab.lab.scenarios.scenario import ReachFunction, Scenario
from pinlab.lab.sent import Sent, received, sent
from pinlab.lab.touched import touched as touched
from pinlab.lab.trace import replay, short
from pinlab.lab.verdicts import FAILURE, judge, reached
from pinlab.lab.weak import MODELS
from pinlab.lab.world import World
from pinlab.nearest import nearest
from pinlab.objectives import Objective
from pinlab.objectives.balance import Balance
from pinlab.objectives.failures import FAILURES, failures_of
from pinlab.objectives.verdict import Verdict

load_world = worlds.load
cluster = clusters.joined


def world_names() -> tuple[str, ...]:
    """The names of all worlds, the default one first."""
    return tuple(worlds.WORLDS)


def designs(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every design of a world: detectors, then policies."""
    return tuple(
        Info(d.name, d.summary.removeprefix(f"{d.name}: "), d.kind, short(d.path))
        for d in map(designs_.load, designs_.names(world))
    )


def described(it: Design) -> Info:
    """A design in a line; `path` is what `load` takes for it, if that is not its name."""
    word = "" if it.word == it.name else it.word
    return Info(it.name, it.summary.removeprefix(f"{it.name}: "), it.kind, word)


def scenarios(of: Design | World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every scenario of a world, or of a design: its world's and those that it brings."""
    known = of.scenarios() if isinstance(of, World) else asked.scenarios(of)
    return tuple(
        Info(
            s.name,
            f"{s.summary}; only by name: {s.misuse}" if s.misuse else s.summary,
            f"probe of {s.probes}" if s.probes else ", ".join(s.judges),
        )
        for s in known.values()
    )


def operations(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """Every operation of a world, with what may stand behind its name."""
    return tuple(
        Info(
            " ".join(f"{it.name}@{place}" for place in it.places) or it.name,
            f"{it.summary}; in a sweep only if named: {it.misuse}" if it.misuse else it.summary,
            "operation",
        )
        for it in world.operations.values()
    )


def states(world: World = worlds.DEFAULT) -> tuple[Info, ...]:
    """The words that states are said in, and the states that operations are played from."""
    words = [Info(word, meaning, "word") for word, meaning in world.words.items()]
    played = (Info(each, "operations are played from it", "state") for each in world.states)
    return (*words, *played)


def combinations(design: Design, operations: str, words: str | None) -> tuple[str, ...]:
    """The scenarios of some operations of the design's world, by name, from one state or from each
    that fits. Raises UsageError if there is none."""
    return asked.combinations(operations, words, design.world)


def objectives(design: Design | None = None) -> Mapping[str, Objective]:
    """Every objective of the thread, and those that the design brings, by name."""
    return objectives_.load() if design is None else build.objectives_of(design)


def brought(design: Design) -> Mapping[str, tuple[Info, ...]]:
    """What a design replaces and adds: functions, fields, scenarios, objectives."""
    played = {s.name: s for s in scenarios(design)}
    return {
        "functions": tuple(
            Info(name, (inspect.getdoc(f.function) or "").partition("\n")[0], f.role, _place(f))
            for name, f in design.own.items()
        ),
        "fields": tuple(
            Info(name, f"+{bytes} B", "per_page") for name, bytes in design.fields.items()
        ),
        "scenarios": tuple(played[name] for name in design.scenarios),
        "objectives": tuple(map(Info.of, design.objectives.values())),
    }


def _place(function: KernelFunction) -> str:
    code = function.function.__code__
    return f"{short(code.co_filename)}:{code.co_firstlineno}"


def load_design(name_or_path: str) -> Design:
    """A design by name, by DETECTOR+POLICY or from a file. Raises UsageError."""
    return _usable(designs_.load(name_or_path))


def _usable(found: Design) -> Design:
    """The design, of which everything fits. Raises UsageError."""
    design = _compiled(found)
    for scenario in design.scenarios.values():
        _refuse_goals(design, scenario)
    return design


def _compiled(design: Design) -> Design:
    """The design, which can be compiled and played. Raises UsageError if it cannot."""
    try:
        build.program(design)
    except LanguageError as error:
        raise UsageError(str(error)) from error
    for scenario in design.scenarios.values():
        build.system(design, scenario, {})  # refuses what does not fit the model
    return design


def _refuse_goals(design: Design, scenario: Scenario) -> None:
    """A misspelt function is never reached, and why would not be plain to see."""
    functions = build.program(design).calls.keys() | design.world.functions.keys()
    for goal in scenario.reach:
        if isinstance(goal, ReachFunction) and goal.function not in functions:
            hint = nearest(goal.function, functions)
            raise UsageError(
                f"scenario {scenario.name}: reach: there is no function {goal.function!r}: {hint}"
            )


# ------------------------------------------------------------------------------- one design


@uncollected()
def check(
    design: Design,
    scenarios: tuple[str, ...] | None = None,
    objectives: tuple[str, ...] | None = None,
    *,
    limits: Limits | None = None,
    engine: str = "auto",
    memory_model: str = SC,
    coverage: bool = False,
    ways: bool = False,
    on_progress: OnActivity | None = None,
) -> CheckResult:
    """Explore the scenarios that judge the objectives asked for; None stands for all. What the
    probes say of a design they say of it under sequential consistency, whatever the memory model.

    Raises UsageError if no scenario judges one of them. Ctrl-C ends with what was found so far,
    and what it left open is unknown. Memory is limited to what the machine has to spare.
    """
    is_whole = scenarios is None and objectives is None and limits in (None, Limits())
    limits = room.bounded(limits)
    wanted = _chosen(design, scenarios, objectives)
    chosen, rows = _ordered(design, wanted, scenarios, objectives, memory_model)
    probed = probe(design, limits, engine)
    stopped = probed.stopped if probed.stopped == choose.INTERRUPTED else None
    why = _undecided(design, probed)
    traces: dict[tuple[str, str], Callable[[], Trace]] = {}
    different: list[Way] = []
    failures: list[Failed] = []
    unfinished: set[str] = set()
    covered: set[int] = set()
    done = 0
    try:
        for scenario in () if why or stopped else chosen:
            judged = _judged(scenario, objectives)
            report = _reporter(on_progress, design, scenario, done, len(chosen))
            try:
                it = build.system(design, scenario, probed.known, judged, memory_model)
                audit = build.audit(design, scenario, judged)
            except UsageError as error:
                if scenarios is not None:
                    raise
                rows += _unasked(design, (scenario,), objectives, str(error), memory_model)
                done += 1
                continue
            goals = build.progress(design, scenario, judged)
            found = ledger.explore(
                it, limits, goals, report, engine=engine, everywhere=ways, audit=audit
            )
            rests = audit is None or audit.was_asked
            verdicts = list(judge(design, scenario, judged, it, found, objectives, rests=rests))
            own = tuple(row for row, _ in verdicts)
            rows += own
            traces |= _traces(design, verdicts)
            different += _ways(design, it, found, own) if ways else ()
            failures += _failures(scenario, found, objectives)
            unfinished |= set() if found.complete else {scenario.name}
            covered |= found.covered
            done += 1
            if on_progress is not None:
                on_progress(Activity(design.name, scenario.name, done, len(chosen), rows=own))
            if found.stopped == choose.INTERRUPTED:
                stopped = found.stopped
                break
    except KeyboardInterrupt:  # between explorations, or while one was prepared
        stopped = choose.INTERRUPTED
    left = chosen[done:]
    rows += _unasked(design, left, objectives, why or f"stopped: {stopped}", memory_model)
    if is_whole and stopped is None:
        kept.keep_rows(kept.place(design, memory_model), rows)
    return CheckResult(
        design=design.name,
        rows=tuple(rows),
        traces=traces,
        uncovered=uncovered(design, chosen, covered) if coverage else None,
        stopped=stopped,
        ways=_nearest(different),
        failures=tuple(failures),
        unfinished=frozenset(unfinished | {scenario.name for scenario in chosen[done:]}),
    )


def _failures(
    scenario: Scenario, found: Exploration, objectives: tuple[str, ...] | None
) -> Iterator[Failed]:
    for (kind, about), path in found.failures.items():
        objective = FAILURES[kind]
        if objectives is None or objective in objectives:
            what = f"{kind}: {about}" if about else kind
            yield Failed(objective, scenario.name, what, len(path))


def _ways(design: Design, it: System, found: Exploration, rows: Iterable[Row]) -> Iterator[Way]:
    for row in rows:
        for path, place, about in verdicts_.ways(row.objective, found):
            node = it.program.nodes[place]
            model = it.program.memory_model
            make = partial(trace, design, row.scenario, row.objective, path, model)
            file = short(node.file) if place else ""
            where = node.function, file, node.line
            yield Way(row.objective, row.scenario, len(path), *where, make, about)


def _nearest(ways: Iterable[Way]) -> tuple[Way, ...]:
    """Of those that end alike at the same line the shortest one."""
    found: dict[tuple[str, str, int, str], Way] = {}
    for way in sorted(ways, key=lambda way: (way.steps, way.scenario)):
        found.setdefault((way.objective, way.file, way.line, way.about), way)
    return tuple(found.values())


def _traces(
    design: Design, verdicts: Iterable[tuple[Row, Path | None]]
) -> dict[tuple[str, str], Callable[[], Trace]]:
    return {
        (row.objective, row.scenario): partial(
            trace, design, row.scenario, row.objective, path, row.memory_model
        )
        for row, path in verdicts
        if path is not None
    }


def _ordered(
    design: Design,
    chosen: Iterable[Scenario],
    names: tuple[str, ...] | None,
    objectives: tuple[str, ...] | None,
    memory_model: str,
) -> tuple[tuple[Scenario, ...], list[Row]]:
    """The scenarios in every order that matters. Of one with too many the rows are unknown; if it
    was asked for by name, that is a UsageError."""
    found: list[Scenario] = []
    rows: list[Row] = []
    for scenario in chosen:
        try:
            found += tuple(orders(design, scenario))
        except UsageError as error:
            if names is not None:
                raise
            rows += _unasked(design, (scenario,), objectives, str(error), memory_model)
    return tuple(found), rows


def _undecided(design: Design, probed: Probed) -> str:
    """Why the design's scenarios cannot be set up: keys that they look at are not known."""
    used = {var.name for var in build.program(design).vars}
    names = [name for name, value in probed.keys.items() if value is None and name in used]
    return f"the probe of {', '.join(names)} was cut off: {probed.stopped}" if names else ""


def _unasked(
    design: Design,
    chosen: Iterable[Scenario],
    objectives: tuple[str, ...] | None,
    why: str,
    memory_model: str,
) -> tuple[Row, ...]:
    return tuple(
        Row(design.name, objective, scenario.name, Verdict.unknown(why), 0, 0, 0.0, memory_model)
        for scenario in chosen
        for objective in _judged(scenario, objectives)
    )


def _chosen(
    design: Design, names: tuple[str, ...] | None, objectives: tuple[str, ...] | None
) -> tuple[Scenario, ...]:
    known = asked.scenarios(design)
    played = {name: asked.named(design, name) for name in names or () if asked.COMBINED in name}
    known |= {it.name: it for it in played.values()}
    if names is not None:
        names = tuple(played[name].name if name in played else name for name in names)
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no scenario {name!r}: {nearest(name, known)}")
        if known[name].probes:
            raise UsageError(
                f"{name} judges no objective: it is a probe, which every check runs by itself; "
                "`pinlab compare` shows what the probes found"
            )
    chosen = tuple(
        s
        for s in known.values()
        if not s.probes
        and (not s.misuse if names is None else s.name in names)
        and (objectives is None or _judged(s, objectives) or failure_kinds(objectives))
    )
    judged = {o for s in chosen for o in s.judges}
    for objective in objectives or ():
        if objective not in judged and not failures_of(objective):
            raise UsageError(_nobody_judges(objective, names, known.values()))
    if objectives is not None:
        direct = tuple(s for s in chosen if _judged(s, objectives))
        return direct or chosen
    return chosen


def _nobody_judges(objective: str, names: tuple[str, ...] | None, known: Iterable[Scenario]) -> str:
    """Why an objective cannot be asked for in scenarios `names` (None: all), and where it can."""
    judges = [s.name for s in known if objective in s.judges]
    if not names or not judges:
        if isinstance(objectives_.load().get(objective), Balance):
            return (
                f"no scenario judges {objective}: it is asked of operations, by `pinlab sweep`, or "
                "of some with --scenario OPERATIONS/STATE"
            )
        return f"no scenario judges {objective}; `pinlab list scenarios` shows what each one judges"
    verb = "does not" if len(names) == 1 else "do not"
    return f"{', '.join(names)} {verb} judge {objective}; these do: {', '.join(judges)}"


def failure_kinds(objectives: Iterable[str]) -> tuple[str, ...]:
    """The failures that violate any of `objectives`."""
    return tuple(kind for o in objectives for kind in failures_of(o))


def _judged(scenario: Scenario, objectives: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(o for o in scenario.judges if objectives is None or o in objectives)


def _reporter(
    on_progress: OnActivity | None, design: Design, scenario: Scenario, done: int, total: int
) -> Callable[[Progress], None] | None:
    if on_progress is None:
        return None
    on_progress(Activity(design.name, scenario.name, done, total))

    def report(progress: Progress) -> None:
        on_progress(Activity(design.name, scenario.name, done, total, progress))

    return report


@dataclass(frozen=True, slots=True)
class Probed:
    """The static keys that a design's own behaviour decides: whether its pin runs in GUP-fast,
    whether its unpin runs in an interrupt. Explored, not declared."""

    keys: Mapping[str, int | None]
    """None: the exploration was cut off before it could say."""
    stopped: str | None = None
    """What cut it off."""

    @property
    def known(self) -> dict[str, int]:
        """The keys that are decided."""
        return {name: value for name, value in self.keys.items() if value is not None}


def probe(design: Design, limits: Limits | None = None, engine: str = "auto") -> Probed:
    """Explore the probes. Only sleeping where nothing may sleep says no: any other failure is a
    fault of the design's, which is not to be hidden by leaving the path out."""
    program = build.program(design)
    if id(program) in _probed:
        return _probed[id(program)]
    keys: dict[str, int | None] = {}
    stopped = None
    for key, scenario in _probes(design.world).items():
        it = build.system(design, scenario, {key: 1})
        found = ledger.explore(it, limits, engine=engine)
        keys[key] = _answer(scenario, it, found)
        if keys[key] is None:
            stopped = stopped or found.stopped
    probed = Probed(keys, stopped)
    if stopped is None:
        _probed[id(program)] = probed
    return probed


def _answer(scenario: Scenario, it: System, found: Exploration) -> int | None:
    if FAILURE + "atomic-sleep" in found.hits:
        return 0
    if any(hit.startswith(FAILURE) for hit in found.hits):
        return 1  # broken, but not by where it runs: the scenarios that take this way say how
    if not found.complete:
        return None
    return int(all(reached(goal, it, found) for goal in scenario.reach))


_probed: dict[int, Probed] = {}
"""Answers of the probes by program; `build` keeps every program it has made."""


def trace(
    design: Design, scenario: str, objective: str, path: Path, memory_model: str = SC
) -> Trace:
    """Replay a counterexample. Raises UsageError if it does not exist any more."""
    where = asked.named(design, scenario)
    judged = (objective,) if objective in where.judges else ()
    return replay(
        build.system(design, where, probe(design).known, judged, memory_model),
        path,
        design=design.name,
        scenario=scenario,
        objective=objective,
        claim=objectives(design)[objective].claim,
        show=design.world.show,
        progress=build.progress(design, where, judged),
        audit=build.audit(design, where, judged),
    )


def uncovered(
    design: Design, chosen: tuple[Scenario, ...], covered: Iterable[int]
) -> tuple[Line, ...]:
    """The lines of model and design that could run in the scenarios but never did."""
    program = build.program(design)
    nodes, functions = program.nodes, build.called(program, chosen)
    own = (nodes[pc] for pc in covered if pc < len(nodes))  # a memory model's are behind them
    executed = {(node.file, line) for node in own for line in node.lines}
    every = {
        (node.file, line): node.function
        for node in nodes
        if node.function in functions
        for line in node.lines
    }
    return tuple(
        Line(short(file), line, every[file, line], linecache.getline(file, line).strip())
        for file, line in sorted(every.keys() - executed)
    )


def cost(design: Design, limits: Limits | None = None) -> Cost:
    """What a design costs, counted from its program; a pin that may not run in GUP-fast, as far
    as is known within `limits`, is counted as one that does not. Raises UsageError if its world
    has no probe to count along."""
    if not is_counted(design.world):
        raise UsageError(f"the world {design.world.name} has no probe to count a pin along")
    probes = _probes(design.world)
    keys = probe(design, limits).keys
    pinning = "gup_fast_works" if keys.get("gup_fast_works") else "slow_pin_works"
    return costs.cost(design, probes[pinning], probes["slow_pin_works"], keys)


def is_counted(world: World) -> bool:
    """Whether costs of its designs can be counted."""
    return "slow_pin_works" in _probes(world)


def _probes(world: World) -> dict[str, Scenario]:
    return {it.probes: it for it in world.scenarios().values() if it.probes}


def base(design: Design) -> Design | None:
    """What a patch builds on, asked what the patch brings; None if the design is no patch."""
    if design.base is not None:
        load_design(design.base)  # refuses what does not fit the model
    below = designs_.below(design)
    return None if below is None else _compiled(below)


def difference(patch: Design, before: CheckResult, after: CheckResult) -> Difference:
    """What a patch changes: `after` are its verdicts, `before` those of what it builds on."""
    below = base(patch)
    unsaid = () if below is None else tuple(difference_.unsaid(patch, below))
    return replace(difference_.difference(before, after), unsaid=unsaid)


# ------------------------------------------------------------------------------- operations


def sweep(
    design: Design,
    wanted: Wanted,
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    there: Cluster | None = None,
    on_sweep: OnSweep | None = None,
) -> Swept:
    """Every combination of operations from every state, on some processes or on a cluster, whose
    nodes have what memory they have to spare. Of a patch: what reaches the functions that it
    replaces, and of that what is not broken without it. Raises UsageError."""
    below = base(design)
    workers = jobs or os.cpu_count() or 1
    is_whole = below is None and wanted == Wanted() and limits in (None, Limits())
    limits = _ending(room.bounded(limits, workers) if there is None else limits)

    def run(it: Design, keys: Mapping[str, int], asked_for: sweep_.Asked) -> Swept:
        away = None
        if there is not None:
            away = sweep_.Away(there, sent(design, below if it is below else None))
        return sweep_.sweep(
            it, keys, asked_for, limits=limits, jobs=workers, away=away, on_sweep=on_sweep
        )

    asked_for = _asked(design, wanted)
    found = run(design, probe(design).known, asked_for)
    if is_whole and not found.stopped:
        kept.keep_swept(design, found)
    if below is None or not found.broken:
        return found
    if found.stopped:
        return found.uncompared(found.stopped)
    before = run(below, probe(below).known, sweep_.only(asked_for, found.broken))
    return found.uncompared(before.stopped) if before.stopped else found.beyond(before)


def estimate(design: Design, wanted: Wanted, *, limits: Limits | None = None) -> Estimate:
    """How many combinations there are, and how long they take, from a sample. Raises UsageError."""
    return sweep_.estimate(design, probe(design).known, _asked(design, wanted), _ending(limits))


def _ending(limits: Limits | None) -> Limits:
    """The limits of a combination that is swept: MAX_STATES if nothing is said."""
    found = limits or Limits()
    return replace(found, max_states=found.max_states or sweep_.MAX_STATES)


def _asked(design: Design, wanted: Wanted) -> sweep_.Asked:
    if base(design) is not None and not wanted.touching:
        wanted = replace(wanted, touching=tuple(design.own))
    return sweep_.ask(design, wanted)


def mutate(
    design: Design,
    functions: Sequence[str] = (),
    *,
    hunting: bool = True,
    jobs: int | None = None,
    on_asked: Callable[[int, int], None] | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Score:
    """What would be noticed of mutants of a design's own functions, or of the model's if it has
    none; of all, or of those named. Without `hunting` only what is known already. Raises
    UsageError."""
    from pinlab.lab.mutants import score

    wanted = score.chosen(design, functions)
    workers = jobs or os.cpu_count() or 1

    def keys(of: Design) -> Mapping[str, int]:
        return probe(of).known

    return score.score(design, wanted, keys, workers, on_asked, on_done, hunting=hunting)


def racing(design: Design, trace: Trace) -> str | None:
    """The racing part of a counterexample as a litmus test; None if it has none."""
    from pinlab.lab.litmus.racing import racing as found  # its parser takes a while to import

    where = asked.named(design, trace.scenario)
    judged = (trace.objective,) if trace.objective in where.judges else ()
    it = build.system(design, where, probe(design).known, judged, trace.memory_model)
    return found(it, trace.moves, f"{trace.design}-{trace.objective}")


def film(design: Design, trace: Trace) -> Film:
    """A counterexample with what is between its steps, and which of them it needs."""
    from pinlab.lab.film import frames, races

    where = asked.named(design, trace.scenario)
    judged = (trace.objective,) if trace.objective in where.judges else ()
    it = build.system(design, where, probe(design).known, judged, trace.memory_model)
    why = races.why(it, trace, build.audit(design, where, judged))
    return replace(frames.film(it, trace, design.world.show), why=why)


Shown = tuple[Design, str, str]
"""A design, an objective that it breaks, and the scenario in which it does."""


def films(
    asked_for: Sequence[Shown],
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> tuple[Film | None, ...]:
    """The film of the shortest counterexample of each, on some processes; None if there is none
    within the limits. Ctrl-C goes through."""
    workers = jobs or os.cpu_count() or 1
    work = partial(_filmed, room.bounded(limits, workers))
    found: list[Film | None] = []
    with closing(in_processes(work, asked_for, workers)) as parts:
        for each in parts:
            found.append(each)
            if on_done is not None:
                on_done(len(found), len(asked_for))
    return tuple(found)


def _filmed(limits: Limits, shown: Shown) -> Film | None:
    it, objective, scenario = shown
    found = check(it, (scenario,), (objective,), limits=limits, ways=True)
    return film(it, found.ways[0].trace()) if found.ways else None


def known(design: Design) -> Known:
    """What was found of a design before, beside its verdicts under sequential consistency."""
    models = {model: kept.rows(design, model) for model in MODELS}
    return Known(
        hooks=hooks(design),
        swept=kept.swept(design),
        models={model: rows for model, rows in models.items() if rows},
    )


def litmus(path: pathlib.Path, max_states: int | None = None) -> LitmusResult:
    """What the litmus test in a file may come to under each memory model. Raises UsageError."""
    from pinlab.lab.litmus.run import run  # its parser takes a while to import

    return run(path, max_states)


# ----------------------------------------------------------------------------- many designs


def compare(
    designs: tuple[str, ...] | None = None,
    *,
    world: World = worlds.DEFAULT,
    limits: Limits | None = None,
    jobs: int | None = None,
    memory_model: str = SC,
    there: Cluster | None = None,
    on_progress: OnActivity | None = None,
) -> Comparison:
    """Check many designs of one world (None: all of `world`), one process per processor, or on a
    cluster.

    Rows come in the order of designs, whatever finishes first. Ctrl-C ends with what is done. The
    processes share the memory that the machine has to spare. Raises UsageError for designs of two
    worlds, and for one that no scenario asks anything of.
    """
    chosen = designs or designs_.names(world)
    loaded = [designs_.load(name) for name in chosen]  # what cannot be loaded is said at once
    _refuse_incomparable(chosen, loaded)
    named = [it.name for it in loaded]
    if twice := [name for name in named if named.count(name) > 1]:
        raise UsageError(f"two designs are called {twice[0]}: leave one out, or rename its file")
    workers = min(jobs or os.cpu_count() or 1, len(chosen))
    how = _How(room.bounded(limits, workers) if there is None else limits, memory_model)
    results: dict[str, tuple[tuple[Row, ...], Cost | None]] = {}
    stopped = None
    if on_progress is not None:
        on_progress(Activity(chosen[0], "", 0, len(chosen)))
    try:
        with closing(_compared(loaded, how, workers, there)) as parts:
            for number, (rows, counted, at) in parts:
                name = chosen[number]
                results[name] = (tuple(replace(row, design=named[number]) for row in rows), counted)
                if limits in (None, Limits()):
                    kept.keep_rows(at, results[name][0])
                if on_progress is not None:
                    on_progress(Activity(name, "", len(results), len(chosen), rows=rows))
    except (KeyboardInterrupt, Lost) as error:
        open_ = ", ".join(name for name in chosen if name not in results)
        stopped = f"{str(error) or choose.INTERRUPTED} before {open_}"
    done = [results[name] for name in chosen if name in results]
    return Comparison(
        rows=tuple(row for rows, _ in done for row in rows),
        costs=tuple(cost for _, cost in done if cost is not None),
        stopped=stopped,
    )


def _refuse_incomparable(names: Sequence[str], designs: Sequence[Design]) -> None:
    first = designs[0]
    for it in designs:
        if it.world is not first.world:
            raise UsageError(
                f"{it.name} is of the world {it.world.name}, and {first.name} of "
                f"{first.world.name}: compare designs of one world"
            )
    for name, it in zip(names, designs, strict=True):
        if not build.known(it):
            raise UsageError(
                f"the world {it.world.name} has no scenarios yet, so there is nothing to compare "
                f"{it.name} by: use `pinlab sweep {name}`"
            )


@dataclass(frozen=True, slots=True)
class _How:
    """In which limits designs are compared, and under which memory model."""

    limits: Limits | None
    memory_model: str


_Compared = tuple[tuple[Row, ...], Cost | None, bytes | None]
"""What a design breaks, what it costs, and where that is kept: known where its program is."""


def _compared(
    designs: Sequence[Design], how: _How, jobs: int, there: Cluster | None
) -> Generator[tuple[int, _Compared], None, None]:
    """Number and result of each design, as they are finished here, or on a cluster."""
    if there is None:
        yield from as_finished(partial(_one, how), designs, jobs)
        return
    with closing(there.run(f"{__name__}:prepare", how, [sent(it) for it in designs])) as parts:
        yield from enumerate(parts)


def prepare(how: _How) -> Callable[[Sent], _Compared]:
    """On a node: who checks a design. Raises UsageError if it is not what was sent."""
    limits = room.bounded(how.limits, os.cpu_count() or 1)
    there = replace(how, limits=limits)
    return lambda it: _one(there, received(it))


def _one(how: _How, it: Design) -> _Compared:
    design = _usable(it)
    found = check(design, limits=how.limits, memory_model=how.memory_model)
    counted = cost(design, how.limits) if is_counted(design.world) else None
    return found.rows, counted, kept.place(design, how.memory_model)

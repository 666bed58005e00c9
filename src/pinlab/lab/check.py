"""Check a design: the scenarios that judge the objectives asked for.

design + scenario -> system -> explorer -> verdicts, one per objective that the scenario judges.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from pinlab import objectives as objectives_
from pinlab.errors import UsageError
from pinlab.garbage import uncollected
from pinlab.lab import asked, build, kept, ledger
from pinlab.lab import verdicts as verdicts_
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, room
from pinlab.lab.explore.result import Exploration, Limits, Path, Progress
from pinlab.lab.language.program import SC, System
from pinlab.lab.orders import orders
from pinlab.lab.probes import Probed, probe
from pinlab.lab.results import Activity, CheckResult, Failed, Line, OnActivity, Row, Trace, Way
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.trace import replay, short
from pinlab.lab.verdicts import judge
from pinlab.nearest import nearest
from pinlab.objectives.balance import Balance
from pinlab.objectives.failures import FAILURES, failures_of
from pinlab.objectives.verdict import Verdict


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
        claim=build.objectives_of(design)[objective].claim,
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

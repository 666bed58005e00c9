"""Small results to render: made up, but of the true shapes."""

from __future__ import annotations

from pinlab.lab.explore.result import Move
from pinlab.lab.results import (
    Activity,
    Broken,
    Change,
    CheckResult,
    Comparison,
    Cost,
    Difference,
    Info,
    Line,
    Row,
    Swept,
    Trace,
    TraceStep,
    Way,
)
from pinlab.objectives.verdict import Verdict

BOUNDS = "3 CPUs, 1 device, 1 page, 2 PTEs"

ROWS = (
    Row("untracked", "O1", "dio-fsync", Verdict.violated(9, BOUNDS), 1200, 2400, 0.25),
    Row("untracked", "I13", "dio-fsync", Verdict.holds(BOUNDS), 1200, 2400, 0.25),
    Row("mapcount-v1", "O1", "dio-fsync", Verdict.holds(BOUNDS), 2885, 6000, 0.5),
    Row("mapcount-v1", "I13", "dio-fsync", Verdict.holds(BOUNDS), 2885, 6000, 0.5),
    Row("mapcount-v1", "I13", "dio-fsync-zap", Verdict.violated(23, BOUNDS), 9000, 20000, 1.0),
    Row(
        "mapcount-v1",
        "I12",
        "dio-fsync-zap",
        Verdict.unknown("more than 9,000 states", BOUNDS),
        9000,
        20000,
        1.0,
    ),
)

FINISHED = {
    "check": Activity("mapcount-v1", "dio-fsync-zap", 2, 2, rows=ROWS[4:]),
    "compare": Activity("mapcount-v1", "", 2, 2, rows=ROWS[2:]),
}

COSTS = (
    Cost("untracked", {"atomic_rmw": 1}, {"atomic_rmw": 1}, 0, True, True),
    Cost("mapcount-v1", {"atomic_rmw": 2, "locks": 1}, {"atomic_rmw": 2}, 4, False, None),
)

COMPARISON = Comparison(ROWS, COSTS)

STEPS = (
    TraceStep(
        1,
        "dio",
        "gup_pte_range",
        "linux/gup.py",
        120,
        "    if not page_cache_get_speculative(page):  # a fully ordered read-modify-write",
        (("Page[1]._refcount", "2", "3"),),
    ),
    TraceStep(
        2,
        "dio",
        "gup_pte_range",
        "linux/gup.py",
        124,
        "    atomic_inc(page._mapcount)",
        (("Page[1]._mapcount", "1", "2"),),
        (("pin", 1),),
    ),
    TraceStep(3, "fsync", "page_mkclean", "linux/rmap.py", 31, "query(page)", (), (("query", 1),)),
    TraceStep(
        4,
        "zap",
        "zap_pte_range",
        "linux/memory.py",
        77,
        "WRITE_ONCE(vma.pte[page.index], 0)  # “cleared”",
        (("Vma[1].pte[0]", "present|write|dirty", "none"), ("tlb[2]", "7", "0")),
    ),
    TraceStep(
        5,
        "fsync",
        "page_mkclean",
        "linux/rmap.py",
        47,
        "answer(page, mapped != atomic_read(page._mapcount))",
        (),
        (("answer_unpinned", 1),),
        (("Page[1]._mapcount", "2"),),
    ),
)

TRACE = Trace(
    "mapcount-v1",
    "dio-fsync-zap",
    "I13",
    'the detector never answers "not pinned" while a pin was held all along',
    ("dio", "fsync", "zap", "device"),
    STEPS,
    (Move(0), Move(0), Move(1), Move(2), Move(1, 1)),
)

LINES = (Line("linux/gup.py", 99, "gup_pte_range", "        return 0"),)

WAYS = (
    Way("I13", "dio-fsync-zap", 5, "zap", "memory.py", 7, lambda: TRACE),
    Way("I13", "dio-fsync", 9, "fsync", "fs.py", 9, lambda: TRACE),
)

RESULT = CheckResult(
    "mapcount-v1", ROWS[2:], {("I13", "dio-fsync-zap"): lambda: TRACE}, uncovered=LINES, ways=WAYS
)

BASE_RESULT = CheckResult(
    "untracked",
    (
        Row("untracked", "O1", "dio-fsync", Verdict.violated(9, BOUNDS), 1200, 2400, 0.25),
        Row("untracked", "I13", "dio-fsync", Verdict.holds(BOUNDS), 1200, 2400, 0.25),
        Row("untracked", "I13", "dio-fsync-zap", Verdict.holds(BOUNDS), 9000, 20000, 1.0),
        Row("untracked", "I12", "dio-fsync-zap", Verdict.holds(BOUNDS), 9000, 20000, 1.0),
        Row("untracked", "I10", "dio-fsync-zap", Verdict.violated(7, BOUNDS), 9000, 20000, 1.0),
    ),
)
NOT_TO_THE_END = Verdict.unknown("not known to be explored to the end")
DIFFERENCE = Difference(
    "untracked",
    (
        Change("O1", "dio-fsync", BASE_RESULT.rows[0].verdict, ROWS[2].verdict),
        Change("I13", "dio-fsync-zap", BASE_RESULT.rows[2].verdict, ROWS[4].verdict),
        Change("I12", "dio-fsync-zap", BASE_RESULT.rows[3].verdict, ROWS[5].verdict),
        Change("I10", "dio-fsync-zap", BASE_RESULT.rows[4].verdict, NOT_TO_THE_END),
    ),
    verdicts=5,
    scenarios=2,
    states=11_885,
)
"""RESULT, were it of a patch, beside BASE_RESULT."""

DESIGNS = (
    Info("untracked", "4.20 as it was: a pin is a reference like any other", "detector"),
    Info("mapcount-v1", "Glisse, December 2018: a pin is one more mapping", "detector", "x.py"),
)
SCENARIOS = (
    Info("dio-fsync", "direct I/O beside fsync", "page cache"),
    Info("dio-fsync-zap", "the same, with a zap beside", "page cache"),
)

SWEPT = Swept(
    "mapcount-v1",
    2,
    (
        Broken(
            "mapcount-v1", "O1", ("fsync", "zap@2"), "clean ro", "fsync,zap@2/clean+ro", "", 9, 40
        ),
    ),
    ("O1", "I16"),
    120,
    52_000,
)

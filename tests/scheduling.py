"""Which tests a worker of pytest-xdist runs in a row."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

LIVE = ("tests/live/", "tests/docs/test_watch_page.py")
OF_GUESTS = "tests/live/test_guest"

SHARING = (
    "tests/lab/mutants/test_score.py",
    "tests/lab/mutants/test_hunt.py",
    "tests/lab/mutants/test_smoke.py",
    "tests/lab/today/test_scenarios.py",
    "tests/docs/test_teaching_page.py",
    "tests/docs/test_design_pages.py",
    "tests/report/test_site.py",
    "tests/report/test_over.py",
)
"""Whose tests ask about one thing that takes long to make."""


class Scheduling(LoadScopeScheduling):
    """Live tests compare all pins and loop devices of the machine, so they wait for each other: one
    worker has them all, and first, as xdist begins with the largest. What a guest pins is its own,
    so that another worker has guests meanwhile: they take as long. Those of a file that share what
    takes long to make are together, and all others alone."""

    def _split_scope(self, nodeid: str) -> str:
        live = nodeid.startswith(LIVE) and not nodeid.startswith(OF_GUESTS)
        if live:
            return "live"
        if nodeid.startswith(OF_GUESTS):
            return "guests"
        return nodeid.partition("::")[0] if nodeid.startswith(SHARING) else nodeid

"""Which tests a worker of pytest-xdist runs in a row."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

LIVE = ("tests/live/", "tests/docs/test_watch_page.py")
OF_GUESTS = "tests/live/test_guest"


class Scheduling(LoadScopeScheduling):
    """Live tests compare all pins and loop devices of the machine, so they wait for each other: one
    worker has them all, and first. What a guest pins is its own. All others are alone."""

    def _split_scope(self, nodeid: str) -> str:
        live = nodeid.startswith(LIVE) and not nodeid.startswith(OF_GUESTS)
        return "live" if live else nodeid

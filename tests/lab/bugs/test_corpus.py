"""Every bug of the corpus: broken with it, whole without it, and found without being told."""

from __future__ import annotations

import pkgutil
from dataclasses import replace

import pytest
from tools import bugs_page

import pinlab.lab.bugs
from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab import corpus
from pinlab.lab.bug import Bug, Reproduced, Side
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import First
from pinlab.objectives.verdict import (
    EXIT_HOLDS,
    EXIT_UNKNOWN,
    EXIT_VIOLATED,
    Outcome,
    Verdict,
)

BUGS = corpus.bugs()


LONG = {"B10", "B13"}
"""What the search takes minutes for: it is run by hand, with the page."""

STALE = "is this right? then run python -m tools.bugs_page"


@pytest.mark.parametrize("number", BUGS)
def test_a_bug_is_broken_with_it_and_whole_without_it(number: str) -> None:
    found = corpus.play(BUGS[number])
    assert found.buggy.verdict.outcome is Outcome.VIOLATED
    assert found.fixed.verdict.outcome is Outcome.HOLDS
    assert found.trace is not None
    assert len(found.trace().steps) == found.buggy.verdict.steps
    played = bugs_page.line(found).rpartition("|")[0].rpartition("|")[0]
    assert any(line.startswith(played) for line in bugs_page.written()), STALE


@pytest.mark.slow
@pytest.mark.parametrize("number", [number for number in BUGS if number not in LONG])
def test_a_bug_is_found_by_who_is_not_told(number: str) -> None:
    found = corpus.reproduce(BUGS[number])
    assert found.search.broken is not None
    assert len(found.search.broken.operations) == found.search.size <= max(corpus.SIZES)
    assert found.exit_status == EXIT_HOLDS
    assert bugs_page.line(found) in bugs_page.written(), STALE


def test_the_page_has_every_bug_in_order() -> None:
    assert [line.split()[1] for line in bugs_page.written()] == list(BUGS)


def test_a_file_is_named_after_its_bug() -> None:
    files = {info.name for info in pkgutil.iter_modules(pinlab.lab.bugs.__path__)}
    assert files == {number.lower() for number in BUGS}


@pytest.mark.parametrize("number", BUGS)
def test_a_bug_says_what_it_is(number: str) -> None:
    it = BUGS[number]
    assert it.number == number
    assert it.title
    assert it.fixed_by
    assert it.objective in objectives.load()
    assert corpus.changed(it)


def test_the_search_does_not_depend_on_how_many_look() -> None:
    one, two = (corpus.look(BUGS["B37"], jobs=jobs) for jobs in (1, 2))
    assert one == two


@pytest.mark.slow
def test_what_is_cut_off_is_unknown_and_not_not_found() -> None:
    found = corpus.reproduce(BUGS["B37"], limits=Limits(max_states=5))
    assert found.buggy.verdict.outcome is Outcome.UNKNOWN
    assert found.search.found is None
    assert found.search.cut_off
    assert found.exit_status == EXIT_UNKNOWN


def test_ctrl_c_ends_the_search_and_leaves_it_unknown() -> None:
    def tell(words: str) -> None:
        if "looked at 3 of" in words:
            raise KeyboardInterrupt

    found = corpus.reproduce(BUGS["B37"], tell=tell)
    assert found.stopped
    assert (found.search.found, found.search.explored) == (None, 3)
    assert found.exit_status == EXIT_UNKNOWN


@pytest.mark.slow
def test_a_bug_that_a_world_has_still_is_mended_by_a_design() -> None:
    """Upside down: what brings B37 back stands for what mends another."""
    path = str(corpus.sides(BUGS["B37"])[0].path)
    it = replace(BUGS["B37"], mended_by=path)
    buggy, fixed = corpus.sides(it)
    assert (buggy.name, fixed.path) == ("mainline", path)
    assert corpus.changed(it) == ("bio_check_pages_dirty",)
    found = corpus.reproduce(it, limits=Limits(max_states=2500))
    assert found.buggy.verdict.outcome is Outcome.HOLDS
    assert found.fixed.verdict.outcome is Outcome.VIOLATED
    assert found.search.found is None
    assert found.exit_status == EXIT_VIOLATED


def test_an_unknown_number_is_told_the_nearest() -> None:
    assert corpus.bug("b37") is BUGS["B37"]
    with pytest.raises(UsageError, match=r"there is no bug 'B377': did you mean B37\?"):
        corpus.bug("B377")


VIOLATED, HOLDS = Verdict.violated(7, "all"), Verdict.holds("all")
UNKNOWN = Verdict.unknown("too many states")
FOUND = corpus.look(BUGS["B37"])
MISSED = First(None, 3, 12, 345)


@pytest.mark.parametrize(
    ("buggy", "fixed", "search", "status"),
    [
        (VIOLATED, HOLDS, FOUND, EXIT_HOLDS),
        (HOLDS, HOLDS, FOUND, EXIT_VIOLATED),
        (VIOLATED, VIOLATED, FOUND, EXIT_VIOLATED),
        (VIOLATED, HOLDS, MISSED, EXIT_VIOLATED),
        (VIOLATED, UNKNOWN, FOUND, EXIT_UNKNOWN),
        (UNKNOWN, HOLDS, FOUND, EXIT_UNKNOWN),
        (VIOLATED, HOLDS, replace(MISSED, cut_off=("a/b",)), EXIT_UNKNOWN),
        (VIOLATED, HOLDS, replace(MISSED, stopped="Ctrl-C"), EXIT_UNKNOWN),
        (VIOLATED, HOLDS, replace(MISSED, failed={"oops": 1}), EXIT_UNKNOWN),
        (VIOLATED, HOLDS, replace(MISSED, explored=0), EXIT_UNKNOWN),
    ],
)
def test_the_exit_status(buggy: Verdict, fixed: Verdict, search: First, status: int) -> None:
    bug: Bug = BUGS["B37"]
    sides = Side(buggy, 1), Side(fixed, 1)
    assert Reproduced(bug, "", "7.2", *sides, search).exit_status == status

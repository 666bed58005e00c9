"""What a patch changes: verdicts beside those of what it builds on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pinlab.lab.difference import difference
from pinlab.lab.results import Change, Difference, Row
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, Verdict
from tests.lab import samples

HOLDS, UNKNOWN = Verdict.holds("all"), Verdict.unknown("cut off")
VIOLATED, SOONER = Verdict.violated(9, "all"), Verdict.violated(7, "all")


def test_what_differs_and_what_does_not() -> None:
    assert difference(samples.BASE_RESULT, samples.RESULT) == samples.DIFFERENCE
    none = difference(samples.RESULT, samples.RESULT)
    assert (none.changes, none.exit_status) == ((), EXIT_HOLDS)


def test_the_worst_of_several_orders_counts() -> None:
    def rows(*verdicts: Verdict) -> tuple[Row, ...]:
        return tuple(replace(samples.ROWS[0], verdict=verdict) for verdict in verdicts)

    before = replace(samples.RESULT, rows=rows(HOLDS))
    one, other = rows(HOLDS, VIOLATED)
    after = replace(samples.RESULT, rows=(one, replace(other, scenario="dio-fsync:1,0")))
    assert [change.broke for change in difference(before, after).changes] == [True]
    assert not difference(after, replace(after, rows=rows(SOONER, HOLDS))).changes


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (HOLDS, VIOLATED, EXIT_VIOLATED),
        (UNKNOWN, VIOLATED, EXIT_UNKNOWN),
        (None, UNKNOWN, EXIT_UNKNOWN),
        (None, VIOLATED, EXIT_VIOLATED),
        (HOLDS, UNKNOWN, EXIT_UNKNOWN),
        (VIOLATED, HOLDS, EXIT_HOLDS),
        (VIOLATED, None, EXIT_HOLDS),
        (UNKNOWN, HOLDS, EXIT_HOLDS),
        (VIOLATED, UNKNOWN, EXIT_HOLDS),
    ],
)
def test_the_status_is_of_what_broke(
    before: Verdict | None, after: Verdict | None, status: int
) -> None:
    found = Difference("x", (Change("I1", "s", before, after),), 1, 1, 1)
    assert found.exit_status == status


def test_what_was_not_explored_to_the_end_met_no_failure_for_all_one_knows() -> None:
    """A base that was cut off does not make the patch the culprit."""
    failed = replace(samples.ROWS[0], objective="I10", verdict=VIOLATED)
    after = replace(samples.RESULT, rows=(samples.ROWS[0], failed))
    for verdict, status in ((HOLDS, EXIT_VIOLATED), (UNKNOWN, EXIT_UNKNOWN)):
        before = replace(samples.RESULT, rows=(replace(samples.ROWS[0], verdict=verdict),))
        found = difference(before, replace(after, rows=(before.rows[0], failed)))
        assert [change.objective for change in found.changes] == ["I10"]
        assert found.exit_status == status


def test_one_that_was_stopped_shows_nothing() -> None:
    assert replace(samples.DIFFERENCE, changes=(), stopped="Ctrl-C").exit_status == EXIT_UNKNOWN

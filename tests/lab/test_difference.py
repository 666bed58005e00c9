"""What a patch changes: verdicts beside those of what it builds on."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pinlab.lab import check, face
from pinlab.lab.difference import difference
from pinlab.lab.results import Change, Difference, Row
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED, Outcome, Verdict
from pinlab.report import difference as difference_report
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


ASSERTS = """from __future__ import annotations
from pinlab.lab.language.kernel import kernel, test_bit
from pinlab.lab.linux.buffer import set_page_dirty
from pinlab.lab.linux.filemap import lock_page, unlock_page
from pinlab.lab.linux.types import Page
{base}

@kernel
def set_page_dirty_lock(page: Page) -> None:
    lock_page(page)
    assert not test_bit(page.PG_writeback)
    set_page_dirty(page)
    {more}
    unlock_page(page)
"""


def test_a_new_failure_does_not_hide_behind_one_that_was_there(tmp_path: Path) -> None:
    base, patch = tmp_path / "base.py", tmp_path / "patch.py"
    base.write_text(ASSERTS.format(base="", more=""))
    more = "assert not test_bit(page.PG_dirty)"
    patch.write_text(ASSERTS.format(base=f'BASE = "{base}"', more=more))
    it = face.load_design(str(patch))
    below = face.base(it)
    assert below is not None
    before, after = (check.check(each, ("direct-io-fsync",), ("I3",)) for each in (below, it))
    assert {row.verdict.outcome for row in (*before.rows, *after.rows)} == {Outcome.VIOLATED}
    assert [each.failure for each in before.failures] == [
        "bug: BUG_ON(!(not test_bit(page.PG_writeback)))"
    ]
    found = face.difference(it, before, after)
    assert not found.changes
    (new,) = found.failures
    assert new.known
    assert new.failed.failure == "bug: BUG_ON(!(not test_bit(page.PG_dirty)))"
    assert found.exit_status == EXIT_VIOLATED
    assert "A new failure that I3 is violated by in direct-io-fsync" in said(found)
    ways = check.check(it, ("direct-io-fsync",), ("I3",), ways=True).ways
    assert {way.trace().message for way in ways} == {
        each.failure for each in (*before.failures, *after.failures)
    }
    cut = replace(before, unfinished=frozenset({"direct-io-fsync"}))
    doubtful = face.difference(it, cut, after)
    assert doubtful.exit_status == EXIT_UNKNOWN
    assert "Nobody knows whether this is new" in said(doubtful)
    assert face.difference(it, after, after).exit_status == EXIT_HOLDS


def said(found: Difference) -> str:
    console = Console(width=10_000, file=io.StringIO())
    console.print(difference_report.difference(found, "patch"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()

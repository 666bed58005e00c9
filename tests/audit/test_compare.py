"""What changed between two trees, and what a reviewer is told of a patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.audit.audit import audit
from pinlab.audit.compare import Changes, Kind, compare
from pinlab.audit.results import Rule
from tests.audit.trees import tree

PINS = """
int hold(unsigned long addr, struct page **pages)
{
	int got = pin_user_pages_fast(addr, 1, FOLL_WRITE, pages);

	if (got > 0)
		unpin_user_pages_dirty_lock(pages, got, true);
	return got;
}
"""
OTHER = PINS.replace("hold", "other")
GETS = PINS.replace("pin_user_pages_fast", "get_user_pages_fast").replace(
    "unpin_user_pages_dirty_lock(pages, got, true)", "put_page(pages[0])"
)
BROKEN = PINS.replace("unpin_user_pages_dirty_lock(pages, got, true)", "put_page(pages[0])")
CARELESS = PINS.replace(
    "unpin_user_pages_dirty_lock(pages, got, true)",
    "{\n\t\tset_page_dirty(pages[0]);\n\t\tunpin_user_pages(pages, got);\n\t}",
)
SHIFTED = "/* a comment */\n\nstatic int unrelated;\n" + PINS


def changed(folder: Path, before: str, after: str) -> Changes:
    old = tree(folder / "old", {"drivers/a.c": before, "drivers/b.c": OTHER})
    new = tree(folder / "new", {"drivers/a.c": after, "drivers/b.c": OTHER})
    return compare(audit(old), audit(new))


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (PINS, PINS, []),
        (PINS, SHIFTED, []),
        (PINS, BROKEN, [Kind.not_right]),
        (GETS, PINS, [Kind.converted]),
        (PINS, "", [Kind.gone]),
        ("", PINS, [Kind.new]),
        ("", BROKEN, [Kind.new_wrong]),
        (PINS, CARELESS, [Kind.new_hazard]),
        (BROKEN, PINS, [Kind.mended]),
        (GETS, BROKEN, [Kind.worse]),
        (PINS, PINS + PINS.replace("hold", "also"), [Kind.new]),
    ],
    ids=[
        *("nothing", "lines", "broken", "converted", "gone", "new", "new and wrong"),
        *("careless", "mended", "half converted", "one more"),
    ],
)
def test_only_what_changed_is_told(
    tmp_path: Path, before: str, after: str, kinds: list[Kind]
) -> None:
    found = changed(tmp_path, before, after)
    assert [each.kind for each in found.changes] == kinds
    worse = {Kind.not_right, Kind.worse, Kind.new_wrong} & set(kinds)
    assert any(each.is_worse for each in found.changes) == bool(worse)


def test_the_rule_that_is_broken_now_is_named(tmp_path: Path) -> None:
    (change,) = changed(tmp_path, PINS, CARELESS).changes
    assert [each.rule for each in change.hazards] == [Rule.no_lock]


def test_a_file_that_moved_is_the_same(tmp_path: Path) -> None:
    old = tree(tmp_path / "old", {"mm/a.c": PINS})
    new = tree(tmp_path / "new", {"drivers/a.c": PINS})
    assert compare(audit(old), audit(new)).changes == ()

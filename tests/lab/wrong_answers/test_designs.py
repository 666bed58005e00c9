"""Designs that were once judged better than they are: each is violated now, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import build, check, design, face
from pinlab.objectives.verdict import Outcome

COUNTED = '''"""counted: pins in a field of their own."""

from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

pin_count = per_page(0, 3, bytes=4)


@kernel
def grab_page(page: Page) -> bool:
    """Slow GUP."""
    get_page(page)
    atomic_inc(pin_count[page])
    return True


{mark}
def grab_page_fast(page: Page) -> bool:
    """GUP-fast."""
    if not atomic_inc_not_zero(page._refcount):
        return False
    {fast}
    return True


@kernel
def {undo}(page: Page) -> None:
    """All that grab_page_fast() took."""
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    """put_user_page()."""
    atomic_dec(pin_count[page])
    put_page(page)


@kernel
def page_pinned(page: Page) -> bool:
    """The count."""
    return atomic_read(pin_count[page]) > 0
{more}
'''

SOUND = {"mark": "@kernel", "fast": "atomic_inc(pin_count[page])", "undo": "undo_grab", "more": ""}


def counted(folder: Path, **changes: str) -> design.Design:
    path = folder / "counted.py"
    path.write_text(COUNTED.format(**(SOUND | changes)))
    return design.load(str(path))


def broken(it: design.Design) -> set[str]:
    rows = check.check(it, ("direct-io-fsync",), ("I1", "I3", "I10", "I12")).rows
    return {row.objective for row in rows if row.verdict.outcome is Outcome.VIOLATED}


def test_13_the_design_without_a_mistake_is_fine(tmp_path: Path) -> None:
    assert not broken(counted(tmp_path))


@pytest.mark.parametrize(
    ("fast", "objective"),
    [
        ("assert False", "I3"),
        ("pass", "I10"),
        ("atomic_inc(pin_count[page])" + "\n    put_page(page)" * 4, "I10"),
    ],
    ids=["BUG in GUP-fast", "a forgotten increment", "stray put_page()"],
)
def test_13_a_broken_gup_fast_is_not_taken_for_one_that_cannot_run(
    tmp_path: Path, fast: str, objective: str
) -> None:
    assert objective in broken(counted(tmp_path, fast=fast))


def test_13_a_gup_fast_that_sleeps_is_left_out_as_before(tmp_path: Path) -> None:
    it = counted(tmp_path, fast="might_sleep()\n    atomic_inc(pin_count[page])")
    assert face.probe(it).keys["gup_fast_works"] == 0
    assert not broken(it)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mark": ""}, r"counted.py:\d+: grab_page_fast is a plain function: mark it @kernel"),
        ({"mark": "@pure"}, r"counted.py:\d+: grab_page_fast replaces .*: mark it @kernel"),
        ({"more": "\ndef page_pined(page: Page) -> bool:\n    return 1\n"}, "plain function"),
        (
            {"undo": "undo_grap"},
            "undo_grap is no function of the model, and nothing calls it; did you mean undo_gr",
        ),
        (
            {"more": "\n@kernel\ndef page_pinned(page: Page) -> bool:\n    return False\n"},
            r"counted.py:\d+: page_pinned is defined in line \d+ already",
        ),
        (
            {"more": "\nfrom pinlab.lab.designs.mapcount_v1 import release_page\n"},
            "release_page is imported from elsewhere under the name of a function",
        ),
    ],
    ids=["no mark", "wrong mark", "misspelt, no mark", "misspelt", "twice", "imported"],
)
def test_14_what_would_be_passed_over_is_refused(
    tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        counted(tmp_path, **changes)


def test_17_a_grab_of_ones_own_needs_an_undo_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    text = COUNTED.format(**SOUND)
    start, end = text.index("@kernel\ndef undo_grab"), text.index("@kernel\ndef release_page")
    path.write_text(text[:start] + text[end:])
    with pytest.raises(UsageError, match="grab_page_fast is replaced and undo_grab is not"):
        design.load(str(path))


@pytest.mark.parametrize("name", ["lru-counter-july", "lru-counter-october"])
def test_17_who_pins_after_the_second_look_drops_the_reference_only(name: str) -> None:
    assert build.program(design.load(name)).calls["undo_grab"] == {"put_page"}


def test_20_a_mistake_does_not_hide_behind_what_is_broken_already() -> None:
    """Untracked breaks I3 in 60 steps by dirtying a page without buffers, and later by a BUG."""
    result = check.check(design.load("untracked"), ("direct-io-reclaim",), ("I3",), ways=True)
    traces = [way.trace() for way in result.ways]
    assert [len(trace.steps) for trace in traces] == [way.steps for way in result.ways]
    assert [way.function for way in result.ways] == ["set_page_dirty", "writepage"]
    assert result.ways[0].steps < result.ways[1].steps
    assert all(trace.outcome is Outcome.VIOLATED for trace in traces)


def test_23_a_trace_shows_what_a_read_returned() -> None:
    result = check.check(design.load("untracked"), ("direct-io-fsync",), ("O1",))
    trace = result.traces["O1", "direct-io-fsync"]()
    read = next(step for step in trace.steps if "READ_ONCE(vma.pte" in step.source)
    assert ("Vma1.pte[0]", "page 1 write dirty") in read.reads


def test_19_a_file_named_as_a_design_is_not_excused_as_that_design_is(tmp_path: Path) -> None:
    """Goals are waived for designs of the package, not for whoever has their name."""
    path = tmp_path / "lru_counter_july.py"
    path.write_text(COUNTED.format(**SOUND))
    assert design.load(str(path)).lineage == {str(path)}

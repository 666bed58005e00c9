"""No text of any page lies over another, as a browser measures it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.field import samples
from tests.lab.film.films import FIVE, film
from tests.report import browser, recordings
from tests.report.test_site import subjects
from tests.report.test_who import answer

from pinlab.field.census.diff import diff
from pinlab.report.held import page as held
from pinlab.report.held import sheets
from pinlab.report.player import page as player
from pinlab.report.site import pages
from pinlab.report.timeline import build
from pinlab.report.timeline import page as timeline


def census() -> str:
    whole = samples.placed()
    return held.html(sheets.census(whole, whole.census))


def recording() -> str:
    rows, bad = recordings.o1()
    return timeline.html(build.timeline(rows, recordings.META, (), title=f"{len(bad)} hazards"))


PAGES: Mapping[str, tuple[Callable[[], str], str]] = {
    "player": (lambda: player.html(film(*FIVE[4])), "#step=60"),
    "one that ends": (lambda: player.html(film(*FIVE[1])), "#step=999"),
    "matrix": (lambda: pages.folder(subjects())["index.html"], ""),
    "design": (lambda: pages.folder(subjects())["untracked.html"], ""),
    "one file": (lambda: pages.single(subjects()), ""),
    "census": (census, ""),
    "who": (lambda: held.html(sheets.who(answer())), ""),
    "diff": (lambda: held.html(sheets.diff(diff(samples.placed(), samples.placed(more=True)))), ""),
    "timeline": (recording, ""),
}
QUICK = ("player", "census")


def test_what_lies_over_another_is_seen(tmp_path: Path) -> None:
    lines = "".join(f"<p>line {number}</p>" for number in range(20))
    first = '<p style="position:absolute; top:1.2em; margin:0; background:white">above</p>'
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><body>{lines}{first}</body>", encoding="utf-8")
    (found,) = browser.over_one_another(page, 390)
    assert set(found.split(" / ")) == {"above", "line 0"}


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.slow), 390])
@pytest.mark.parametrize(
    "which", [pytest.param(it, marks=[pytest.mark.slow] * (it not in QUICK)) for it in PAGES]
)
def test_no_text_lies_over_another(which: str, width: int, tmp_path: Path) -> None:
    made, fragment = PAGES[which]
    path = tmp_path / "page.html"
    path.write_text(made(), encoding="utf-8")
    assert browser.over_one_another(path, width, fragment) == []

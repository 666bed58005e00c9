"""A race as a figure: which steps it has, and that all of it can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.lab.film.films import FIVE, film
from tests.report import browser

from pinlab.report.player import figure

NAME = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("which", FIVE, ids=" ".join)
def test_all_that_matters_is_in_it_and_it_is_a_page_at_most(which: tuple[str, str, str]) -> None:
    found = film(*which)
    shown = [row.step.number for row in figure.rows(found) if row.step is not None]
    assert found.why is not None
    needed = {n for it in found.why.needed for n in (it.before, it.after)}
    assert needed | {len(found.trace.steps), found.why.chance} <= set(shown)
    assert shown == sorted(shown) and len(shown) <= figure.ROWS
    root = ElementTree.fromstring(figure.svg(found))
    assert int(root.attrib["height"]) <= 1.5 * int(root.attrib["width"])


def test_what_is_left_out_is_counted() -> None:
    found = film(*FIVE[4])
    left_out = sum(row.left_out for row in figure.rows(found))
    shown = sum(row.step is not None for row in figure.rows(found))
    assert left_out + shown == len(found.trace.steps) == 120


def test_an_order_that_matters_goes_from_lane_to_lane() -> None:
    found = film(*FIVE[1])
    root = ElementTree.fromstring(figure.svg(found))
    lines = [it for it in root.iter(f"{NAME}line") if it.get("class") == "order"]
    assert found.why is not None and len(lines) == len(found.why.needed) == 2
    assert all(it.get("x1") != it.get("x2") for it in lines)


def test_names_are_text() -> None:
    found = film(*FIVE[1])
    name = '</title><script>alert("\x1b[2J")</script>'
    trace = replace(found.trace, design=name, message=name, claim=name)
    root = ElementTree.fromstring(figure.svg(replace(found, trace=trace)))
    assert {it.tag.removeprefix(NAME) for it in root.iter()} <= {
        "svg",
        "title",
        "style",
        "rect",
        "text",
        "line",
    }


def test_a_browser_draws_it(tmp_path: Path) -> None:
    path = tmp_path / "race.svg"
    path.write_text(figure.svg(film(*FIVE[0])), encoding="utf-8")
    picture = browser.screenshot(path, tmp_path / "race.png")
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000


@pytest.mark.slow
def test_no_text_leaves_the_figure_or_is_over_another(tmp_path: Path) -> None:
    """As a browser measures it."""
    for number, which in enumerate(FIVE):
        holder = tmp_path / f"{number}.html"
        drawn = figure.svg(film(*which))
        holder.write_text(f"<!doctype html><html><body>{drawn}</body></html>", encoding="utf-8")
        script = """
            const boxes = [...document.querySelectorAll('svg text')].map((it) => it.getBBox());
            const over = (a, b) => a.x < b.x + b.width - 1 && b.x < a.x + a.width - 1
                && a.y < b.y + b.height - 4 && b.y < a.y + a.height - 4;
            const wide = boxes.filter((it) => it.x < 0 || it.x + it.width > 800).length;
            let pairs = 0;
            boxes.forEach((a, n) => boxes.slice(n + 1).forEach((b) => { pairs += over(a, b); }));
            say('found', `${boxes.length > 10} ${wide} ${pairs}`);
        """
        assert 'data-found="true 0 0"' in browser.dom(holder, script), which

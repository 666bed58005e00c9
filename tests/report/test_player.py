"""The player: whole in one file, and in a browser each step shows what the trace has there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.lab.film.films import FIVE, film
from tests.report import browser

from pinlab.lab.film import Film
from pinlab.report.player import page

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=document.title=1>"

PRESS = """
const press = (key) => document.dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
const all = (selector) => [...document.querySelectorAll(selector)];
const board = () => Object.fromEntries(
    all('#board .cell').map((it) => [it.dataset.cell, it.dataset.value]));
const text = (id) => document.getElementById(id).textContent;
"""


def write(found: Film, to: Path) -> Path:
    to.write_text(page.html(found), encoding="utf-8")
    return to


def asked(path: Path, script: str, fragment: str = "", flags: Sequence[str] = ()) -> Any:
    """What a script of the page says, as JSON."""
    says = f"{PRESS}\nsay('found', JSON.stringify({script}));"
    return browser.told(browser.dom(path, says, fragment, *flags))


@pytest.mark.parametrize(
    "which",
    [*FIVE[:2], *(pytest.param(each, marks=pytest.mark.slow) for each in FIVE[2:])],
    ids=" ".join,
)
def test_each_step_shows_what_the_trace_has(which: tuple[str, str, str], tmp_path: Path) -> None:
    """Forward to the end by the keyboard alone, and back to the beginning."""
    found = film(*which)
    path = write(found, tmp_path / "race.html")
    script = """(() => {
        const seen = [board()], marked = [], back = [], lines = [];
        for (let n = 1; n <= last; n += 1) {
            press('ArrowRight');
            seen.push(board());
            marked.push(all('#board .changed').map((it) => it.dataset.cell));
            lines.push([text('where'), document.querySelector('#source .at').textContent]);
        }
        for (let n = 1; n <= last; n += 1) { press('ArrowLeft'); back.push(board()); }
        return {seen, marked, back, lines};
    })()"""
    said = asked(path, script)
    names = [cell.name for cell in found.cells]
    frames = [dict(zip(names, frame.values, strict=True)) for frame in found.frames]
    assert said["seen"] == frames
    assert said["back"] == frames[-2::-1]
    for step, marked, (where, line) in zip(
        found.trace.steps, said["marked"], said["lines"], strict=True
    ):
        assert sorted(marked) == sorted(name for name, _, _ in step.changes)
        assert where == f"{step.function}, {step.file}:{step.line}"
        assert line.removeprefix(str(step.line)).strip() == step.source


def test_a_link_leads_to_a_step(tmp_path: Path) -> None:
    path = write(film(*FIVE[1]), tmp_path / "race.html")
    assert asked(path, "[text('number'), shown]", "#step=23") == ["23 of 34", 23]
    script = "(go(999), [text('number'), shown, location.hash])"
    assert asked(path, script) == ["34 of 34", 34, "#step=34"]
    assert asked(path, "[shown, location.hash]", "#step=x") == [0, "#step=0"]


def test_the_keyboard_alone(tmp_path: Path) -> None:
    """Ends, tens, what matters; all that is clicked can be reached by Tab."""
    found = film(*FIVE[1])
    path = write(found, tmp_path / "race.html")
    keys = ["End", "Home", "PageDown", "n", "n", "p", "ArrowLeft", "PageUp"]
    script = f"{json.dumps(keys)}.map((key) => {{ press(key); return shown; }})"
    assert asked(path, script) == [34, 0, 10, 18, 28, 18, 17, 7]
    tabs = (
        "[...document.querySelectorAll('#bar button, #slider, summary')].map((it) => it.tabIndex)"
    )
    assert set(asked(path, tabs)) == {0}


def test_what_matters_is_said(tmp_path: Path) -> None:
    found = film(*FIVE[1])
    path = write(found, tmp_path / "race.html")
    script = "[28, 20, 34, 29].map((number) => { go(number); return text('matters'); })"
    chance, nothing, end, after = asked(path, script)
    assert "comes before step 29" in chance and "The last chance" in chance
    assert "Only the way there" in nothing
    assert "O2 is violated by dirty" in end
    assert "comes after step 28" in after


def test_the_automaton_says_where_it_is(tmp_path: Path) -> None:
    found = film(*FIVE[0])
    path = write(found, tmp_path / "race.html")
    script = """[...Array(last + 1).keys()].map((number) => {
        go(number);
        return all('#states [aria-current]').map((it) => it.dataset.state);
    })"""
    assert asked(path, script) == [[frame.automaton] for frame in found.frames]


def test_the_longest_is_small(tmp_path: Path) -> None:
    """Half a megabyte is what 120 steps may have."""
    found = film(*FIVE[4])
    assert len(found.trace.steps) == 120
    assert write(found, tmp_path / "race.html").stat().st_size < 500_000


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_is_wider_than_the_window(width: int, tmp_path: Path) -> None:
    """What is, scrolls in a box of its own."""
    path = write(film(*FIVE[4]), tmp_path / "race.html")
    script = """[it.documentElement.clientWidth, it.documentElement.scrollWidth,
        it.getElementById('number').textContent]"""
    found = browser.in_frame(path, width, script, "#step=110")
    assert found == [width, width, "110 of 120"]


def test_it_says_nothing_to_the_console(tmp_path: Path) -> None:
    assert browser.console(write(film(*FIVE[0]), tmp_path / "race.html")) == []
    broken = tmp_path / "broken.html"
    broken.write_text("<script>nonsense()</script>", encoding="utf-8")
    assert browser.console(broken), "errors would not be seen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_told_by_colour_can_be_read(scheme: str, tmp_path: Path) -> None:
    """Text has a contrast of 4.5, shapes one of 3 (WCAG 2.1, 1.4.3 and 1.4.11)."""
    flag = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    path = write(film(*FIVE[0]), tmp_path / "race.html")
    script = f"""Object.fromEntries({json.dumps(sorted({name for it in PAIRS for name in it[:2]}))}
        .map((name) => [name,
            getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()]))"""
    colours = asked(path, script, flags=flag)
    assert (luminance(colours["page"]) < 0.1) == (scheme == "dark")
    for front, back, least in PAIRS:
        assert contrast(colours[front], colours[back]) >= least, (front, back)


PAIRS = (
    ("ink", "page", 4.5),
    ("soft", "page", 4.5),
    ("soft", "band", 4.5),
    ("ink", "band", 4.5),
    ("on-mark", "mark", 4.5),
    ("lost", "page", 4.5),
    ("violation", "alarm", 4.5),
    ("violation", "page", 4.5),
    ("needed", "page", 3),
    ("off", "page", 3),
    ("page", "violation", 3),
)


def contrast(one: str, other: str) -> float:
    """Of two colours as #rrggbb."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(share * x for share, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_colour_is_never_the_only_sign() -> None:
    """A step that matters has a dot and is taller, the violation a cross, a flag a disc."""
    text = page.html(film(*FIVE[1]))
    assert text.count('class="dot"') == 4 and text.count('class="cross"') == 1
    assert "\\u25cf set" in text and "\\u25c6 was" in text


def test_on_paper_all_steps_are_there(tmp_path: Path) -> None:
    found = film(*FIVE[1])
    path = write(found, tmp_path / "race.html")
    script = "(dispatchEvent(new Event('beforeprint')), document.getElementById('all').open)"
    assert asked(path, script) is True
    pdf = tmp_path / "race.pdf"
    browser.visit(path.as_uri(), tmp_path / "profile", f"--print-to-pdf={pdf}")
    assert pdf.read_bytes().startswith(b"%PDF") and pdf.stat().st_size > 20_000


def test_names_are_text(tmp_path: Path) -> None:
    """Whatever a design calls its actors, its lines and its messages."""
    found = film(*FIVE[0])
    trace = found.trace
    steps = tuple(
        replace(it, actor=HOSTILE, function=HOSTILE, source=HOSTILE, notes=(HOSTILE,), file=HOSTILE)
        if it.actor == trace.actors[0]
        else it
        for it in trace.steps
    )
    named = replace(
        trace,
        actors=(HOSTILE, *trace.actors[1:]),
        design=HOSTILE,
        claim=HOSTILE,
        message=HOSTILE,
        steps=steps,
    )
    listings = tuple(replace(it, lines=(HOSTILE,), function=HOSTILE) for it in found.listings)
    path = write(replace(found, trace=named, listings=listings), tmp_path / "race.html")
    title, images = asked(path, "[document.title, document.images.length]", "#step=3")
    assert HOSTILE in title and images == 0


def test_it_can_be_read_without_scripts() -> None:
    text = page.html(film(*FIVE[0]))
    body = text.partition("<body>")[2].partition("<script")[0]
    for step in film(*FIVE[0]).trace.steps:
        assert f"{step.file}:{step.line}" in body


def test_nothing_is_fetched() -> None:
    """No element refers to anything but a step; no script asks for anything."""
    text = page.html(film(*FIVE[0]))
    found = Attributes()
    found.feed(text)
    assert found.referred and all(it.startswith("#step=") for it in found.referred)
    script = text.rpartition("<script>")[2]
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import|WebSocket|eval)\s*\(", script)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text


class Attributes(HTMLParser):
    """What the elements of a page refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.referred: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "action", "data", "poster", "srcset", "xlink:href")
        self.referred += [value or "" for name, value in attrs if name in names]

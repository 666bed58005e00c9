"""The pages of designs and objectives: every link leads somewhere, names are text, heads sort."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.report import browser

from pinlab.lab import check, design, face
from pinlab.lab.results import Wanted
from pinlab.report.site import Subject, pages

HOSTILE = "<img src=x onerror=document.title=1></table>"


@cache
def subjects() -> tuple[Subject, ...]:
    """Two designs in all their scenarios, with the films of what they break of O1 and O2."""
    found = []
    compared = face.compare(("untracked", "skip"))
    for name in ("untracked", "skip"):
        it = design.load(name)
        rows = tuple(row for row in compared.rows if row.design == name)
        broken = {
            row.objective: row.scenario
            for row in sorted(rows, key=lambda row: -(row.steps or 0))
            if row.objective in ("O1", "O2") and row.steps is not None
        }
        films = face.films([(it, each, where) for each, where in broken.items()], jobs=1)
        (cost,) = (cost for cost in compared.costs if cost.design == name)
        shown = {each: film for each, film in zip(broken, films, strict=True) if film is not None}
        found.append(Subject(face.described(it), rows, cost, face.known(it), shown))
    return tuple(found)


class Page(HTMLParser):
    """What a page has: addresses that elements refer to, and places that can be referred to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.refers: set[str] = set()
        self.places: set[str] = set()
        self.images = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.refers |= {said["href"] or ""} if "href" in said else set()
        self.places |= {said["id"] or ""} if "id" in said else set()
        self.images += tag == "img" or "src" in said


def test_every_link_of_a_folder_leads_somewhere() -> None:
    files = pages.folder(subjects())
    read = {name: Page(text) for name, text in files.items()}
    assert set(files) == {
        "index.html", "skip.html", "untracked.html", "untracked-O1.html", "untracked-O2.html",
    }  # fmt: skip
    for name, it in read.items():
        for where in it.refers:
            if where.startswith("#step="):
                continue
            file, _, place = where.partition("#")
            assert (file or name) in files, where
            assert not place or place in read[file or name].places, where


def test_one_file_has_it_all_and_refers_to_itself() -> None:
    it = Page(pages.single(subjects()))
    inside = {where for where in it.refers if not where.startswith("#step=")}
    assert inside and all(where[0] == "#" and where[1:] in it.places for where in inside)
    assert {"untracked-O1", "untracked-O2", "matrix"} <= it.places


def test_a_cell_says_what_the_row_says() -> None:
    index = pages.folder(subjects())["index.html"]
    (untracked, _) = subjects()
    steps = min(row.steps for row in untracked.rows if row.objective == "O1" and row.steps)
    assert f'href="untracked-O1.html" title="untracked, O1: violated in {steps} steps' in index
    assert 'title="skip, O1: holds' in index and 'title="skip, O2: holds' in index


def test_what_nobody_asked_is_said_to_be_unknown() -> None:
    (first, _) = subjects()
    unasked = replace(first, known=replace(first.known, swept=None, models={}))
    text = pages.folder([unasked])["untracked.html"]
    assert "Nobody has swept it yet" in text and "Nobody has asked under another" in text


def test_the_sweep_and_other_memory_models_are_told() -> None:
    (first, _) = subjects()
    found = face.sweep(design.load("untracked"), Wanted(size=1))
    rows = tuple(replace(row, memory_model="arm64") for row in first.rows[:2])
    known = replace(first.known, swept=found, models={"arm64": rows})
    text = pages.folder([replace(first, known=known)])["untracked.html"]
    assert f"{found.explored:,} combinations of up to 1" in text
    assert "None of these combinations breaks" in text and "<td>holds</td><td></td>" not in text
    assert "arm64: 2 verdicts, 0 are others" in text


def test_of_a_patch_the_difference_comes_first(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "fault_does_not_wait.py"
    it = design.load(str(example))
    base = face.base(it)
    assert base is not None
    before, after = check.check(base, objectives=("O1",)), check.check(it, objectives=("O1",))
    subject = Subject(
        face.described(it), after.rows, None, face.known(it), {},
        difference=face.difference(it, before, after),
    )  # fmt: skip
    text = pages.folder([subject])["index.html"]
    assert text.index("verdicts in") < text.index('id="matrix"')
    assert pages.single([subject]).count("verdicts in") == 1
    first = next(row for row in text.split("<tr>") if row.startswith("<td>"))
    assert "violated in" in first.partition("</tr>")[0]


def test_names_are_text() -> None:
    (first, other) = subjects()
    info = replace(first.info, name=HOSTILE, summary=HOSTILE, kind=HOSTILE, path=HOSTILE)
    rows = tuple(
        replace(row, design=HOSTILE, scenario=HOSTILE, objective=HOSTILE) for row in first.rows[:3]
    )
    hooks = tuple(
        replace(it, name=HOSTILE, file=HOSTILE, lines=((1, HOSTILE),))
        for it in face.known(design.load("bounce")).hooks
    )
    film = first.films["O1"]
    trace = replace(film.trace, design=HOSTILE, scenario=HOSTILE)
    hostile = replace(
        first, info=info, rows=rows, known=replace(first.known, hooks=hooks),
        films={"O1": replace(film, trace=trace)},
    )  # fmt: skip
    texts = [*pages.folder([hostile, other]).values(), pages.single([hostile, other])]
    assert all(Page(text).images == 0 for text in texts)


def test_two_names_that_are_written_alike_are_two_files() -> None:
    (first, _) = subjects()
    alike = replace(first, info=replace(first.info, name="./untracked"), films={})
    index = replace(first, info=replace(first.info, name="index"), films={})
    assert {"untracked.html", "untracked.2.html", "index.2.html"} <= set(
        pages.folder([first, alike, index])
    )


def test_heads_sort_and_the_filter_hides(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(pages.folder(subjects())["index.html"], encoding="utf-8")
    script = """
        const names = () => [...document.querySelectorAll('#matrix tbody tr')]
            .filter((it) => !it.hidden).map((it) => it.cells[0].textContent);
        const found = [names()];
        const all = (selector) => [...document.querySelectorAll(selector)];
        const head = all('thead button').find((it) => it.textContent === 'O1');
        head.click(); found.push(names());
        head.click(); found.push(names());
        const filter = document.getElementById('filter');
        filter.value = 'SKI'; filter.dispatchEvent(new Event('input')); found.push(names());
        document.getElementById('broken').click();
        found.push(all('thead th').filter((it) => !it.hidden).map((it) => it.textContent));
        say('found', JSON.stringify(found));
    """
    first, up, down, only, heads = browser.told(browser.dom(path, script))
    assert first == ["untracked", "skip"] and up == first and down == ["skip", "untracked"]
    assert only == ["skip"]
    broken = {row.objective for row in subjects()[1].rows if row.steps is not None}
    assert broken <= set(heads) and "O1" not in heads and "design" in heads


@pytest.mark.slow
def test_it_says_nothing_to_the_console_and_fits(tmp_path: Path) -> None:
    for name, text in pages.folder(subjects()).items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
    for name in ("index.html", "untracked.html"):
        assert browser.console(tmp_path / name) == []
        wide = "it.documentElement.scrollWidth"
        assert browser.in_frame(tmp_path / name, 390, wide) == 390

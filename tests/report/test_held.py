"""Pages of the field: bars by size, a table to filter and to sort, what nobody claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.field import samples
from tests.report import browser
from tests.report.test_who import answer

from pinlab.cli._app import run
from pinlab.field.census.diff import diff
from pinlab.report.held import Bar, Sheet, page, sheets


def sheet(sizes: dict[str, int]) -> Sheet:
    bars = tuple(Bar(name, size, f"{size} B") for name, size in sizes.items())
    rows = tuple((name, (size, f"{size} B")) for name, size in sizes.items())
    return Sheet("Title", "Summary", (), bars, ("who", "size"), rows)


def test_the_largest_comes_first_and_fills_the_line() -> None:
    text = page.html(sheet({"small": 25, "large": 100}))
    widths = re.findall(r'<li data-size="(\d+)">.*?class="now" style="width:([\d.]+)%', text)
    assert widths == [("100", "100.00"), ("25", "25.00")]


def test_many_are_told_in_one() -> None:
    text = page.html(sheet({f"p{n}": 1000 - n for n in range(page.SHOWN + 3)}))
    assert text.count("<li data-size=") == page.SHOWN + 1 and "3 others" in text
    assert text.count("<tr><td>") == page.SHOWN + 3


def test_a_census_adds_up() -> None:
    shown = samples.placed(more=True)
    found = sheets.census(shown, shown.census)
    assert sum(bar.size for bar in found.bars) == sum(row.pages for row in shown.rows()) * 4096
    assert len(found.rows) == len(shown) and found.left_out == 0


def test_too_many_folios_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "ROWS", 2)
    shown = samples.placed()
    found = sheets.census(shown, shown.census)
    assert (len(found.rows), found.left_out) == (2, len(shown) - 2)
    assert "2 more are left out" in page.html(found)


def test_what_nobody_claims_has_a_bar_and_a_row() -> None:
    found = sheets.who(answer())
    assert found.bad and "2 of an unknown holder" in found.summary
    assert any(bar.name.startswith(sheets.UNKNOWN) for bar in found.bars)
    rows = [row for row in found.rows if row[0] == sheets.UNKNOWN]
    assert [row[5] for row in rows] == [(2, "2 pins")]
    assert any("vfio: not there" in note for note in found.notes)


def test_what_grew_is_told_beside_what_was() -> None:
    found = sheets.diff(diff(samples.placed(), samples.placed(taken=1060.0, more=True)))
    assert {row[0] for row in found.rows} == {"grown", "new"}
    assert all(bar.before is not None and bar.size >= bar.before for bar in found.bars)
    text = page.html(found)
    assert 'class="was"' in text and "What grew most comes first" in text
    growth = [bar.size - (bar.before or 0) for bar in sorted(found.bars, key=lambda it: it.weight)]
    assert growth == sorted(growth)


def test_what_went_comes_last() -> None:
    bars = (Bar("gone", 0, "", before=900), Bar("grew", 30, "", before=10))
    text = page.html(Sheet("t", "s", (), bars, ("a",), ()))
    assert text.index("grew<") < text.index("gone<")


def test_heads_sort_by_number_and_the_filter_hides(tmp_path: Path) -> None:
    path = tmp_path / "held.html"
    path.write_text(page.html(sheet({"a9": 9, "b100": 100, "c20": 20})), encoding="utf-8")
    script = """(() => {
        const names = () => [...document.querySelectorAll('tbody tr')]
            .filter((it) => !it.hidden).map((it) => it.cells[0].textContent);
        const size = document.querySelectorAll('thead button')[1];
        const found = [];
        size.click(); found.push(names());
        size.click(); found.push(names());
        filter.value = 'B1'; filter.dispatchEvent(new Event('input')); found.push(names());
        filter.value = 'zz'; filter.dispatchEvent(new Event('input'));
        return [...found, names(), document.getElementById('none').hidden];
    })()"""
    up, down, one, none, hidden = browser.asked(path, script)
    assert up == ["a9", "c20", "b100"] and down == up[::-1]
    assert one == ["b100"] and none == [] and hidden is False


def test_it_fits_and_says_nothing_to_the_console(tmp_path: Path) -> None:
    path = tmp_path / "who.html"
    path.write_text(page.html(sheets.who(answer())), encoding="utf-8")
    assert browser.console(path) == []
    assert browser.in_frame(path, 360, "it.documentElement.scrollWidth") == 360


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("census -o held.txt", "name it .html"),
        ("census -o held.html --json", "give one of them"),
        ("who --all -o held.html --watch 1", "give one of them"),
        ("who --all -o /nowhere/held.html", "there is no folder /nowhere"),
        ("diff a b -o held.svg", "name it .html"),
    ],
)
def test_misuse(
    words: str, why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(words.split()) == 2
    assert why in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []

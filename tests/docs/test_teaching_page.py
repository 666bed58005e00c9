"""docs/teaching.md: its races are those of the model, and its links lead to steps that matter."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tools import pictures, races

from pinlab.lab.film import Film
from pinlab.report.player import page

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "teaching.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\]\(races/([a-z-]+)\.html(?:#step=(\d+))?\)", TEXT)


def param(name: str, *others: int) -> Any:
    """To find which orders one of them needs takes as long as for all the others."""
    return pytest.param(name, *others, marks=[pytest.mark.slow] * (name == "mapcount"))


@cache
def film(name: str) -> Film:
    return races.film(name)


@pytest.mark.parametrize("name", [param(name) for name in races.RACES])
def test_a_race_is_the_one_of_the_model(name: str) -> None:
    kept = (races.FOLDER / f"{name}.html").read_text(encoding="utf-8")
    assert kept == page.html(film(name)), "run `python -m tools.races`"


def test_all_six_are_played_and_no_other() -> None:
    assert len(races.RACES) == 6
    assert {name for name, _ in LINKS} == set(races.RACES)
    assert {path.stem for path in races.FOLDER.glob("*.html")} == set(races.RACES)


@pytest.mark.parametrize(("name", "step"), [param(name, int(step)) for name, step in LINKS if step])
def test_a_link_leads_to_a_step_that_matters(name: str, step: int) -> None:
    found = film(name)
    assert found.why is not None
    needed = {number for it in found.why.needed for number in (it.before, it.after)}
    assert step in needed | {found.why.chance, len(found.trace.steps)}


def test_what_it_says_of_a_race_is_so() -> None:
    for name, (design, objective, scenario) in races.RACES.items():
        paragraph = next(part for part in TEXT.split("\n\n") if f"races/{name}.html)" in part)
        assert f"`{design}`" in paragraph and f"`{scenario}`" in paragraph
        assert objective in paragraph or objective == "I12"


@pytest.mark.parametrize("name", ["player.png", "who.png"])
def test_a_picture_of_the_readme_is_there_and_small(name: str) -> None:
    path = pictures.PICTURES / name
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size <= 300_000
    assert f"docs/pictures/{name}" in (DOCS.parent / "README.md").read_text(encoding="utf-8")

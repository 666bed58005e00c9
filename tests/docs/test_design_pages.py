"""The pages of docs/designs/ say what a fresh exploration finds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any, cast

import pytest
from tools import design_pages
from tools.design_pages import BEGIN, END, INDEX, PAGES, README

from pinlab.lab import design
from pinlab.lab.results import Comparison
from pinlab.report import schema

ROOT = Path(__file__).parents[2]
NAMES = design.names()


@pytest.fixture(scope="session")
def printed(comparison: Comparison) -> Mapping[str, Any]:
    """The comparison as `pinlab compare --json` prints it."""
    return cast(Mapping[str, Any], schema.compare(comparison))


GENERATED = [README, PAGES / INDEX, *(PAGES / f"{name}.md" for name in NAMES)]


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_page_agrees_with_exploration(path: Path, printed: Mapping[str, Any]) -> None:
    page = path.read_text(encoding="utf-8")
    expected = design_pages.pages(printed)[path]
    fresh = design_pages.updated(page, expected)
    changed = "\n".join(difflib.unified_diff(page.split("\n"), fresh.split("\n"), n=0))
    assert fresh == page, f"is this right? then run python -m tools.design_pages\n{changed}"


@pytest.mark.parametrize("name", NAMES)
def test_page_has_prose(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    for heading in ("## The idea", "## Source", "## Why it "):
        assert f"\n{heading}" in page


def test_every_page_has_a_design() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {*NAMES, Path(INDEX).stem}


@pytest.mark.parametrize("path", [README, *sorted(PAGES.parent.rglob("*.md"))], ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not missing


def test_code_that_is_quoted_is_there() -> None:
    text = (PAGES.parent / "adding.md").read_text(encoding="utf-8")
    quoted = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    sources = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]
    assert quoted
    for block in quoted:
        inner = indent(block.rstrip(), "    ")  # an entry of a table
        assert any(block in source or inner in source for source in sources), block


def test_updated_needs_markers() -> None:
    assert design_pages.updated(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == (
        f"a\n{BEGIN}\nnew\n{END}\nb\n"
    )
    with pytest.raises(ValueError, match="needs one part"):
        design_pages.updated("nothing", "new")

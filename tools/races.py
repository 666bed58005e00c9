"""Writes the six races of docs/teaching.md as pages to play, into docs/races.

    python -m tools.races

tests/docs/test_teaching_page.py holds them to the model, and the page's links to steps that matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pinlab.lab import design, face
from pinlab.lab.film import Film
from pinlab.report.player import page

FOLDER: Final = Path(__file__).parents[1] / "docs" / "races"

RACES: Final = {
    "writeback": ("untracked", "O1", "direct-io-fsync"),
    "buffers": ("untracked", "O2", "put-dirty-reclaim"),
    "block": ("untracked", "O3", "dax-unlink"),
    "fake-vma": ("fake-vma", "I1", "direct-io-truncate"),
    "mapcount": ("mapcount-v1", "I13", "direct-io-fsync-zap"),
    "lease": ("lease-revoke", "I12", "two-pages-fsync"),
}
"""By name: the design, what it breaks, and where."""


def film(name: str) -> Film:
    """The film of a race: the shortest counterexample."""
    of, objective, scenario = RACES[name]
    it = design.load(of)
    found = face.check(it, (scenario,), (objective,), ways=True)
    return face.film(it, found.ways[0].trace())


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name in RACES:
        path = FOLDER / f"{name}.html"
        path.write_text(page.html(film(name)), encoding="utf-8")
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

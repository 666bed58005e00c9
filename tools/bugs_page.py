"""Writes the table of docs/bugs.md: what the lab finds of every bug of the corpus.

    python -m tools.bugs_page       play and look for all bugs, and rewrite the table
    python -m tools.bugs_page B37   only this line

tests/lab/bugs/test_corpus.py holds each line to a fresh exploration.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pinlab.lab import corpus
from pinlab.lab.bug import Reproduced
from pinlab.report import bugs

PAGE = Path(__file__).parents[1] / "docs" / "bugs.md"
BEGIN = "<!-- bugs: begin (python -m tools.bugs_page) -->"
END = "<!-- bugs: end -->"


def line(it: Reproduced) -> str:
    """A bug's line in the table."""
    number, title, objective, buggy, fixed, search = bugs.cells(it)
    played = f"`{it.bug.operations}` from `{it.bug.state}`"
    cells = (number, title, it.bug.fixed_by, objective, played, buggy, fixed, search)
    return f"| {' | '.join(cells)} |"


def table(lines: Iterable[str]) -> str:
    """The table, between its marks."""
    head = "| bug | title | fixed by | objective | played | with it | without it | by search |"
    return "\n".join([BEGIN, head, "|---|---|---|---|---|---|---|---|", *lines, END])


def written() -> list[str]:
    """The lines of the bugs, as the page has them."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, *lines = rest.partition(END)[0].strip().splitlines()
    return lines


def main(numbers: Sequence[str]) -> None:
    """Rewrite the lines of these bugs; without any, all."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = {} if not numbers else {each.split()[1]: each for each in written()}
    bugs = corpus.bugs()
    lines |= {number: line(corpus.reproduce(bugs[number])) for number in numbers or bugs}
    found = table(lines[number] for number in bugs if number in lines)
    PAGE.write_text(before + found + after, encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main(sys.argv[1:])

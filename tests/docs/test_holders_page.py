"""The table of docs/holders.md has every program, and what it says agrees."""

from __future__ import annotations

import pytest
from tools.holders_page import PAGE, TABLE, begin, end

from tests.live.made import PROGRAMS, Program


def rows() -> dict[str, list[str]]:
    part = PAGE.read_text(encoding="utf-8").partition(begin(TABLE))[2].partition(end(TABLE))[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()[3:]]
    return {each[0]: each for each in cells if each}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: f"{each.module}-{each.way}")
def test_a_row_of_each_program(program: Program) -> None:
    _, kind, counted_as, expected, found, mapped = rows()[program.what]
    assert (kind, counted_as) == (program.kind, program.counted_as)
    assert found == expected or not expected.isdecimal()
    assert program.mapped in ("", mapped)


def test_no_other_row() -> None:
    assert set(rows()) == {program.what for program in PROGRAMS}

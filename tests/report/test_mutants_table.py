"""What `pinlab mutate` prints: each mutant or function, and what was not hunted as a number."""

from __future__ import annotations

import pytest
from rich.console import Console

from pinlab.lab.mutants.results import KILLED, UNKNOWN, Score, Scored
from pinlab.report import mutants


def scored(function: str, status: str) -> Scored:
    return Scored(function, "mm/a.py", 7, "dropped", f"call_of_{function}()", status, None, "")


def told(score: Score, *, each: bool) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(mutants.table(score, each))
    return captured.get()


@pytest.mark.parametrize("each", [False, True])
def test_what_somebody_stopped_is_a_number(each: bool) -> None:
    all_of_them = (scored("hunted", KILLED), *(scored("other", UNKNOWN) for _ in range(40)))
    text = told(Score("untracked", "4.20", all_of_them, 1.0, "interrupted"), each=each)
    assert "hunted" in text and "40 not hunted yet" in text and "Stopped early" in text
    assert "other" not in text


@pytest.mark.parametrize("each", [False, True])
def test_what_nobody_has_hunted_yet_is_listed(each: bool) -> None:
    text = told(Score("untracked", "4.20", (scored("other", UNKNOWN),), 1.0, None), each=each)
    assert "other" in text and "1 not hunted yet" in text

"""The race of a counterexample as a litmus test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import check, face


def race(design: str, scenario: str, objective: str, model: str) -> str | None:
    it = face.load_design(design)
    result = check.check(it, (scenario,), (objective,), memory_model=model)
    return face.racing(it, result.traces[objective, scenario]())


@pytest.mark.parametrize(
    ("design", "scenario", "objective", "words"),
    [
        pytest.param(
            *("mapcount-v1", "direct-io-fsync", "I13", [False, False, True]),
            marks=pytest.mark.slow,
        ),
        ("untracked", "put-dirty-reclaim", "I4", [False, True, True]),
    ],
)
def test_it_says_what_the_design_says(
    tmp_path: Path, design: str, scenario: str, objective: str, words: list[bool]
) -> None:
    """It is possible where the design breaks, and nowhere else."""
    text = race(design, scenario, objective, "arm64")
    assert text is not None
    path = tmp_path / "race.litmus"
    path.write_text(text)
    found = face.litmus(path)
    assert found.test == f"{design}-{objective}"
    assert [answer.possible for answer in found.answers] == words


def test_what_needs_no_reordering_has_none() -> None:
    assert race("untracked", "direct-io-fsync", "O1", "arm64") is None

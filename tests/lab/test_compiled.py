"""Programs that were compiled before are the same programs."""

from __future__ import annotations

from pathlib import Path

import pytest

import pinlab
from pinlab.lab import build, compiled, design, worlds
from pinlab.lab.language import compile as compiler
from pinlab.lab.language.program import Program
from pinlab.lab.store import Store

OWN = """
BASE = "untracked"
from pinlab.lab.language.kernel import kernel
from pinlab.lab.linux.types import Page


@kernel
def page_pinned(page: Page) -> bool:
    return True
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each program that is really compiled; nothing is kept before."""
    found: list[str] = []
    kept = Store(tmp_path, "compiled")
    compile_program = compiler.compile_program

    def counted(*args: object) -> Program:
        found.append("compiled")
        return compile_program(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(compiled, "store", lambda: kept)
    monkeypatch.setattr(compiled, "compile_program", counted)
    return found


def fresh(name: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program of a design, as a process has it that has made none."""
    monkeypatch.setattr(build, "_programs", {})
    return build.program(design.load(name))


@pytest.mark.parametrize("name", ["mapcount-v3", "lru-counter-october", "mainline"])
def test_a_program_is_compiled_once(
    made: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    first = fresh(name, monkeypatch)
    assert fresh(name, monkeypatch) == first
    assert len(made) == 1


@pytest.mark.slow
def test_two_designs_are_two_programs(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*design.names(), *design.names(worlds.load("7.2"))]
    programs = [fresh(name, monkeypatch) for name in names]
    assert len(made) == len(names)
    assert [fresh(name, monkeypatch) for name in names] == programs
    assert len(made) == len(names)


def test_a_design_of_ones_own_is_compiled_each_time(
    made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    fresh(str(file), monkeypatch)
    fresh(str(file), monkeypatch)
    assert len(made) == 2


def test_another_package_is_another_key(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fresh("untracked", monkeypatch)
    monkeypatch.setattr(compiled, "package", lambda: "edited")
    fresh("untracked", monkeypatch)
    assert len(made) == 2


def test_a_file_that_changed_meanwhile_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit between import and digest would have the old text's answers kept for the new one."""
    before = compiled.digest(compiled.FOLDERS)
    assert compiled.digest(compiled.FOLDERS) == before
    monkeypatch.setattr(pinlab, "BEGAN", 0.0)
    changed = compiled.digest(compiled.FOLDERS)
    assert changed != before and compiled.digest(compiled.FOLDERS) != changed

"""What is kept is what would be explored, and no more of it is believed than was asked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import pinlab
from pinlab.lab import build, design, face, ledger, patch
from pinlab.lab.explore import choose
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.store import Store
from pinlab.lab.weak import NAMES


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A ledger that has nothing."""
    found = Store(tmp_path, "explored")
    monkeypatch.setattr(ledger, "store", lambda: found)
    return found


@pytest.fixture
def explored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each exploration that is really made."""
    made: list[str] = []
    explore = choose.explore

    def counted(*args: object, **options: object) -> Exploration:
        made.append("explored")
        return explore(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(choose, "explore", counted)
    return made


def same(one: Exploration, other: Exploration) -> bool:
    """Whether both found the same; how long it took, and in which engine, is not asked."""
    return replace(one, seconds=0, memory_bytes=0) == replace(other, seconds=0, memory_bytes=0)


def explore(name: str, scenario: str, model: str = "sc", **options: object) -> Exploration:
    """One exploration of a design, as `check` asks for it."""
    it = design.load(name)
    played = build.known(it)[scenario]
    system = build.system(it, played, face.probe(it).known, None, model)
    goals = build.progress(it, played)
    audit = build.audit(it, played, played.judges)
    return ledger.explore(system, progress=goals, audit=audit, **options)  # type: ignore[arg-type]


SOME = (
    ("untracked", "direct-io-fsync-zap"),
    ("mapcount-v3", "direct-io-fsync-zap"),
    ("fake-vma", "longterm-fsync"),
    ("bounce", "put-dirty-reclaim"),
)


@pytest.mark.parametrize(("name", "scenario"), SOME)
@pytest.mark.parametrize("everywhere", [False, True])
def test_kept_and_explored_are_the_same(
    kept: Store, explored: list[str], name: str, scenario: str, everywhere: bool
) -> None:
    first = explore(name, scenario, everywhere=everywhere)
    before = len(explored)
    again = explore(name, scenario, everywhere=everywhere)
    assert same(first, again)
    assert len(explored) == before


@pytest.mark.parametrize("model", NAMES)
def test_a_memory_model_is_another_exploration(
    kept: Store, explored: list[str], model: str
) -> None:
    explore("untracked", "put-dirty-reclaim")
    explored.clear()
    explore("untracked", "put-dirty-reclaim", model)
    assert bool(explored) == (model != "sc")


def test_what_a_limit_ended_is_known_for_that_limit_alone(kept: Store, explored: list[str]) -> None:
    cut = explore("untracked", "direct-io-fsync-zap", limits=Limits(max_states=10))
    assert not cut.complete
    explored.clear()
    assert not explore("untracked", "direct-io-fsync-zap", limits=Limits(max_states=10)).complete
    assert not explored
    whole = explore("untracked", "direct-io-fsync-zap", limits=Limits(max_states=10**6))
    assert whole.complete and explored
    explored.clear()
    assert explore("untracked", "direct-io-fsync-zap").states == whole.states
    assert not explored
    assert not explore("untracked", "direct-io-fsync-zap", limits=Limits(max_states=11)).complete
    assert explored


def test_what_time_ended_is_not_kept(kept: Store) -> None:
    ended = explore("untracked", "direct-io-fsync-zap", limits=Limits(seconds=0))
    assert not ended.complete
    assert explore("untracked", "direct-io-fsync-zap").complete


def test_who_names_an_engine_sees_it_run(kept: Store, explored: list[str]) -> None:
    explore("untracked", "put-dirty-reclaim")
    explored.clear()
    explore("untracked", "put-dirty-reclaim", engine="interpreter")
    assert explored


def keys(name: str) -> dict[str, bytes]:
    """The key of each scenario of a design."""
    it = design.load(name)
    return {
        scenario.name: ledger.key(
            build.system(it, scenario, {}), build.progress(it, scenario), None, everywhere=False
        )
        for scenario in build.known(it).values()
    }


@pytest.mark.parametrize(
    "function", ["page_mkclean", "truncate_inode_page", "copy_one_pte", "shrink_page_list"]
)
def test_an_edit_changes_the_keys_of_what_reaches_it(tmp_path: Path, function: str) -> None:
    """Of others no key changes, though the numbers of nodes and slots do; a comment is no edit."""
    it = design.load("untracked")
    text = patch.patch(function)
    commented = tmp_path / "commented.py"
    commented.write_text(text.replace("@kernel", "# one more line\n@kernel"))
    edited = tmp_path / "edited.py"
    edited.write_text(_with_a_barrier(text))
    before = keys("untracked")
    assert keys(str(commented)) == before
    after = keys(str(edited))
    program = build.program(it)
    reaching = {
        scenario.name
        for scenario in build.known(it).values()
        if function in build.called(program, [scenario])
    }
    assert {name for name in before if after[name] != before[name]} == reaching
    assert reaching and reaching != set(before)


def _with_a_barrier(text: str) -> str:
    """The patch with one more barrier at the beginning of its function."""
    head, colon, body = text.rpartition('"""\n') if text.count('"""') > 2 else text.partition(":\n")
    edited = f"{head}{colon}    smp_mb()\n{body}"
    return edited.replace("@kernel", "from pinlab.lab.language.kernel import smp_mb\n\n\n@kernel")


LOADED = """
import sys
import pinlab.lab.explore.native, pinlab.lab.explore.reference, pinlab.lab.weak
import pinlab.lab.audited, pinlab.lab.books, pinlab.lab.today.books
print(*(f"{name}={it.__file__}" for name, it in sys.modules.items() if name.startswith("pinlab.")))
"""

ELSEWHERE = {
    "pinlab.garbage": "when memory is collected",
    "pinlab.lab.explore.objectcache": "where machine code is kept",
    "pinlab.lab.linux.design": "hooks, which are functions of the model: each has its digest",
    "pinlab.nearest": "only words its errors",
    "pinlab.errors": "only words its errors",
}


def test_all_that_explores_is_in_the_engines_digest() -> None:
    home = Path(pinlab.__file__).parent
    said = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True).stdout
    loaded = dict(each.split("=") for each in said.decode().split())
    assert len(loaded) > len(ledger.ENGINE)
    for name, file in loaded.items():
        part = str(Path(file).relative_to(home))
        if name not in ELSEWHERE and Path(file).name != "__init__.py":
            assert any(part == each or part.startswith(f"{each}/") for each in ledger.ENGINE), name

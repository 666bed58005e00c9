"""The sweep: which combinations there are, and that it finds what breaks."""

from __future__ import annotations

from multiprocessing import active_children
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import check, design, face, sweep
from pinlab.lab.explore.result import Limits
from pinlab.lab.results import Swept, Wanted
from pinlab.objectives.verdict import Outcome


def _swept(name: str, *, with_: str, states: str = "dirty+buffers rw") -> Swept:
    it = face.load_design(name)
    wanted = sweep.ask(it, Wanted(having=with_, states=(states,)))
    return sweep.sweep(it, face.probe(it).known, wanted)


def _names(**asked: object) -> list[str]:
    it = design.load("refcount-bias")
    wanted = sweep.ask(it, Wanted(**asked))  # type: ignore[arg-type]
    found = sweep.combinations(wanted, 2)
    return [f"{','.join(each.name for each in chosen)}/{at.name}" for chosen, at in found]


def test_each_combination_has_one_of_those_asked_for() -> None:
    names = _names(having="zap", states=("clean ro",))
    assert names
    assert all("zap@" in name for name in names)


def test_a_mapping_is_asked_for_by_its_name() -> None:
    names = _names(having="put-dirty@2", states=("dirty+buffers rw+rw2",))
    assert names
    assert all("put-dirty@2" in name for name in names)
    names = _names(having="zap", without="zap@1", states=("dirty+buffers rw+rw2",))
    assert not [name for name in names if "zap@1" in name]
    assert [name for name in names if "zap@2" in name]


def test_all_left_out_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves out all that --with asks for"):
        _names(having="fsync", without="fsync, truncate")


def test_where_nothing_fits_nothing_holds() -> None:
    """Parts of combinations are explored too, but of them nothing is said."""
    it = face.load_design("refcount-bias")
    found = face.sweep(it, Wanted(having="writeback", states=("anon",)))
    assert found.explored == 0
    assert {verdict.outcome for verdict in found.verdicts().values()} == {Outcome.UNKNOWN}


def test_what_is_counted_was_asked_for() -> None:
    found = _swept("refcount-bias", with_="writeback")
    pairs = _names(having="writeback", states=("dirty+buffers rw",))
    assert found.explored == len(pairs) + 1  # and writeback alone


def test_a_state_said_twice_is_asked_once() -> None:
    assert _names(having="zap", states=("clean ro", "clean ro")) == _names(
        having="zap", states=("clean ro",)
    )


def test_what_is_left_out_is_in_none() -> None:
    assert not [
        name for name in _names(without="fsync, truncate", states=("clean",)) if "fsync/" in name
    ]


def test_against_a_contract_only_if_asked_for() -> None:
    assert not [name for name in _names(states=("clean",)) if "put-clean-verify" in name]
    assert _names(having="put-clean-verify", states=("clean",))


def test_touching_a_function_is_what_comes_to_it() -> None:
    names = _names(touching=("copy_one_pte",), states=("dirty+buffers rw+private",))
    assert names
    assert all("fork" in name for name in names)


def test_of_a_pure_function_it_is_what_comes_to_its_users() -> None:
    names = _names(touching=("pte_wrprotect",), having="fork", states=("clean ro",))
    assert "fsync-only,fork/clean ro" in names


def test_of_what_is_asked_for_one_may_be_what_comes_to_the_function() -> None:
    names = _names(having="zap", touching=("copy_one_pte",), states=("dirty+buffers rw+private",))
    assert "zap@1,fork/dirty+buffers rw+private" in names
    assert all("zap" in name and "fork" in name for name in names)


def test_the_processes_are_not_taken_for_each_other() -> None:
    """A walk comes to the first one's mapping first, so a zap of it is another race."""
    names = _names(having="zap", states=("dirty+buffers rw+rw2",))
    assert {f"fsync,zap@{place}/dirty+buffers rw+rw2" for place in "12"} <= set(names)


def test_two_pages_only_where_somebody_uses_both() -> None:
    names = _names(states=("dirty+buffers+two rw",))
    assert names
    assert all("dio-read-two" in name or "fsync-second" in name for name in names)


def test_an_estimate_comes_from_a_sample() -> None:
    it = design.load("refcount-bias")
    wanted = sweep.ask(it, Wanted(having="zap"))
    found = sweep.estimate(it, face.probe(it).known, wanted)
    assert found.combinations == len(list(sweep.combinations(wanted, 2)))
    assert found.sampled == sweep.SAMPLE
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"size": 0}, "give 1 to 4 operations"),
        ({"having": "zapp"}, "no operation 'zapp'"),
        ({"touching": ("alloc_nothing",)}, "no function 'alloc_nothing'"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        _names(**asked)


def test_it_finds_what_the_scenarios_of_the_thread_find_in_as_few_steps() -> None:
    smallest = _swept("refcount-bias", with_="dio-read, put-dirty-lock").smallest()
    it = design.load("refcount-bias")
    rows = check.check(it, ("direct-io-fsync",), ("O1", "O2")).rows
    for row in rows:
        assert row.verdict.steps is not None
        assert smallest[row.objective].steps <= row.verdict.steps


def test_its_counterexamples_can_be_explained() -> None:
    broken = _swept("bounce", with_="unlink", states="dax rw").smallest()["O3"]
    it = design.load("bounce")
    trace = check.check(it, (broken.scenario,), ("O3",)).traces["O3", broken.scenario]()
    assert len(trace.steps) == broken.steps


LEAK = '''"""leak: put_user_page() forgets every second reference."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page

forgotten = flag()


@kernel
def release_page(page: Page) -> None:
    """Drops it only once."""
    if not READ_ONCE(forgotten):
        WRITE_ONCE(forgotten, 1)
        put_page(page)
'''


def test_a_damage_is_found_with_no_hint(tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text(LEAK)
    found = _swept(str(tmp_path / "leak.py"), with_="gup", states="clean ro")
    assert found.smallest()["I16"].how == "page 1 has more references than users"
    assert "I16" not in _swept("untracked", with_="gup", states="clean ro").smallest()


def test_what_one_breaks_alone_is_not_said_of_two(tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text(LEAK.replace("put_page(page)", "pass"))
    found = _swept(str(tmp_path / "never.py"), with_="gup", states="clean ro")
    assert {len(it.operations) for it in found.broken if it.objective == "I16"} == {1}


UNCOUNTED = '''"""uncounted: fork copies an entry and does not count it."""
from typing import cast

from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import get_page
from pinlab.lab.linux.types import Page, Vma, pte_none, pte_page, pte_write, pte_wrprotect

BASE = "untracked"


@kernel
def copy_one_pte(parent: Vma, child: Vma, index: u1) -> None:
    """Without page_dup_rmap()."""
    spin_lock(child.ptl)
    spin_lock(parent.ptl)
    pte = READ_ONCE(parent.pte[index])
    if not pte_none(pte):
        if pte_write(pte):
            ptep_set_wrprotect(parent.pte[index], pte_wrprotect(pte))
        get_page(pte_page(pte))
        WRITE_ONCE(child.pte[index], pte_wrprotect(pte))
    spin_unlock(parent.ptl)
    spin_unlock(child.ptl)
'''


def test_of_a_patch_nothing_is_said_that_fewer_break_without_it(tmp_path: Path) -> None:
    """Without the patch pin-fork-store breaks I5 alone; with it, the pair with a fault does."""
    (tmp_path / "uncounted.py").write_text(UNCOUNTED)
    patch = face.load_design(str(tmp_path / "uncounted.py"))
    found = face.sweep(patch, Wanted(having="pin-fork-store", states=("anon",)))
    assert found.explored
    assert "I5" not in found.smallest()
    base = face.load_design("untracked")
    for it in found.broken:
        rows = check.check(base, (it.scenario,), (it.objective,)).rows
        assert {row.verdict.outcome for row in rows} == {Outcome.HOLDS}, it


def test_of_a_patch_that_is_stopped_nothing_is_said_to_break(tmp_path: Path) -> None:
    (tmp_path / "uncounted.py").write_text(UNCOUNTED)
    patch = face.load_design(str(tmp_path / "uncounted.py"))

    def stop(done: int, of: int) -> None:
        if done == of:
            raise KeyboardInterrupt

    found = face.sweep(patch, Wanted(having="fork", states=("anon",)), on_sweep=stop)
    assert found.stopped == "interrupted"
    assert not found.broken
    verdicts = found.verdicts()
    assert verdicts["I16"].outcome is Outcome.UNKNOWN
    assert "without the patch too" in verdicts["I16"].reason
    assert Outcome.VIOLATED not in {verdict.outcome for verdict in verdicts.values()}


def test_ctrl_c_ends_it_with_what_it_found_and_leaves_no_process() -> None:
    def stop(done: int, of: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    it = face.load_design("bounce")
    wanted = sweep.ask(it, Wanted(states=("clean", "clean ro")))
    found = sweep.sweep(it, face.probe(it).known, wanted, jobs=2, on_sweep=stop)
    assert found.stopped == "interrupted"
    assert found.explored > 0
    assert found.unexplored > 0
    assert {each.outcome for each in found.verdicts().values()} <= {
        Outcome.UNKNOWN,
        Outcome.VIOLATED,
    }
    for worker in active_children():
        worker.join(20)
    assert not active_children()


def test_what_is_cut_off_holds_nowhere() -> None:
    it = face.load_design("bounce")
    wanted = Wanted(having="get-put", states=("clean",))
    found = face.sweep(it, wanted, limits=Limits(max_states=50))
    assert found.cut_off
    assert all(each.outcome is Outcome.UNKNOWN for each in found.verdicts().values())


def test_states_are_said_in_words() -> None:
    wanted = sweep.ask(design.load("bounce"), Wanted(states=("clean ro",)))
    assert {at.name for _, at in sweep.combinations(wanted, 2)} == {"clean ro"}

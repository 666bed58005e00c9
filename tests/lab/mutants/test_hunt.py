"""A mutant is noticed where something breaks that held, or where an operation does something else;
one that does the same is not."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import pytest

from pinlab.lab import design, face, ledger, worlds
from pinlab.lab.mutants import hunt as hunting
from pinlab.lab.mutants.base import Base, base
from pinlab.lab.mutants.hunt import ALONE, SILENT, Hunt, hunt, known
from pinlab.lab.mutants.mutation import Mutant, mutants
from pinlab.lab.results import Wanted
from pinlab.lab.store import Store

SWAPPED = (
    "flush_tlb_page() <-> WRITE_ONCE(vma.pte[page_index(page)], pte_mkclean(pte_wrprotect(pte)))"
)
"""Which does the same: all CPUs have been flushed when the lock is given back."""


@pytest.fixture(scope="module")
def few() -> Base:
    """Writeback and a zap beside each other, and each alone."""
    it = design.load("untracked")
    wanted = Wanted(2, "writeback, zap@1", states=("dirty+buffers rw", "dirty+buffers ro"))
    found = base(it, face.probe(it).known, 2, wanted=wanted)
    assert found is not None
    return found


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A ledger that has nothing."""
    found = Store(tmp_path, "explored")
    monkeypatch.setattr(ledger, "store", lambda: found)
    return found


def mutant(function: str, kind: str, what: str) -> Mutant:
    of = worlds.DEFAULT.function(function)
    (found,) = (it for it in mutants(of) if it.kind == kind and it.what == what)
    return found


def test_what_breaks_that_held_is_noticed(few: Base) -> None:
    found = hunt(mutant("page_mkclean", "unlocked", "spin_lock(vma.ptl)"), few)
    assert found.kill is not None
    assert len(found.kill.operations) == 2
    assert found.explored <= found.executing < len(few.questions)


def test_so_is_what_does_something_else_alone() -> None:
    it = design.load("untracked")
    alone = base(it, face.probe(it).known, 1, wanted=Wanted(1, "reclaim", states=("clean ro",)))
    assert alone is not None
    found = hunt(mutant("shrink_page_list", "dropped", "try_to_unmap(page)"), alone)
    assert found.kill is not None
    assert (found.kill.operations, found.kill.what) == (("reclaim",), ALONE)


def test_so_is_who_never_ends_and_is_heard_of_less() -> None:
    it = design.load("untracked")
    states = ("dirty+buffers rw",)
    alone = base(it, face.probe(it).known, 1, wanted=Wanted(1, "rdma", states=states))
    assert alone is not None
    stores = "READ_ONCE(dma_state) == IN_FLIGHT"
    found = hunt(mutant("streaming_device", "unchecked", stores), alone)
    assert found.kill is not None
    assert found.kill.what == SILENT.format("dev_store")


def test_a_hunt_may_end_before_all_is_explored(few: Base) -> None:
    it = mutant("page_mkclean", "swapped", SWAPPED)
    assert hunt(it, few, 3).explored == 3 < hunt(it, few).explored


def same(it: Mutant, number: int, few: Base) -> bool:
    """Whether a mutant does in a combination what the model does."""
    question, before = few.questions[number], few.answers[number]
    now = hunting._ask(few.asking, question, hunting._program(it, few), before)
    return (now.states, now.hits, now.ends) == (before.states, before.hits, before.ends)


def test_what_does_nothing_here_need_not_be_explored(few: Base) -> None:
    it = mutant("page_mkclean", "dropped", "mkclean_begin(page)")
    executing = few.executing(it.function, it.lines)
    assert hunt(it, few) == Hunt(None, len(executing), 0, 0, 0)
    assert all(same(it, number, few) for number in executing[::27])


def test_only_what_executes_the_line_is_explored(few: Base) -> None:
    """In any other combination the mutant does what the model does."""
    it = mutant("page_mkclean", "dropped", "flush_tlb_page()")
    executing = set(few.executing(it.function, it.lines))
    assert 0 < len(executing) < len(few.questions)
    others = sorted(set(range(len(few.questions))) - executing)
    assert all(same(it, number, few) for number in others[::20])


def test_a_hunt_is_kept(few: Base, kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    it = mutant("page_mkclean", "unlocked", "spin_lock(vma.ptl)")
    assert known(it, few) is None
    found = hunt(it, few)
    monkeypatch.setattr(hunting, "_hunt", None)
    assert hunt(it, few) == known(it, few) == found


def test_what_cannot_be_compiled_is_no_mutant(few: Base) -> None:
    it = mutant("zap_pte_range", "negated", "pte_none(pte)")
    broken = replace(it, text=it.text.replace("pte_none(pte)", "pte_none(gone)"))
    assert "gone" in hunt(broken, few).refused
    same = replace(it, text=ast.unparse(ast.parse(inspect.getsource(function_of(it)))))
    assert hunt(same, few).is_same


def function_of(it: Mutant) -> FunctionType:
    found = worlds.DEFAULT.function(it.function).function
    assert isinstance(found, FunctionType)
    return found


def test_what_was_not_kept_is_not_explored(kept: Store) -> None:
    it = design.load("untracked")
    wanted, keys = Wanted(1, "reclaim", states=("clean ro",)), face.probe(it).known
    assert base(it, keys, 1, wanted=wanted, exploring=False) is None
    found = base(it, keys, 1, wanted=wanted)
    again = base(it, keys, 1, wanted=wanted, exploring=False)
    assert found is not None and again is not None
    assert again.answers == found.answers

"""Operations: how they are written, what they need, and that scenarios of the thread are some."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from pinlab.errors import UsageError
from pinlab.lab import asked, check, design
from pinlab.lab.linux.types import CHILD, PRIVATE, SHARED2
from pinlab.lab.scenarios.operation import combined, played, refusal
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.words import STATES, state
from pinlab.objectives.verdict import Outcome


def test_what_stands_behind_at_is_the_mapping_and_its_process() -> None:
    (zap,) = played("zap@2", OPERATIONS)
    assert [task.args for task in zap.tasks()] == [(2, SHARED2, 0)]


def test_the_first_place_is_meant_if_none_is_said() -> None:
    assert [each.name for each in played("dio-read, fsync", OPERATIONS)] == ["dio-read@1", "fsync"]


def test_tasks_of_one_name_are_told_apart_and_keep_their_interrupts() -> None:
    made = combined(played("gup@1, gup@1, dio-read@1", OPERATIONS), state("dirty+buffers rw"), ())
    assert [task.name for task in made.tasks] == ["pin", "pin 2", "read", "device", "irq", "worker"]
    assert made.tasks[4].irq_of == "read"


def test_mappings_that_are_worked_on_are_there() -> None:
    made = combined(played("read-fault@2, fork", OPERATIONS), state("clean+buffers"), ())
    present = made.initial["Vma.present"]
    assert [n for n, there in enumerate(present, 1) if there] == [SHARED2, PRIVATE, CHILD]
    assert made.initial["Vma.VM_SHARED"] == (0, 1, 0, 0)


def test_whoever_runs_user_code_has_a_tlb_if_somebody_stores_through_one() -> None:
    chosen = played("dio-read@1, fsync, store@1", OPERATIONS)
    made = combined(chosen, state("dirty+buffers rw"), ())
    assert made.initial["mm_cpumask"] == (1, 0, 0, 0, 0, 1, 0)
    without = combined(played("dio-read@1, fsync", OPERATIONS), state("dirty+buffers rw"), ())
    assert "mm_cpumask" not in without.initial


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dio-red@1", "no operation 'dio-red': .*dio-read"),
        ("", "no operation is named"),
        ("fsync@1", "fsync@1 cannot be played: say fsync"),
        ("rdma@2", "say rdma@1"),
    ],
)
def test_what_is_no_operation_is_refused(words: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        played(words, OPERATIONS)


@pytest.mark.parametrize(
    ("words", "at", "sentence"),
    [
        ("dio-read@1, rdma@1", "dirty+buffers rw", "one device"),
        ("put-dirty@1, truncate", "dirty+buffers rw", "never beside truncate"),
        ("unlink@1", "clean", "is for dax pages"),
        ("dio-read-two@1", "dirty+buffers rw", "needs a state that is two"),
        ("dio-write-late", "dirty+buffers rw", "waits for a registration"),
        ("fork", "anon+forked", "cannot be played from a state that is forked"),
        ("dio-read@1, gup@1, gup@1, gup@1, gup@1", "dirty+buffers rw", "7 CPUs"),
    ],
)
def test_what_cannot_be_beside_each_other_is_refused(words: str, at: str, sentence: str) -> None:
    assert sentence in refusal(played(words, OPERATIONS), state(at))


def test_every_operation_is_played_alone_somewhere() -> None:
    it = design.load("refcount-bias")
    for each in OPERATIONS.values():
        for place in each.places or ("",):
            name = f"{each.name}@{place}" if place else each.name
            if each.beside:
                name = f"rdma-quiet@1,{name}"
            rows = check.check(it, asked.combinations(name, None)[:1], ("I12",)).rows
            assert rows[0].verdict.outcome in (Outcome.HOLDS, Outcome.UNKNOWN), (name, rows[0])


def test_refusals_do_not_depend_on_the_order() -> None:
    every = [played(each.name, OPERATIONS)[0] for each in OPERATIONS.values()]
    at = state(STATES[0])
    for one, other in combinations_with_replacement(every, 2):
        assert bool(refusal((one, other), at)) == bool(refusal((other, one), at))

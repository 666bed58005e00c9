"""Pins: what GUP leaves behind, and what takes it away from under its user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pinlab.lab.language.kernel import WRITE_ONCE, kernel
from pinlab.lab.linux.device import one_shot_device
from pinlab.lab.linux.fork import dup_mmap, munmap
from pinlab.lab.linux.memory import madvise_dontneed
from pinlab.lab.linux.rdma import ib_umem_get
from pinlab.lab.linux.tasks import (
    atomic_gup,
    dax_read,
    fsync_only,
    pin_fork_store,
    pin_unpin,
    write_fault,
)
from pinlab.lab.linux.truncate import ext4_setattr, invalidate_inode_pages2
from pinlab.lab.linux.types import CHILD, FILE, PRIVATE, SHARED, SHARED2, Vma
from pinlab.lab.scenarios.operation import played, tasks
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.scenario import Task
from pinlab.lab.scenarios.words import state
from tests.lab.linux.world import every_order, run

DIRTY = state("dirty+buffers rw").values

DESIGNS = (
    "untracked",
    "page-counter",
    "refcount-bias",
    "mapcount-v1",
    "mapcount-v3",
    "mapcount-v4",
    "lru-counter-july",
    "lru-counter-october",
)
PIN = Task("pin", pin_unpin, (1, SHARED, 0))


@pytest.mark.parametrize("design", DESIGNS)
def test_a_pin_that_is_dropped_leaves_every_count_as_it_was(design: str) -> None:
    before = DIRTY
    world = run(before, PIN, by=design)
    assert world.names() == ["pin", "unpin"]
    for field in ("_refcount", "_mapcount", "PG_lru"):
        assert world.values[f"Page.{field}"] == before[f"Page.{field}"]


def test_gup_fast_takes_no_lock_and_turns_interrupts_on_again() -> None:
    world = run(DIRTY, Task("driver", atomic_gup, (SHARED, 0)))
    assert world.names() == ["pin", "unpin"]
    assert set(world.values["irqs_off"]) == {0}


def test_gup_for_writing_faults_on_a_read_only_entry() -> None:
    world = run(DIRTY, Task("fsync", fsync_only, (FILE,)), PIN)
    assert world.names()[-4:] == ["fault_mkwrite", "dirty", "pin", "unpin"]


def test_gup_gives_up_on_a_page_that_left_the_file() -> None:
    truncated = {**DIRTY, "truncates": (1,)}
    world = run(truncated, Task("truncate", ext4_setattr, (FILE, 0)), PIN)
    assert "pin" not in world.names()
    assert world.page("_refcount") == 0


def test_gup_gives_up_on_memory_that_is_unmapped() -> None:
    gone = {**DIRTY, "tables_go": (1,)}
    world = run(gone, Task("munmap", munmap, (1, SHARED, 0)), PIN)
    assert "pin" not in world.names()
    assert world.page("_refcount") == 1  # the page cache keeps it


def test_a_device_stores_and_completion_in_an_interrupt_drops_the_pin() -> None:
    world = run(DIRTY, *tasks(played("dio-read@1", OPERATIONS)))
    assert world.names() == ["pin", "dev_store", "unpin"]


def test_a_zap_keeps_the_dirtiness_of_its_entry() -> None:
    clean = {**state("dirty+buffers rw+rw2").values, "Page.PG_dirty": (0, 0, 0, 0)}
    world = run(clean, Task("zap", madvise_dontneed, (2, SHARED2, 0)))
    assert world.page("PG_dirty") == 1
    assert (world.page("_mapcount"), world.page("_refcount")) == (0, 2)
    assert world.values["Vma.pte"][:4] == (1 | 8 | 16, 0, 0, 0)


def test_truncate_takes_a_page_out_of_its_file_and_frees_its_block() -> None:
    two = {**state("dirty+buffers+two rw").values, "truncates": (1,)}
    world = run(two, Task("truncate", ext4_setattr, (FILE, 0)))
    assert world.values["AddressSpace.i_pages"] == (0, 2)
    assert world.values["AddressSpace.block"] == (0, 2)
    assert world.names()[-2:] == ["cache_del", "page_free"]


def test_invalidation_refuses_a_dirty_page() -> None:
    world = run(DIRTY, Task("invalidate", invalidate_inode_pages2, (FILE, 0)))
    assert world.values["AddressSpace.i_pages"] == (1, 0)


def test_fork_shares_anonymous_memory_read_only() -> None:
    world = run(state("anon").values, Task("fork", dup_mmap, (1, 2, PRIVATE, CHILD, 0)))
    assert world.values["Vma.pte"][4:] == (3 | 16, 0, 3 | 16, 0)
    assert (world.page("_refcount", 3), world.page("_mapcount", 3)) == (2, 1)


def test_a_store_after_fork_copies_and_the_last_mapping_is_reused() -> None:
    world = run(
        state("anon+forked").values,
        Task("parent", write_fault, (1, PRIVATE, 0)),
        Task("child", write_fault, (2, CHILD, 0)),
    )
    parent, child = world.values["Vma.pte"][4], world.values["Vma.pte"][6]
    assert (parent & 7, child & 7) == (4, 3)
    assert world.page("_refcount", 3) == world.page("_refcount", 4) == 1


def test_fork_makes_an_earlier_pin_stale() -> None:
    world = run(state("anon").values, Task("parent", pin_fork_store, (1, 2, PRIVATE, CHILD, 0)))
    assert "pin_stale" in world.names(3)


def test_truncate_of_a_dax_page_frees_its_block_when_the_pin_is_gone() -> None:
    world = run(
        state("dax rw").values,
        Task("read", dax_read, (1, SHARED, 0)),
        Task("device", one_shot_device, (1, SHARED, 0), daemon=True),
        Task("truncate", ext4_setattr, (FILE, 0)),
    )
    assert world.names() == ["pin", "dev_store", "unpin", "block_free", "block_reuse"]


def test_a_long_term_pin_of_a_dax_page_is_refused() -> None:
    world = run(state("dax rw").values, Task("rdma", ib_umem_get, (1, SHARED, 0), daemon=True))
    assert world.names() == ["pin", "unpin"]


@kernel
def munmap_without_waiting(vma: Vma) -> None:
    """A page table freed with no regard to interrupts, as retract_page_tables() did (B21)."""
    WRITE_ONCE(vma.pmd_none, 1)
    WRITE_ONCE(vma.table_freed, 1)


@pytest.mark.parametrize(
    ("unmap", "args", "seen"),
    [(munmap, (1, SHARED, 0), False), (munmap_without_waiting, (SHARED,), True)],
)
def test_gup_fast_walks_no_freed_table_if_munmap_waits_for_interrupts(
    unmap: Callable[..., Any], args: tuple[int, ...], seen: bool
) -> None:
    tables = {**DIRTY, "tables_go": (1,)}
    found = every_order(tables, PIN, Task("munmap", unmap, args))
    assert found.complete
    assert ("I9" in found.hits) is seen

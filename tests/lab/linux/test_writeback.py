"""Writeback, alone and beside a pin: what is on the disk, and who was told."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel
from pinlab.lab.linux.design import device_store
from pinlab.lab.linux.page_writeback import end_page_io, write_one_page
from pinlab.lab.linux.tasks import (
    do_fsync,
    flusher_then_kswapd,
    fsync_only,
    store_and_verify,
    wb_workfn,
    write_fault,
)
from pinlab.lab.linux.types import (
    CPU_DATA,
    DEVICE_DATA,
    FILE,
    OLD,
    SHARED,
    TORN,
    AddressSpace,
    Page,
)
from pinlab.lab.scenarios.operation import played, tasks
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.scenario import Task
from pinlab.lab.scenarios.words import state
from tests.lab.linux.world import every_order, run

DIRTY = state("dirty+buffers rw").values

FSYNC = Task("fsync", fsync_only, (FILE,))
READ = tasks(played("dio-read-verify@1", OPERATIONS))


def test_fsync_writes_a_dirty_page_and_leaves_it_clean_and_read_only() -> None:
    world = run(DIRTY, FSYNC)
    assert world.values["disk"] == (0, CPU_DATA, 0, 0)
    assert world.page("PG_dirty") == world.page("PG_writeback") == 0
    assert world.values["Vma.pte"][0] == 1  # frame 1, neither writable nor dirty
    assert world.names() == [
        "wb_attempt",
        "mkclean",
        "query",
        "clean_for_io",
        "answer_unpinned",
        "wb_start",
        "wb_end",
    ]


def test_the_reference_of_writeback_is_dropped_again() -> None:
    assert run(DIRTY, FSYNC).page("_refcount") == 2  # page cache and one entry


def test_fsync_of_a_clean_page_writes_nothing() -> None:
    world = run({**DIRTY, "Page.PG_dirty": (0, 0, 0, 0)}, FSYNC)
    assert world.values["disk"] == (0, OLD, 0, 0)


def test_fsync_writes_both_pages_of_a_file_that_has_two() -> None:
    world = run(state("dirty+buffers+two rw").values, FSYNC)
    assert world.values["disk"] == (0, CPU_DATA, CPU_DATA, 0)


def test_a_write_fault_tells_the_file_system_and_dirties_page_and_entry() -> None:
    world = run(DIRTY, FSYNC, Task("store", write_fault, (1, SHARED, 0)))
    assert world.page("PG_dirty") == 1
    assert world.values["Vma.pte"][0] == 1 | 8 | 16
    assert world.names()[-2:] == ["fault_mkwrite", "dirty"]


def test_a_store_and_fsync_keep_their_promise_beside_another_fsync() -> None:
    world = run(
        DIRTY,
        Task("program", store_and_verify, (FILE, 1, SHARED, 0)),
        FSYNC,
    )
    assert world.values["disk"][1] == DEVICE_DATA
    assert "read_fresh" in world.names()


def test_a_dma_that_is_over_before_fsync_is_on_the_disk() -> None:
    world = run(DIRTY, *READ)
    assert world.names()[-1] == "read_fresh"
    assert world.page("_refcount") == 2


@kernel
def written_while_a_device_stores(mapping: AddressSpace, page: Page) -> None:
    """Submission, a store, completion."""
    image = write_one_page(page, True)
    device_store(page)
    end_page_io(mapping, 0, page, image)


def test_a_device_store_under_writeback_tears_the_block() -> None:
    world = run(DIRTY, Task("both", written_while_a_device_stores, (FILE, 1)))
    assert world.values["disk"][1] == TORN
    assert world.names()[-3:] == ["wb_start", "dev_store", "wb_end"]


def test_a_device_store_under_writeback_is_found() -> None:
    found = every_order(DIRTY, *READ, Task("fsync", do_fsync, (FILE, 0)))
    assert found.complete
    assert "O1" in found.hits


def test_a_bounced_page_is_written_as_a_copy() -> None:
    found = every_order(DIRTY, *READ, Task("fsync", do_fsync, (FILE, 0)), by="bounce")
    assert found.complete
    assert not {"O1", "O2", "I4", "failure:bug"} & set(found.hits)


def test_reclaim_frees_a_page_that_nobody_uses_after_writing_it() -> None:
    world = run(DIRTY, Task("reclaim", flusher_then_kswapd, (FILE, 1)))
    assert world.values["disk"][1] == CPU_DATA
    assert world.page("_refcount") == 0
    assert world.page("mapping") == 0
    assert world.values["AddressSpace.i_pages"] == (0, 0)
    assert world.names()[-3:] == ["release_bufs", "cache_del", "page_free"]


def test_reclaim_beside_a_pin_ends_in_the_crash_of_the_thread() -> None:
    found = every_order(DIRTY, *READ, Task("reclaim", flusher_then_kswapd, (FILE, 1)))
    assert "I3" in found.hits
    assert "PagePrivate" in found.messages["failure:bug"]


def test_background_writeback_leaves_a_page_alone_that_is_being_written() -> None:
    both = every_order(DIRTY, FSYNC, Task("flusher", wb_workfn, (FILE,)))
    assert both.complete
    assert not [hit for hit in both.hits if hit.startswith("failure:")]

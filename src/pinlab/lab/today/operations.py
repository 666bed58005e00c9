"""What may be played in 7.2, and what each of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pinlab.lab import layout
from pinlab.lab.layout import CHILD, FILE, PRIVATE
from pinlab.lab.scenarios.operation import At, Operation, comes_to, one_task
from pinlab.lab.scenarios.scenario import Task
from pinlab.lab.today.linux import (
    bio,
    device,
    fork,
    gup,
    khugepaged,
    memory,
    migrate,
    truncate,
    userfaultfd,
    vmscan,
)
from pinlab.lab.today.linux import tasks as threads
from pinlab.lab.today.words import FRAME

MM, VMA = At.MM, At.VMA
HERE: Final = (MM, VMA)

SHARED: Final = {"1": ("file",), "2": ("file",)}
USED: Final = {**SHARED, "private": ("file", "anon")}
"""Where a program may store; a private mapping of the file copies on write."""
OWN: Final = {"private": ("file", "anon")}
ANON: Final = {"private": ("anon",)}
CHILDS: Final = {"child": ("anon",)}
FIRST: Final = {"1": ("file",)}

DMA: Final = "device"
CHECKED: Final = "page whose data is looked for on the disk"


def direct_io_tasks(program: Callable[..., Any], args: tuple[int, ...]) -> tuple[Task, ...]:
    """A program that reads by O_DIRECT, and all that works for it."""
    return (
        Task("read", program, args),
        Task("device", device.one_shot_device, HERE, daemon=True),
        Task("irq", bio.bio_check_pages_dirty, irq_of="read", daemon=True),
        Task("worker", bio.bio_dirty_fn, daemon=True),
    )


_ALL: Final = (
    Operation(
        "dio-read",
        "an O_DIRECT read into the page, completed in an interrupt",
        direct_io_tasks(threads.aio_read, HERE),
        comes_to("start_dma"),
        USED,
        alone=(DMA,),
        runs_user_code=True,
    ),
    Operation(
        "dio-read-verify",
        "the same, then fsync, and a look at the disk",
        direct_io_tasks(threads.aio_read_and_verify, (FILE, *HERE)),
        comes_to("start_dma"),
        FIRST,
        alone=(DMA, CHECKED),
        apart=("store", "store-verify"),
        runs_user_code=True,
        is_variant=True,
    ),
    Operation(
        "pin",
        "pin_user_pages_fast() for writing, and unpin_user_pages_dirty_lock()",
        one_task("pin", threads.pin_unpin, *HERE, gup.FOLL_WRITE | gup.FOLL_PIN),
        comes_to("unpin_user_page"),
        USED,
    ),
    Operation(
        "pin-read",
        "pin_user_pages_fast() for reading, and unpin_user_page()",
        one_task("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN),
        comes_to("unpin_user_page"),
        ANON,
        is_variant=True,
    ),
    Operation(
        "pin-longterm",
        "the same with FOLL_LONGTERM",
        one_task("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN | gup.FOLL_LONGTERM),
        comes_to("unpin_user_page"),
        OWN,
        is_variant=True,
    ),
    Operation(
        "fork",
        "fork(2)",
        one_task("fork", fork.dup_mmap, 1, 2, PRIVATE, CHILD),
        comes_to("dup_mmap"),
        never=("forked",),
        pages=("anon",),
        alone=("child",),
    ),
    Operation(
        "collapse",
        "khugepaged makes a huge page of it",
        one_task("khugepaged", khugepaged.collapse_huge_page, *HERE),
        comes_to("tlb_remove_table_sync_one"),
        ANON,
        apart=("fork", "collapse"),
    ),
    Operation(
        "migrate",
        "migration of the page to another frame",
        one_task("migrate", migrate.migrate_folio, FRAME),
        comes_to("isolate_lru_folio"),
        pages=("anon",),
        never=("swapped",),
    ),
    Operation(
        "move",
        "UFFDIO_MOVE to another address of the first process",
        one_task("move", userfaultfd.move_pages_ptes, MM, layout.SHARED, VMA),
        comes_to("move_pages_ptes"),
        ANON,
        also=(layout.SHARED,),
        apart=("move",),
    ),
    Operation(
        "load-store",
        "user code that reads, then stores, through a TLB",
        one_task("store", threads.load_then_store, *HERE),
        comes_to("try_store"),
        ANON,
        runs_user_code=True,
        stores=True,
        is_variant=True,
    ),
    Operation(
        "child-fault",
        "a write fault of the child",
        one_task("fault", threads.fault, *HERE, memory.FAULT_FLAG_WRITE),
        comes_to("handle_mm_fault"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "child-zap",
        "madvise(MADV_DONTNEED) of the child",
        one_task("zap", memory.madvise_dontneed, *HERE),
        comes_to("zap_pte_range"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "child-pin",
        "the child's pin_user_pages_fast() for reading, and unpin_user_page()",
        one_task("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN),
        comes_to("unpin_user_page"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "vmsplice",
        "the child's vmsplice(2), munmap, and a look into the pipe",
        one_task("vmsplice", threads.vmsplice, *HERE),
        comes_to("madvise_dontneed"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "fsync",
        "fsync(2): writes the page if it is dirty, and waits",
        one_task("fsync", threads.fsync, FILE),
        comes_to("ext4_writepages"),
    ),
    Operation(
        "writeback",
        "one round of background writeback",
        one_task("flusher", threads.wb_workfn, FILE),
        comes_to("ext4_writepages"),
    ),
    Operation(
        "reclaim",
        "kswapd tries to free the page",
        one_task("kswapd", vmscan.shrink_folio_list, FRAME),
        comes_to("isolate_lru_folio"),
        pages=("file", "anon"),
        never=("absent", "swapped"),
    ),
    Operation(
        "flush-reclaim",
        "writeback, then reclaim",
        one_task("kswapd", threads.flusher_then_kswapd, FILE, FRAME),
        comes_to("isolate_lru_folio"),
        never=("absent",),
        is_variant=True,
    ),
    Operation(
        "flush-active",
        "writeback, then a scan of the active list that takes buffers (buffer_heads_over_limit)",
        one_task("kswapd", threads.flusher_then_active_list, FILE, FRAME),
        comes_to("isolate_lru_folio"),
        never=("absent",),
        is_variant=True,
    ),
    Operation(
        "evict",
        "posix_fadvise(POSIX_FADV_DONTNEED), drop_caches",
        one_task("evict", truncate.invalidate_mapping_pages, FILE),
        comes_to("invalidate_mapping_pages"),
    ),
    Operation(
        "truncate",
        "truncate(2) of the file to nothing",
        one_task("truncate", truncate.ext4_setattr, FILE),
        comes_to("ext4_setattr"),
    ),
    Operation(
        "dio-write",
        "an O_DIRECT write to another part of the same page of the file",
        one_task("write", truncate.direct_write, FILE),
        comes_to("direct_write"),
    ),
    Operation(
        "zap",
        "madvise(MADV_DONTNEED)",
        one_task("zap", memory.madvise_dontneed, *HERE),
        comes_to("zap_pte_range"),
        USED,
    ),
    Operation(
        "fault",
        "a write fault",
        one_task("fault", threads.fault, *HERE, memory.FAULT_FLAG_WRITE),
        comes_to("handle_mm_fault"),
        USED,
    ),
    Operation(
        "fault-read",
        "a read fault",
        one_task("fault", threads.fault, *HERE, 0),
        comes_to("handle_mm_fault"),
        USED,
        is_variant=True,
    ),
    Operation(
        "store",
        "a store of user code, through a TLB",
        one_task("store", threads.store, *HERE),
        comes_to("try_store"),
        USED,
        apart=("dio-read-verify", "store-verify"),
        runs_user_code=True,
        stores=True,
    ),
    Operation(
        "store-verify",
        "the same, then fsync, and a look at the disk",
        one_task("store", threads.store_and_verify, FILE, *HERE),
        comes_to("try_store"),
        FIRST,
        alone=(CHECKED,),
        apart=("dio-read-verify", "store"),
        runs_user_code=True,
        stores=True,
        is_variant=True,
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({it.name: it for it in _ALL})

"""What may be played in 7.2, and what each of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pinlab.lab import layout
from pinlab.lab.layout import CHILD, FILE, PRIVATE
from pinlab.lab.scenarios.operation import At, Operation
from pinlab.lab.scenarios.scenario import ReachFunction, Task
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


def _goal(function: str) -> ReachFunction:
    return ReachFunction(f"{function}() is come to", function)


def _one(name: str, function: Callable[..., Any], *args: int) -> tuple[Task, ...]:
    return (Task(name, function, args),)


_ALL: Final = (
    Operation(
        "dio-read",
        "an O_DIRECT read into the page, completed in an interrupt",
        direct_io_tasks(threads.aio_read, HERE),
        _goal("start_dma"),
        USED,
        alone=(DMA,),
        runs_user_code=True,
    ),
    Operation(
        "dio-read-verify",
        "the same, then fsync, and a look at the disk",
        direct_io_tasks(threads.aio_read_and_verify, (FILE, *HERE)),
        _goal("start_dma"),
        FIRST,
        alone=(DMA, CHECKED),
        apart=("store", "store-verify"),
        runs_user_code=True,
        is_variant=True,
    ),
    Operation(
        "pin",
        "pin_user_pages_fast() for writing, and unpin_user_pages_dirty_lock()",
        _one("pin", threads.pin_unpin, *HERE, gup.FOLL_WRITE | gup.FOLL_PIN),
        _goal("unpin_user_page"),
        USED,
    ),
    Operation(
        "pin-read",
        "pin_user_pages_fast() for reading, and unpin_user_page()",
        _one("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN),
        _goal("unpin_user_page"),
        ANON,
        is_variant=True,
    ),
    Operation(
        "pin-longterm",
        "the same with FOLL_LONGTERM",
        _one("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN | gup.FOLL_LONGTERM),
        _goal("unpin_user_page"),
        OWN,
        is_variant=True,
    ),
    Operation(
        "fork",
        "fork(2)",
        _one("fork", fork.dup_mmap, 1, 2, PRIVATE, CHILD),
        _goal("dup_mmap"),
        never=("forked",),
        pages=("anon",),
        alone=("child",),
    ),
    Operation(
        "collapse",
        "khugepaged makes a huge page of it",
        _one("khugepaged", khugepaged.collapse_huge_page, *HERE),
        _goal("tlb_remove_table_sync_one"),
        ANON,
        apart=("fork", "collapse"),
    ),
    Operation(
        "migrate",
        "migration of the page to another frame",
        _one("migrate", migrate.migrate_folio, FRAME),
        _goal("isolate_lru_folio"),
        pages=("anon",),
        never=("swapped",),
    ),
    Operation(
        "move",
        "UFFDIO_MOVE to another address of the first process",
        _one("move", userfaultfd.move_pages_ptes, MM, layout.SHARED, VMA),
        _goal("move_pages_ptes"),
        ANON,
        also=(layout.SHARED,),
        apart=("move",),
    ),
    Operation(
        "load-store",
        "user code that reads, then stores, through a TLB",
        _one("store", threads.load_then_store, *HERE),
        _goal("try_store"),
        ANON,
        runs_user_code=True,
        stores=True,
        is_variant=True,
    ),
    Operation(
        "child-fault",
        "a write fault of the child",
        _one("fault", threads.fault, *HERE, memory.FAULT_FLAG_WRITE),
        _goal("handle_mm_fault"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "child-zap",
        "madvise(MADV_DONTNEED) of the child",
        _one("zap", memory.madvise_dontneed, *HERE),
        _goal("zap_pte_range"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "child-pin",
        "the child's pin_user_pages_fast() for reading, and unpin_user_page()",
        _one("pin", threads.pin_unpin, *HERE, gup.FOLL_PIN),
        _goal("unpin_user_page"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "vmsplice",
        "the child's vmsplice(2), munmap, and a look into the pipe",
        _one("vmsplice", threads.vmsplice, *HERE),
        _goal("madvise_dontneed"),
        CHILDS,
        needs=("forked",),
    ),
    Operation(
        "fsync",
        "fsync(2): writes the page if it is dirty, and waits",
        _one("fsync", threads.fsync, FILE),
        _goal("ext4_writepages"),
    ),
    Operation(
        "writeback",
        "one round of background writeback",
        _one("flusher", threads.wb_workfn, FILE),
        _goal("ext4_writepages"),
    ),
    Operation(
        "reclaim",
        "kswapd tries to free the page",
        _one("kswapd", vmscan.shrink_folio_list, FRAME),
        _goal("isolate_lru_folio"),
        pages=("file", "anon"),
        never=("absent", "swapped"),
    ),
    Operation(
        "flush-reclaim",
        "writeback, then reclaim",
        _one("kswapd", threads.flusher_then_kswapd, FILE, FRAME),
        _goal("isolate_lru_folio"),
        never=("absent",),
        is_variant=True,
    ),
    Operation(
        "flush-active",
        "writeback, then a scan of the active list that takes buffers (buffer_heads_over_limit)",
        _one("kswapd", threads.flusher_then_active_list, FILE, FRAME),
        _goal("isolate_lru_folio"),
        never=("absent",),
        is_variant=True,
    ),
    Operation(
        "evict",
        "posix_fadvise(POSIX_FADV_DONTNEED), drop_caches",
        _one("evict", truncate.invalidate_mapping_pages, FILE),
        _goal("invalidate_mapping_pages"),
    ),
    Operation(
        "truncate",
        "truncate(2) of the file to nothing",
        _one("truncate", truncate.ext4_setattr, FILE),
        _goal("ext4_setattr"),
    ),
    Operation(
        "dio-write",
        "an O_DIRECT write to another part of the same page of the file",
        _one("write", truncate.direct_write, FILE),
        _goal("direct_write"),
    ),
    Operation(
        "zap",
        "madvise(MADV_DONTNEED)",
        _one("zap", memory.madvise_dontneed, *HERE),
        _goal("zap_pte_range"),
        USED,
    ),
    Operation(
        "fault",
        "a write fault",
        _one("fault", threads.fault, *HERE, memory.FAULT_FLAG_WRITE),
        _goal("handle_mm_fault"),
        USED,
    ),
    Operation(
        "fault-read",
        "a read fault",
        _one("fault", threads.fault, *HERE, 0),
        _goal("handle_mm_fault"),
        USED,
        is_variant=True,
    ),
    Operation(
        "store",
        "a store of user code, through a TLB",
        _one("store", threads.store, *HERE),
        _goal("try_store"),
        USED,
        apart=("dio-read-verify", "store-verify"),
        runs_user_code=True,
        stores=True,
    ),
    Operation(
        "store-verify",
        "the same, then fsync, and a look at the disk",
        _one("store", threads.store_and_verify, FILE, *HERE),
        _goal("try_store"),
        FIRST,
        alone=(CHECKED,),
        apart=("dio-read-verify", "store"),
        runs_user_code=True,
        stores=True,
        is_variant=True,
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({it.name: it for it in _ALL})

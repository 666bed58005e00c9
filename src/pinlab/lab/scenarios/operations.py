"""The operations there are, of the mail's interface and of what runs beside it.

An entry function that a scenario of the thread starts is here, with what it needs; so is every
form of the mail's put_user_page() family. A goal is the function that somebody must come to for
the operation to have been played at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pinlab.lab.linux import device, direct_io, fork, memory, rdma, truncate, vmscan
from pinlab.lab.linux import tasks as threads
from pinlab.lab.linux.types import CHILD, FILE, PRIVATE
from pinlab.lab.scenarios.operation import At, Operation, comes_to, one_task
from pinlab.lab.scenarios.scenario import Task

MM, VMA = At.MM, At.VMA
HERE: Final = (MM, VMA, 0)
"""The process, the mapping and page 0."""

SHARED: Final = {"1": ("file",), "2": ("file",)}
USED: Final = {**SHARED, "private": ("anon",)}
"""Where a program may store: private mappings of files have no copy on write in the model."""
MAPPED: Final = {"1": ("file", "dax"), "2": ("file", "dax"), "private": ("anon",)}
FILLED: Final = {**SHARED, "private": ("file",)}
"""Where what was taken away comes back; anonymous memory and DAX pages do not, in the model."""
FIRST: Final = {"1": ("file",)}

DMA: Final = "device"
CHECKED: Final = "page whose data is looked for on the disk"
REGISTRATION: Final = "registration"
TAKES_PAGES: Final = ("truncate", "dio-write", "dio-write-late")
STORES: Final = ("store", "store-twice", "gup-store")
RECLAIMS: Final = ("reclaim", "flush-reclaim")


def direct_io_tasks(program: Callable[..., Any], args: tuple[int, ...]) -> tuple[Task, ...]:
    """A program that reads by O_DIRECT, and all that works for it."""
    return (
        Task("read", program, args),
        Task("device", device.one_shot_device, HERE, daemon=True),
        Task("irq", direct_io.bio_check_pages_dirty, irq_of="read", daemon=True),
        Task("worker", direct_io.bio_dirty_fn, daemon=True),
    )


_RDMA: Final = Task("rdma", rdma.ib_umem_get, HERE, daemon=True)
_STREAM: Final = Task("device", device.streaming_device, HERE, daemon=True)

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
        apart=(*STORES, "store-verify", "truncate"),
        runs_user_code=True,
        is_variant=True,
    ),
    Operation(
        "dio-read-two",
        "an O_DIRECT read into page 1, then page 0",
        one_task("read", threads.aio_read_two, MM, VMA),
        comes_to("release_page"),
        FIRST,
        needs=("two",),
        runs_user_code=True,
        is_variant=True,
    ),
    Operation(
        "dax-read",
        "an O_DIRECT read into a page on DAX",
        (
            Task("read", threads.dax_read, HERE),
            Task("device", device.one_shot_device, HERE, daemon=True),
        ),
        comes_to("start_dma"),
        {"1": ("dax",)},
        alone=(DMA,),
    ),
    Operation(
        "gup",
        "get_user_pages_fast() and put_user_page()",
        one_task("pin", threads.pin_unpin, *HERE),
        comes_to("release_page"),
        MAPPED,
    ),
    Operation(
        "gup-slow",
        "get_user_pages_unlocked() and put_user_page()",
        one_task("pin", threads.pin_then_unpin, *HERE),
        comes_to("release_page"),
        MAPPED,
        is_variant=True,
    ),
    Operation(
        "send",
        "a device reads from the page, put_user_pages()",
        one_task("send", threads.send, *HERE),
        comes_to("put_user_pages"),
        MAPPED,
        is_variant=True,
    ),
    Operation(
        "gup-store",
        "get_user_pages_fast(), the program stores there itself, put_user_page()",
        one_task("program", threads.pin_and_store, *HERE),
        comes_to("release_page"),
        {"1": ("file", "dax")},
        stores=True,
    ),
    Operation(
        "gup-atomic",
        "__get_user_pages_fast() with interrupts off, and put_user_page()",
        one_task("pin", threads.atomic_gup, VMA, 0),
        comes_to("__get_user_pages_fast"),
        MAPPED,
        probes=("gup_fast_works",),
        is_variant=True,
    ),
    Operation(
        "put-dirty",
        "a device stores, put_user_pages_dirty()",
        one_task("driver", threads.store_then_dirty, *HERE),
        comes_to("put_user_pages_dirty"),
        SHARED,
        apart=TAKES_PAGES,
        is_variant=True,
    ),
    Operation(
        "put-dirty-flush",
        "the same, then sync_file_range(SYNC_FILE_RANGE_WRITE)",
        one_task("driver", threads.dirty_and_flush, FILE, *HERE),
        comes_to("put_user_pages_dirty"),
        FIRST,
        apart=TAKES_PAGES,
        is_variant=True,
    ),
    Operation(
        "put-dirty-verify",
        "the same, then fsync, and a look at the disk",
        one_task("driver", threads.dirty_and_verify, FILE, *HERE),
        comes_to("put_user_pages_dirty"),
        FIRST,
        alone=(CHECKED,),
        apart=(*STORES, *TAKES_PAGES),
        is_variant=True,
    ),
    Operation(
        "put-dirty-lock",
        "a device stores, put_user_pages_dirty_lock()",
        one_task("driver", threads.store_then_dirty_lock, *HERE),
        comes_to("put_user_pages_dirty_lock"),
        SHARED,
    ),
    Operation(
        "put-dirty-lock-verify",
        "the same, then fsync, and a look at the disk",
        one_task("driver", threads.dirty_lock_and_verify, FILE, *HERE),
        comes_to("put_user_pages_dirty_lock"),
        FIRST,
        alone=(CHECKED,),
        apart=(*STORES, "truncate"),
        is_variant=True,
    ),
    Operation(
        "put-clean-verify",
        "a device stores, put_user_pages(), fsync, and a look at the disk",
        one_task("driver", threads.forget_and_verify, FILE, *HERE),
        comes_to("put_user_pages"),
        FIRST,
        alone=(CHECKED,),
        misuse="nobody says that the device has stored",
    ),
    Operation(
        "dirty-early-verify",
        "set_page_dirty_lock(), a device stores, put_user_pages(), fsync, and a look at the disk",
        one_task("driver", threads.dirty_early_and_verify, FILE, *HERE),
        comes_to("put_user_pages"),
        FIRST,
        alone=(CHECKED,),
        misuse="nobody says that the device has stored after it was cleaned",
    ),
    Operation(
        "rdma",
        "a registration forever, whose device stores again and again",
        (_RDMA, _STREAM),
        comes_to("start_dma"),
        FIRST,
        alone=(DMA, REGISTRATION),
        goes_on=True,
    ),
    Operation(
        "rdma-quiet",
        "a registration forever, whose device does nothing",
        (_RDMA,),
        comes_to("start_dma"),
        FIRST,
        alone=(DMA, REGISTRATION),
        goes_on=True,
        is_variant=True,
    ),
    Operation(
        "rdma-ends",
        "a registration that is given back while its device stores",
        (Task("rdma", threads.register_and_release, HERE), _STREAM),
        comes_to("ib_umem_release"),
        FIRST,
        alone=(DMA,),
        goes_on=True,
    ),
    Operation(
        "rdma-dax",
        "a registration of a page on DAX, which must be refused",
        (_RDMA, _STREAM),
        comes_to("get_user_pages_longterm"),
        {"1": ("dax",)},
        alone=(DMA,),
        goes_on=True,
    ),
    Operation(
        "get-put",
        "get_page() and put_page() by somebody who knows that the page stays",
        one_task("reader", threads.take_and_drop, 1),
        comes_to("take_and_drop"),
        pages=("file", "dax"),
        apart=(*TAKES_PAGES, *RECLAIMS),
    ),
    Operation(
        "fsync",
        "fsync(2), and a look at the disk, which must not have what was there before",
        one_task("fsync", threads.do_fsync, FILE, 0),
        comes_to("do_fsync"),
    ),
    Operation(
        "fsync-second",
        "the same, and a look at what was in page 1",
        one_task("fsync", threads.do_fsync, FILE, 1),
        comes_to("do_fsync"),
        needs=("two",),
        is_variant=True,
    ),
    Operation(
        "fsync-only",
        "fsync(2) and nothing else",
        one_task("fsync", threads.fsync_only, FILE),
        comes_to("fsync_only"),
        is_variant=True,
    ),
    Operation(
        "fsync-forever",
        "a program that stores and calls fsync, again and again",
        (Task("fsync", threads.fsync_forever, (FILE, *HERE), daemon=True),),
        comes_to("fsync_forever"),
        FIRST,
        apart=(*TAKES_PAGES, *RECLAIMS, "rdma", "rdma-quiet", "munmap"),
        goes_on=True,
        asks=("I13b",),
        is_variant=True,
    ),
    Operation(
        "writeback",
        "one round of background writeback",
        one_task("writeback", threads.wb_workfn, FILE),
        comes_to("wb_workfn"),
    ),
    Operation(
        "reclaim",
        "kswapd tries to free the page",
        one_task("reclaim", vmscan.shrink_page_list, FILE, 1),
        comes_to("shrink_page_list"),
        is_variant=True,
    ),
    Operation(
        "flush-reclaim",
        "the flusher cleans the page, kswapd tries to free it",
        one_task("reclaim", threads.flusher_then_kswapd, FILE, 1),
        comes_to("flusher_then_kswapd"),
    ),
    Operation(
        "truncate",
        "truncate(2), or a punched hole",
        one_task("truncate", truncate.ext4_setattr, FILE, 0),
        comes_to("ext4_setattr"),
        pages=("file", "dax"),
        keys=("truncates",),
        apart=("fsync",),
    ),
    Operation(
        "unlink",
        "the last mapping of an unlinked file on DAX goes",
        one_task("unlink", threads.munmap_unlinked, FILE, *HERE),
        comes_to("ext4_evict_inode"),
        {"1": ("dax",)},
        never=("ro2", "rw2"),
        alone=("end of the file",),
        last=True,
        keys=("truncates", "tables_go"),
        apart=("truncate",),
    ),
    Operation(
        "dio-write",
        "an O_DIRECT write to another part of the page",
        one_task("direct write", truncate.iomap_dio_rw, FILE, 0),
        comes_to("iomap_dio_rw"),
        keys=("truncates",),
    ),
    Operation(
        "dio-write-late",
        "the same by somebody who comes when the page has been pinned",
        one_task("write", threads.direct_write_once_pinned, FILE, 0),
        comes_to("iomap_dio_rw"),
        beside=(REGISTRATION,),
        keys=("truncates",),
        is_variant=True,
    ),
    Operation(
        "zap",
        "madvise(MADV_DONTNEED)",
        one_task("zap", memory.madvise_dontneed, *HERE),
        comes_to("madvise_dontneed"),
        {**FILLED, "private": ("file", "anon"), "child": ("anon",)},
    ),
    Operation(
        "munmap",
        "munmap(2), and the page table is freed",
        one_task("munmap", fork.munmap, *HERE),
        comes_to("munmap"),
        {**MAPPED, "child": ("anon",)},
        keys=("tables_go",),
    ),
    Operation(
        "write-fault",
        "a fault for a store",
        one_task("writer", threads.write_fault, *HERE),
        comes_to("write_fault"),
        {**USED, "child": ("anon",)},
    ),
    Operation(
        "read-fault",
        "a fault for a load",
        one_task("reader", threads.read_fault, *HERE),
        comes_to("read_fault"),
        FILLED,
    ),
    Operation(
        "store",
        "a thread stores, through its TLB",
        one_task("thread", threads.store, *HERE),
        comes_to("store"),
        USED,
        stores=True,
    ),
    Operation(
        "store-dax",
        "a thread stores to a page on DAX, through its TLB, as long as it is mapped",
        one_task("thread", threads.store_while_mapped, At.VMA, 0),
        comes_to("store_while_mapped"),
        {"1": ("dax",), "2": ("dax",)},
        stores=True,
    ),
    Operation(
        "store-twice",
        "a thread stores twice",
        one_task("thread", threads.store_twice, *HERE),
        comes_to("store_twice"),
        USED,
        stores=True,
        is_variant=True,
    ),
    Operation(
        "store-load",
        "a thread stores and tells another one, which loads by the entry that its TLB has",
        (
            Task("thread", threads.store_and_tell, HERE),
            Task("other", threads.load_when_told, (VMA, 0)),
        ),
        comes_to("store_and_tell"),
        {"private": ("anon",)},
        alone=("thread that tells",),
        threads=2,
        stores=True,
        is_variant=True,
    ),
    Operation(
        "store-verify",
        "a program stores the newest data, calls fsync, and looks at the disk",
        one_task("program", threads.store_and_verify, FILE, *HERE),
        comes_to("store_and_verify"),
        FIRST,
        alone=(CHECKED,),
        apart=(*STORES, "truncate"),
        stores=True,
        is_variant=True,
    ),
    Operation(
        "fork",
        "fork(2), which copies the private mapping",
        one_task("fork", fork.dup_mmap, 1, 2, PRIVATE, CHILD, 0),
        comes_to("dup_mmap"),
        pages=("file", "anon"),
        never=("forked",),
        alone=("child",),
    ),
    Operation(
        "pin-fork-store",
        "a program pins its page, forks, and stores there itself",
        one_task("parent", threads.pin_fork_store, 1, 2, PRIVATE, CHILD, 0),
        comes_to("copy_one_pte"),
        pages=("anon",),
        never=("forked",),
        alone=("child", "pin of an owner"),
    ),
    Operation(
        "vmsplice",
        "a child keeps its parent's page in a pipe, unmaps it, and reads the pipe",
        one_task("child", threads.vmsplice_and_unmap, *HERE),
        comes_to("munmap"),
        {"child": ("anon",)},
        needs=("forked",),
        keys=("tables_go",),
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({each.name: each for each in _ALL})
"""By name."""

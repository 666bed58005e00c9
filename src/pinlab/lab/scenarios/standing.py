"""The scenarios of the thread: what it argued about, as operations beside each other.

Each has the name that verdicts are told by, what it is about in words, its operations and the state
they begin in, the objectives that it judges, its bounds in words, and what it must come to.
"""

from __future__ import annotations

from functools import partial

from pinlab.lab.scenarios import operation
from pinlab.lab.scenarios.operations import OPERATIONS
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction
from pinlab.lab.scenarios.words import state
from pinlab.objectives.events import Event

standing = partial(operation.standing, OPERATIONS, state)

PINNED_UNDER_WRITEBACK = ReachEvents(
    "writeback looks at a pinned page",
    (Event.PIN, Event.WRITEBACK_ATTEMPT),
    broken_by=(Event.UNPIN,),
)
PINNED = ReachEvents("the page is pinned", (Event.PIN,))
PUT_RECLAIM = "1 page, 1 mapping, 1 pin with 1 store, 1 round of writeback and of reclaim, 1 fsync"
REUSED = ReachEvents("the block is reused", (Event.BLOCK_FREE, Event.BLOCK_REUSE))


SCENARIOS = (
    standing(
        "anon-fork",
        "a pin of anonymous memory, then fork, then stores of parent and child",
        "pin-fork-store, write-fault@child",
        "anon",
        judges="I1 I5 I10 I12",
        bounds="1 anonymous page and room for 1 copy, 1 pin, 1 fork, 1 store each",
        reach=(ReachFunction("an entry is copied", "copy_one_pte"),),
    ),
    standing(
        "anon-vmsplice",
        "after fork the child pins a shared page for reading and unmaps it; the parent stores",
        "store@private, vmsplice@child",
        "anon+forked",
        judges="I1 I6 I10 I12",
        bounds="1 anonymous page and room for 1 copy, 1 pin, 1 munmap, 1 store",
        reach=(ReachFunction("the parent stores", "store"),),
    ),
    standing(
        "dax-truncate",
        "O_DIRECT read into a DAX mapping beside truncate and reuse of the block",
        "dax-read@1, truncate",
        "dax rw",
        judges="O3 I1 I8 I10 I12",
        bounds="1 DAX page, 1 mapping, 1 DMA with 1 store, 1 truncate, 1 new owner of the block",
        reach=(REUSED, PINNED),
        unless={"the page is pinned": ("lru-counter-july", "lru-counter-october")},
    ),
    standing(
        "dax-unlink",
        "O_DIRECT read into a DAX mapping beside unlink, munmap and reuse of the block",
        "dax-read@1, unlink@1",
        "dax rw",
        judges="O3 I1 I8 I10 I12",
        bounds="1 DAX page, 1 mapping, 1 DMA with 1 store, 1 unlink, 1 new owner of the block",
        reach=(REUSED, PINNED),
        unless={"the page is pinned": ("lru-counter-july", "lru-counter-october")},
    ),
    standing(
        "direct-io-fsync",
        "O_DIRECT read into a mapped file page beside fsync of that file",
        "dio-read-verify@1, fsync",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 fsync, and 1 after the DMA",
        reach=(
            PINNED_UNDER_WRITEBACK,
            ReachEvents(
                "the device stores after write-protection", (Event.MKCLEAN, Event.DEV_STORE)
            ),
            ReachFunction("GUP takes the slow path", "follow_page_pte"),
        ),
    ),
    standing(
        "direct-io-fsync-zap",
        "O_DIRECT read into a file page beside fsync and a zap of another mapping of the page",
        "dio-read@1, fsync, zap@2",
        "dirty+buffers rw+rw2",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 2 mappings, 1 DMA with 1 store, 1 fsync, 1 zap",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("a mapping is zapped", "zap_pte_range")),
    ),
    standing(
        "direct-io-get-put",
        "O_DIRECT read beside background writeback and somebody's get_page() and put_page()",
        "dio-read@1, writeback, get-put",
        "dirty+buffers rw",
        judges="O1 O2 I1 I10 I12 I13",
        bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 round of writeback, 1 plain reference",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("a plain reference", "take_and_drop")),
    ),
    standing(
        "direct-io-invalidate",
        "O_DIRECT read into a mapped file page beside an O_DIRECT write to that file",
        "dio-read-verify@1, dio-write",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 direct write",
        reach=(ReachFunction("the page is invalidated", "invalidate_inode_pages2"),),
    ),
    standing(
        "direct-io-map-fsync",
        "O_DIRECT read into a file page beside fsync and a read fault that maps the page again",
        "dio-read@1, fsync, read-fault@2",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping and 1 more by a fault, 1 DMA with 1 store, 1 fsync",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("the page is mapped again", "do_read_fault")),
    ),
    standing(
        "direct-io-reclaim",
        "O_DIRECT read into a mapped file page beside background writeback and reclaim",
        "dio-read-verify@1, flush-reclaim",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 round of writeback and of reclaim",
        reach=(
            PINNED_UNDER_WRITEBACK,
            ReachFunction("reclaim unmaps the page", "try_to_unmap"),
            ReachFunction("reclaim takes the buffers", "try_to_free_buffers"),
        ),
    ),
    standing(
        "direct-io-store-fsync",
        "O_DIRECT read and a thread that stores into the page beside fsync, TLB flush by IPI",
        "dio-read@1, store@1, fsync-only",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I10 I12 I13",
        bounds="1 page, 1 mapping, 2 CPUs with a TLB, 1 DMA with 1 store, 1 CPU store, 1 fsync",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("the TLB is flushed", "flush_tlb_page")),
    ),
    standing(
        "direct-io-truncate",
        "O_DIRECT read into a mapped file page beside truncate of that page",
        "dio-read@1, truncate",
        "dirty+buffers rw",
        judges="O2 I1 I3 I10 I12",
        bounds="1 page, 1 mapping, 1 DMA with 1 store, 1 truncate",
        reach=(PINNED, ReachFunction("truncate finds the page", "truncate_inode_page")),
    ),
    standing(
        "dirty-early-fsync",
        "set_page_dirty_lock() before a device stores, put_user_pages() after, beside fsync",
        "dirty-early-verify@1, fsync",
        "dirty+buffers rw",
        judges="O1 O2 I3 I4 I10 I12",
        bounds="1 page, 1 mapping, 1 pin with 1 store, 1 fsync beside it and 1 after it",
        reach=(PINNED_UNDER_WRITEBACK,),
        misuse="nobody says that the device has stored after it was cleaned",
    ),
    standing(
        "fork-private-fsync",
        "O_DIRECT read beside endless fsyncs and a fork that copies a private mapping",
        "dio-read@1, fsync-forever@1, fork",
        "dirty+buffers rw+private",
        judges="O1 O2 I10 I12 I13 I13b",
        bounds="1 page, 2 mappings and 1 more by fork, 1 DMA with 1 store, any number of fsyncs",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("fork copies an entry", "copy_one_pte")),
    ),
    standing(
        "longterm-dax",
        "an RDMA registration of a DAX page beside truncate",
        "rdma-dax@1, truncate",
        "dax rw",
        judges="O3 I8 I10 I11 I12",
        bounds="1 DAX page, 1 mapping, 1 registration, 1 truncate",
        reach=(ReachFunction("the registration is tried", "get_user_pages_longterm"),),
    ),
    standing(
        "longterm-fsync",
        "an RDMA registration that never lets go beside fsync",
        "rdma@1, fsync",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, a pin forever with any number of stores, 1 fsync",
        reach=(
            PINNED_UNDER_WRITEBACK,
            ReachEvents("the device stores while pinned", (Event.PIN, Event.DEV_STORE)),
        ),
    ),
    standing(
        "longterm-invalidate",
        "an O_DIRECT write to a file of which a page is pinned, the device quiet",
        "rdma-quiet@1, dio-write-late",
        "dirty+buffers rw",
        judges="O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, a pin forever with no store, 1 direct write",
        reach=(PINNED, ReachFunction("the write begins", "iomap_dio_rw")),
    ),
    standing(
        "longterm-truncate",
        "an RDMA registration that never lets go beside truncate",
        "rdma@1, truncate",
        "dirty+buffers rw",
        judges="I1 I3 I10 I12",
        bounds="1 page, 1 mapping, a pin forever with any number of stores, 1 truncate",
        reach=(PINNED, ReachFunction("truncate finds the page", "truncate_inode_page")),
    ),
    standing(
        "munmap-gup-fast",
        "GUP-fast beside munmap of the same memory, which frees the page table",
        "dio-read@1, munmap@1",
        "dirty+buffers rw",
        judges="I1 I9 I10 I12",
        bounds="1 page, 1 mapping, 1 DMA, 1 munmap",
        reach=(ReachFunction("GUP finds no mapping any more", "get_user_pages_unlocked"),),
    ),
    standing(
        "put-clean-fsync",
        "put_user_pages(), no dirtying, of a page that a device stored into, beside fsync",
        "put-clean-verify@1, fsync",
        "dirty+buffers rw",
        judges="O1 O2 I3 I4 I10 I12",
        bounds="1 page, 1 mapping, 1 pin with 1 store, 1 fsync beside it and 1 after it",
        reach=(PINNED_UNDER_WRITEBACK,),
        misuse="nobody says that the device has stored",
    ),
    standing(
        "put-dirty-lock-reclaim",
        "put_user_pages_dirty_lock() of a mapped file page beside writeback and reclaim",
        "put-dirty-lock-verify@1, flush-reclaim",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12",
        bounds=PUT_RECLAIM,
        reach=(
            PINNED,
            ReachFunction("reclaim unmaps the page", "try_to_unmap"),
            ReachFunction("reclaim takes the buffers", "try_to_free_buffers"),
        ),
    ),
    standing(
        "put-dirty-lock-truncate",
        "put_user_pages_dirty_lock() of a mapped file page beside truncate of that page",
        "put-dirty-lock@1, truncate",
        "dirty+buffers rw",
        judges="O2 I1 I3 I10 I12",
        bounds="1 page, 1 mapping, 1 pin with 1 store, 1 truncate",
        reach=(PINNED, ReachFunction("truncate finds the page", "truncate_inode_page")),
    ),
    standing(
        "put-dirty-reclaim",
        "put_user_pages_dirty() of a mapped file page beside background writeback and reclaim",
        "put-dirty-verify@1, flush-reclaim",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12",
        bounds=PUT_RECLAIM,
        reach=(
            PINNED,
            ReachFunction("reclaim unmaps the page", "try_to_unmap"),
            ReachFunction("reclaim takes the buffers", "try_to_free_buffers"),
        ),
    ),
    standing(
        "put-dirty-truncate",
        "put_user_pages_dirty() of a mapped file page beside truncate of that page",
        "put-dirty@1, truncate",
        "dirty+buffers rw",
        judges="O2 I1 I3 I10 I12",
        bounds="1 page, 1 mapping, 1 pin with 1 store, 1 truncate",
        reach=(PINNED, ReachFunction("truncate finds the page", "truncate_inode_page")),
        misuse="the page is not locked, and nothing else keeps it in its file",
    ),
    standing(
        "store-fsync",
        "a program stores and calls fsync beside another fsync and a quiet RDMA registration",
        "rdma-quiet@1, store-verify@1, fsync-only",
        "dirty+buffers rw",
        judges="O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, a pin forever with no store, 1 CPU store, 2 fsyncs",
        reach=(
            PINNED_UNDER_WRITEBACK,
            ReachEvents("the program reads back its data", (Event.READ_FRESH,)),
        ),
    ),
    standing(
        "two-pages-fsync",
        "O_DIRECT read into two pages mapped in reverse order beside fsync of both",
        "dio-read-two@1, fsync-only",
        "dirty+buffers+two rw",
        judges="I1 I10 I12 I13",
        bounds="2 pages, 1 mapping of both, 2 pins, 1 fsync",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("GUP faults", "page_mkwrite")),
    ),
    standing(
        "two-pins-fsync",
        "O_DIRECT read and a second, short pin of the same page beside fsync",
        "dio-read@1, gup@1, fsync",
        "dirty+buffers rw",
        judges="O1 O2 I1 I3 I4 I10 I12 I13",
        bounds="1 page, 1 mapping, 2 pins, 1 DMA with 1 store, 1 fsync",
        reach=(
            PINNED_UNDER_WRITEBACK,
            ReachEvents("a pin goes while another stays", (Event.PIN, Event.PIN, Event.UNPIN)),
        ),
    ),
)

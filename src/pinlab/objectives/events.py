"""The named events of one page: the vocabulary that model and kernel share."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What can happen to one page. Names follow the event table of the field wing.

    Those marked (model) cannot be seen on a running kernel.
    """

    # references and pins
    PIN = "pin"  # a GUP user now holds the page and may write it at any time
    UNPIN = "unpin"  # one such user has let go
    PIN_LONGTERM_DAX = "pin_longterm_dax"  # a FOLL_LONGTERM pin of a DAX page succeeded
    PAGE_ALLOC = "page_alloc"  # the page was given to a new owner
    PAGE_FREE = "page_free"  # the page went back to the allocator
    # what the pin holder does
    DEV_STORE = "dev_store"  # a device stored into the page through a pin
    # dirtiness and the file system's view
    FAULT_MKWRITE = "fault_mkwrite"  # ->page_mkwrite (or write_begin) told the file system
    DIRTY = "dirty"  # set_page_dirty found the page clean and made it dirty
    CLEAN_FOR_IO = "clean_for_io"  # TestClearPageDirty for writeback, or dirtiness cancelled
    MKCLEAN = "mkclean"  # page_mkclean returned: every PTE is write-protected
    ATTACH_BUFFERS = "attach_buffers"  # the file system attached its private data
    RELEASE_BUFFERS = "release_bufs"  # and released it
    # writeback
    WRITEBACK_ATTEMPT = "wb_attempt"  # writeback looks at the dirty page, page locked (model)
    WRITEBACK_START = "wb_start"  # the page itself is the image that is being written
    WRITEBACK_BOUNCE = "wb_bounce"  # a copy of the page is the image being written
    WRITEBACK_END = "wb_end"  # the write has completed
    # the detector
    QUERY = "query"  # somebody starts to ask whether the page is pinned (model)
    ANSWER_PINNED = "answer_pinned"  # ... and is told yes (model)
    ANSWER_UNPINNED = "answer_unpinned"  # ... and is told no (model)
    # page cache and blocks
    CACHE_ADD = "cache_add"
    CACHE_DEL = "cache_del"
    BLOCK_FREE = "block_free"  # the file system freed the block behind the page
    BLOCK_REUSE = "block_reuse"  # ... and gave it to another owner
    # what observers see
    READ_STALE = "read_stale"  # a reader got older data than it is owed (model)
    READ_FRESH = "read_fresh"  # a reader got what it is owed (model)
    PIN_STALE = "pin_stale"  # owner's address and its pin no longer name one page (model)
    COW_LEAK = "cow_leak"  # one process saw what the other wrote after fork (model)
    WALK_FREED = "walk_freed"  # a lockless walk read a freed page table (model)

"""Where a kernel keeps what an event tells: offsets, and the tracepoints with their prototypes.

Prototypes of raw tracepoints are no promise of the kernel, so each is compared with BTF
(`btf_trace_NAME`) before anything is attached; one that differs is left out and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from pinlab.field.errors import LayoutError
from pinlab.field.layout.btf import Btf
from pinlab.field.layout.page import PageLayout, page_layout

REQ_OP_WRITE = 1
PAGE_BYTES = 64
"""Bytes of a struct page, of which a record has room for two."""


class Hook(IntEnum):
    """What a raw record is about, by number as the program writes it.

    The last three are functions, which not every kernel lets us watch: a pin was taken by GUP, a
    pin goes, PG_dirty was cleared for writeback.
    """

    DIRTY = 1
    CACHE_ADD = 2
    CACHE_DEL = 3
    BIO_QUEUE = 4
    BIO_COMPLETE = 5
    RQ_COMPLETE = 6
    GRAB = 7
    PUT = 8
    CLEAN = 9


TRACEPOINTS: dict[Hook, tuple[str, tuple[str, ...]]] = {
    Hook.DIRTY: ("writeback_dirty_folio", ("struct folio *", "struct address_space *")),
    Hook.CACHE_ADD: ("mm_filemap_add_to_page_cache", ("struct folio *",)),
    Hook.CACHE_DEL: ("mm_filemap_delete_from_page_cache", ("struct folio *",)),
    Hook.BIO_QUEUE: ("block_bio_queue", ("struct bio *",)),
    Hook.BIO_COMPLETE: ("block_bio_complete", ("struct request_queue *", "struct bio *")),
    Hook.RQ_COMPLETE: ("block_rq_complete", ("struct request *", "blk_status_t", "unsigned int")),
}
"""Each tracepoint by name, and what follows the `void *` in its prototype."""


class Success(Enum):
    """By what a function says that it did it."""

    ZERO = "returns an int that is 0"
    TRUE = "returns true"
    POINTER = "returns a pointer, not NULL"
    CALLED = "is called"


@dataclass(frozen=True, slots=True)
class Function:
    """A function that says more than any tracepoint, where the kernel lets us watch functions.

    Its first parameter is the folio, or a page of it. If it has three, the second says how many
    references and the third is FOLL_ flags, of which FOLL_PIN must be there. Source: mm/gup.c,
    mm/page-writeback.c. A copy that the compiler made inline in some caller is not seen.
    """

    hook: Hook
    name: str
    parameters: tuple[str, ...]
    success: Success


_COUNTED = ("int", "unsigned int")
FUNCTIONS = (
    Function(Hook.GRAB, "try_grab_folio", ("struct folio *", *_COUNTED), Success.ZERO),
    Function(Hook.GRAB, "try_grab_folio_fast", ("struct page *", *_COUNTED), Success.POINTER),
    Function(Hook.PUT, "gup_put_folio", ("struct folio *", *_COUNTED), Success.CALLED),
    Function(Hook.CLEAN, "folio_clear_dirty_for_io", ("struct folio *",), Success.TRUE),
)


def mismatch(btf: Btf, hook: Hook) -> str:
    """Why a tracepoint cannot be used in this kernel; empty if it can."""
    name, expected = TRACEPOINTS[hook]
    found = btf.parameters(f"btf_trace_{name}")
    if found is None:
        return f"{name}: this kernel has no such tracepoint"
    return _differs(name, found[1:], expected)


def function_mismatch(btf: Btf, function: Function) -> str:
    """Why a function cannot be watched in this kernel; empty if it can."""
    found = btf.parameters(function.name)
    if found is None:
        return f"{function.name}: this kernel has no such function"
    if len(function.parameters) == 3 and btf.enumerator("FOLL_PIN") is None:
        return f"{function.name}: this kernel's types do not say which flag FOLL_PIN is"
    return _differs(function.name, found, function.parameters)


def _differs(name: str, found: tuple[str, ...], expected: tuple[str, ...]) -> str:
    if found == expected:
        return ""
    return f"{name}: its prototype is ({', '.join(found)}), not ({', '.join(expected)})"


@dataclass(frozen=True, slots=True)
class EventLayout:
    """Offsets in bytes, named after structure and field."""

    page: PageLayout
    bio_opf: int
    bio_flags: int
    bio_status: int
    bio_bdev: int
    bio_vecs: int
    bio_next: int
    iter_size: int
    iter_idx: int
    iter_done: int
    vec_page: int
    vec_len: int
    vec_offset: int
    bdev_dev: int
    request_bio: int
    mapping_host: int
    inode_ino: int
    inode_mode: int
    inode_sb: int
    sb_dev: int
    sb_type: int
    type_flags: int
    pinned_flag: int
    """The bit of bi_flags that says BIO_PAGE_PINNED; before 6.5 there is none."""
    zone_append: int
    """REQ_OP_ZONE_APPEND, the write of zoned devices; where there is none, the plain one."""
    foll_pin: int
    foll_write: int
    """Masks of FOLL_ flags; 0 where the kernel's types do not say."""

    @property
    def bio_bytes(self) -> int:
        """Bytes of a bio up to the last field that is read, in words."""
        ends = (self.bio_vecs + 8, self.iter_done + 4, self.bio_opf + 8, self.bio_bdev + 8)
        return -(-max(*ends, self.iter_size + 4, self.iter_idx + 4, self.bio_next + 8) // 8) * 8


def event_layout(btf: Btf) -> EventLayout:
    """The offsets in the kernel that `btf` describes. Raises LayoutError naming what is missing."""
    at = btf.offset
    page = page_layout(btf)
    if page.page_size != PAGE_BYTES:
        raise LayoutError(
            f"a struct page of {page.page_size} bytes; events are known for {PAGE_BYTES} only"
        )
    pinned = btf.enumerator("BIO_PAGE_PINNED")
    return EventLayout(
        page=page,
        bio_opf=at("bio", "bi_opf"),
        bio_flags=at("bio", "bi_flags"),
        bio_status=at("bio", "bi_status"),
        bio_bdev=at("bio", "bi_bdev"),
        bio_vecs=at("bio", "bi_io_vec"),
        bio_next=at("bio", "bi_next"),
        iter_size=at("bio", "bi_iter.bi_size"),
        iter_idx=at("bio", "bi_iter.bi_idx"),
        iter_done=at("bio", "bi_iter.bi_bvec_done"),
        vec_page=at("bio_vec", "bv_page"),
        vec_len=at("bio_vec", "bv_len"),
        vec_offset=at("bio_vec", "bv_offset"),
        bdev_dev=at("block_device", "bd_dev"),
        request_bio=at("request", "bio"),
        mapping_host=at("address_space", "host"),
        inode_ino=at("inode", "i_ino"),
        inode_mode=at("inode", "i_mode"),
        inode_sb=at("inode", "i_sb"),
        sb_dev=at("super_block", "s_dev"),
        sb_type=at("super_block", "s_type"),
        type_flags=at("file_system_type", "fs_flags"),
        pinned_flag=-1 if pinned is None else pinned,
        zone_append=btf.enumerator("REQ_OP_ZONE_APPEND") or REQ_OP_WRITE,
        foll_pin=btf.enumerator("FOLL_PIN") or 0,
        foll_write=btf.enumerator("FOLL_WRITE") or 0,
    )

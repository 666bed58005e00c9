"""Where the counts of a page lie in this kernel, and how they are encoded.

Everything is asked of the kernel's BTF, nothing of its version, but for two rules that left no
trace in the types (`hugetlb_cache_per_page`, `device_idle_references`), which are told by types
and functions that came with them. Generations that differ, by the field that tells them:

- large mapcount: `folio._large_mapcount` (6.10); before, `_entire_mapcount` and one count per
  page (6.2); before, `_total_mapcount`, which despite its name counts whole mappings only, and
  PG_double_map.
- page types: `enum pagetype` with PGTY_* in the top byte (6.12); with PAGE_MAPCOUNT_RESERVE
  (6.10); before, every `page_type` below -128.
- order: `folio._folio_order` until 6.5, then the low byte of `_flags_1`.
- hugetlb: a destructor (6.5), the flag PG_hugetlb of the first tail page (6.6), a page type (6.10,
  6.11: one bit that is cleared; 6.10's is a macro, so 6.10 is refused).

Source: include/linux/mm_types.h, page-flags.h, mm.h of 6.1, 6.12 and 6.18, compared by the BTF of
Debian's kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pinlab.field.errors import LayoutError
from pinlab.field.layout.btf import Btf

PIN_BIAS = 1024
"""GUP_PIN_COUNTING_BIAS: what one pin of a small folio adds to its reference count."""

WORD = 8


class LargeMapcount(StrEnum):
    """How a large folio counts its mappings."""

    LARGE = "one count"
    ENTIRE = "one count of whole mappings and one per page"
    DOUBLE = "the same, with pages mapped both ways counted twice"


class Hugetlb(StrEnum):
    """How a hugetlb folio is told."""

    TYPE = "page type"
    TYPE_BIT = "page type of one bit, cleared"
    FLAG = "flag of the first tail page"
    DESTRUCTOR = "destructor"


@dataclass(frozen=True, slots=True)
class Field:
    """A whole number in a struct page, or in the struct pages of one folio."""

    page: int
    """Which struct page of the folio: 0 the head, 1 the first tail."""
    offset: int
    """Bytes from the start of that struct page."""
    size: int
    """Bytes: 1, 2, 4 or 8."""


@dataclass(frozen=True, slots=True)
class PageLayout:
    """What the census reads of struct page and struct folio."""

    page_size: int
    """Bytes of a struct page, a multiple of 8."""
    flags: Field
    compound_head: Field
    """Of a tail: its head, and bit 0."""
    head_by_mask: bool
    """Or, since 7.1, a mask that leads from the tail's address to its head's, and bit 0: which of
    the two is the kernel's configuration, which nothing tells but the value itself."""
    refcount: Field
    mapcount: Field
    mapping: Field
    index: Field
    private: Field
    pincount: Field
    large_mapcount: Field
    """What `large_mapcount_rule` says: a count of all mappings, or of whole ones."""
    large_mapcount_rule: LargeMapcount
    nr_pages_mapped: Field | None
    entire_mapcount: Field | None
    nr_pages: Field | None
    order: Field
    """Its low 8 bits are the order."""
    flag_bits: dict[str, int]
    """Bits of `flags` by the kernel's name without PG_; aliases included."""
    type_limit: int
    """A mapcount field that is below this as a signed number holds a page type instead."""
    types: dict[int, str]
    """Names of the top byte of a page type; empty where types are not encoded so."""
    slab_flag: int | None
    """The bit of `flags` that tells slab, where it is not a page type."""
    hugetlb: Hugetlb
    hugetlb_value: int
    """The top byte of the type, the bit of the flag, or the destructor."""
    hugetlb_field: Field
    hugetlb_cache_per_page: bool
    """The page cache holds a hugetlb folio by one reference per page (6.7), or by one."""
    device_idle_references: int
    """References of an idle fsdax page: 1 before 6.15, then 0."""

    @property
    def words(self) -> int:
        """The words of 8 bytes of a struct page."""
        return self.page_size // WORD

    def bit(self, name: str) -> int:
        """The mask of a flag. Raises LayoutError."""
        if name not in self.flag_bits:
            raise LayoutError(f"this kernel has no page flag PG_{name}")
        return 1 << self.flag_bits[name]


def page_layout(btf: Btf) -> PageLayout:
    """The layout of the kernel that `btf` describes.

    Raises LayoutError with everything that is missing if it is none of those we know.
    """
    missing: list[str] = []
    if not btf.has("page") or not btf.has("folio"):
        raise LayoutError(
            "this kernel has no struct folio: its pins are not counted in a way we know; "
            "6.1 is the oldest that is"
        )
    if btf.size("long unsigned int") != WORD:
        raise LayoutError("this is a 32-bit kernel; only 64-bit ones are known")
    page_size = btf.size("page")
    if page_size % WORD or page_size < 7 * WORD:
        raise LayoutError(f"a struct page of {page_size} bytes is of no kernel we know")

    def optional(type_name: str, path: str) -> Field | None:
        if not btf.has(type_name, path):
            return None
        member = btf.member(type_name, path)
        if member.bitfield or member.size not in (1, 2, 4, 8):
            return None
        return Field(member.offset // page_size, member.offset % page_size, member.size)

    def required(type_name: str, *paths: str, page: int = 0) -> Field:
        for path in paths:
            found = optional(type_name, path)
            if found is not None and found.page == page:
                return found
        missing.append(f"{type_name}.{' or '.join(paths)}")
        return Field(0, 0, WORD)

    rule, large_mapcount = _large_mapcount(btf, optional, missing)
    flag_bits = _flag_bits(btf, missing)
    type_limit, types = _types(btf)
    hugetlb, hugetlb_value, hugetlb_field = _hugetlb(btf, required, flag_bits, missing)
    layout = PageLayout(
        page_size=page_size,
        flags=required("page", "flags"),
        compound_head=required("page", "compound_head", "compound_info"),
        head_by_mask=btf.has("page", "compound_info"),
        refcount=required("page", "_refcount"),
        mapcount=required("page", "_mapcount"),
        mapping=required("folio", "mapping"),
        index=required("folio", "index"),
        private=required("page", "private"),
        pincount=required("folio", "_pincount", page=1),
        large_mapcount=large_mapcount,
        large_mapcount_rule=rule,
        nr_pages_mapped=optional("folio", "_nr_pages_mapped"),
        entire_mapcount=optional("folio", "_entire_mapcount"),
        nr_pages=optional("folio", "_nr_pages") or optional("folio", "_folio_nr_pages"),
        order=required("folio", "_folio_order", "_flags_1", page=1),
        flag_bits=flag_bits,
        type_limit=type_limit,
        types=types,
        slab_flag=flag_bits.get("slab"),
        hugetlb=hugetlb,
        hugetlb_value=hugetlb_value,
        hugetlb_field=hugetlb_field,
        hugetlb_cache_per_page=hugetlb is not Hugetlb.DESTRUCTOR and not _has_old_filemap(btf),
        device_idle_references=0 if btf.parameters("dax_break_layout") is not None else 1,
    )
    if missing:
        raise LayoutError(
            "this kernel's struct page is of no layout we know; missing: " + ", ".join(missing)
        )
    return layout


def _large_mapcount(
    btf: Btf, optional: Callable[[str, str], Field | None], missing: list[str]
) -> tuple[LargeMapcount, Field]:
    for rule, path in (
        (LargeMapcount.LARGE, "_large_mapcount"),
        (LargeMapcount.ENTIRE, "_entire_mapcount"),
        (LargeMapcount.DOUBLE, "_total_mapcount"),
    ):
        found = optional("folio", path)
        if found is not None and found.page == 1:
            return rule, found
    missing.append("folio._large_mapcount or _entire_mapcount or _total_mapcount")
    return LargeMapcount.LARGE, Field(1, 0, 4)


_FLAGS = ("head", "private", "swapcache", "swapbacked", "reserved", "locked", "dirty", "writeback")


def _flag_bits(btf: Btf, missing: list[str]) -> dict[str, int]:
    bits = {
        name.removeprefix("PG_"): value
        for name, value in btf.enum("pageflags").items()
        if name.startswith("PG_")
    }
    missing += [f"PG_{name} in enum pageflags" for name in _FLAGS if name not in bits]
    return bits


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _types(btf: Btf) -> tuple[int, dict[int, str]]:
    """The limit below which a mapcount is a page type, and the names of the top bytes."""
    names = btf.enum("pagetype")
    if "PGTY_mapcount_underflow" in names:
        types = {value: name.removeprefix("PGTY_") for name, value in names.items()}
        return _signed(names["PGTY_mapcount_underflow"] << 24), types
    if "PAGE_MAPCOUNT_RESERVE" in names:
        return _signed(names["PAGE_MAPCOUNT_RESERVE"]), {}
    return -128, {}  # PAGE_MAPCOUNT_RESERVE, a macro until 6.10


def _hugetlb(
    btf: Btf,
    required: Callable[..., Field],
    flag_bits: dict[str, int],
    missing: list[str],
) -> tuple[Hugetlb, int, Field]:
    types = btf.enum("pagetype")
    if "PGTY_hugetlb" in types:
        return Hugetlb.TYPE, types["PGTY_hugetlb"], required("page", "page_type")
    if "PG_hugetlb" in types and "PAGE_TYPE_BASE" in types:
        return Hugetlb.TYPE_BIT, types["PG_hugetlb"], required("page", "page_type")
    if "hugetlb" in flag_bits:
        return Hugetlb.FLAG, flag_bits["hugetlb"], required("folio", "_flags_1", page=1)
    destructor = btf.enumerator("HUGETLB_PAGE_DTOR")
    if destructor is not None:
        field = required("folio", "_folio_dtor", page=1)
        return Hugetlb.DESTRUCTOR, destructor, field
    if not btf.has("hugetlb_folio") and not btf.has("hstate"):
        return Hugetlb.TYPE, -1, required("page", "_mapcount")  # a kernel without hugetlb
    missing.append("PGTY_hugetlb, PG_hugetlb or HUGETLB_PAGE_DTOR")
    return Hugetlb.TYPE, -1, Field(0, 0, 4)


def _has_old_filemap(btf: Btf) -> bool:
    """6.6 has PG_hugetlb but still one reference; its linear_hugepage_index went with 6.7."""
    return btf.parameters("hugetlb_basepage_index") is not None

"""Synthetic memory: struct pages written by hand, a reader of them, and a slow decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError
from pinlab.field.layout.btf import Btf
from pinlab.field.memory.reader import Chunk, PfnRange
from tests.field.btf_builder import kernel
from tests.field.fake_reader import FakeReader

VMEMMAP = 0xFFFFEA0000000000
SIZE = 64


@cache
def types(release: str) -> Btf:
    return Btf(kernel(release))


@cache
def place(release: str, kind: str, name: str) -> tuple[int, int]:
    """Offset and size of a field."""
    member = types(release).member(kind, name)
    return member.offset, member.size


@cache
def flag(release: str, *names: str) -> int:
    """The mask of some flags."""
    bits = types(release).enum("pageflags")
    return sum({1 << bits[f"PG_{name}"] for name in names})


class Memory:
    """The struct pages of frames 0 to `count`, all free at first."""

    def __init__(self, release: str, count: int) -> None:
        self.release = release
        self.btf = types(release)
        self.data = bytearray(SIZE * count)
        self.count = count
        for pfn in range(count):
            self.set(pfn, "_mapcount", -1)

    def set(self, pfn: int, name: str, value: int, *, kind: str = "page") -> None:
        """Write a field of a struct page, or of the folio that begins there."""
        offset, size = place(self.release, kind, name)
        at = SIZE * pfn + offset
        value &= (1 << 8 * size) - 1
        self.data[at : at + size] = value.to_bytes(size, "little")

    def get(self, pfn: int, name: str, *, kind: str = "page", signed: bool = False) -> int:
        """Read one."""
        offset, size = place(self.release, kind, name)
        at = SIZE * pfn + offset
        return int.from_bytes(self.data[at : at + size], "little", signed=signed)

    def small(
        self,
        pfn: int,
        refs: int,
        *,
        maps: int = 0,
        flags: int = 0,
        mapping: int = 0,
        index: int = 0,
    ) -> None:
        """A folio of one page."""
        self.set(pfn, "flags", flags)
        self.set(pfn, "_refcount", refs)
        self.set(pfn, "_mapcount", maps - 1)
        self.set(pfn, "mapping", mapping, kind="folio")
        self.set(pfn, "index", index, kind="folio")

    def large(
        self,
        pfn: int,
        order: int,
        refs: int,
        pins: int,
        *,
        whole: int = 0,
        each: int = 0,
        flags: int = 0,
        mapping: int = 0,
        hugetlb: bool = False,
        tail_flags: int = 0,
    ) -> None:
        """A folio of 1 << order pages, mapped `whole` times as one and `each` times per page."""
        release, pages = self.release, 1 << order
        self.small(pfn, refs, flags=flags | flag(release, "head"), mapping=mapping)
        anon = mapping & 1
        for tail in range(pfn, pfn + pages):
            inside = each + (whole if release == "6.1" and not anon and not hugetlb else 0)
            self.set(tail, "_mapcount", inside - 1)
            if tail > pfn:
                self.set(tail, "flags", 0)
                self.set(tail, "compound_head", VMEMMAP + SIZE * pfn | 1)
        self.set(pfn + 1, "flags", tail_flags)
        total = whole + each * pages

        def put(name: str, value: int) -> None:
            self.set(pfn, name, value, kind="folio")

        put("_pincount", pins)
        put("_folio_nr_pages" if release != "6.18" else "_nr_pages", pages)
        if release == "6.1":
            put("_folio_order", order)
            put("_total_mapcount", whole - 1)
            put("_folio_dtor", 2 if hugetlb else 1)
        else:
            put("_entire_mapcount", whole - 1)
            marked = flag(release, "hugetlb") if hugetlb and release == "6.6" else 0
            put("_flags_1", tail_flags | order | marked)
        if release in ("6.11", "6.12", "6.18"):
            put("_large_mapcount", total - 1)
        if hugetlb and release == "6.11":
            self.set(pfn, "page_type", ~0x04000000)
        elif hugetlb and release in ("6.12", "6.18"):
            self.set(pfn, "page_type", 0xF4 << 24)

    def optimize(self, pfn: int, order: int) -> None:
        """Let a folio have 64 real struct pages, as HVO does: the others are the same again."""
        real = self.data[SIZE * pfn : SIZE * (pfn + 64)]
        for first in range(pfn + 64, pfn + (1 << order), 64):
            self.data[SIZE * first : SIZE * (first + 64)] = real


@dataclass
class SyntheticReader(FakeReader):
    """Serves a `Memory` as a reader would."""

    memory: Memory
    frozen: bool = False
    holes: frozenset[int] = frozenset()
    """Frames whose struct page is not mapped."""
    chunk: int = 64
    device: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    on_read: Callable[[Memory], None] | None = None
    """Called before each reading after the scan: the rest of the machine."""
    name: str = "synthetic"
    boot: str = ""
    vmemmap: int = VMEMMAP
    page_offset: int = 0xFFFF888000000000

    @property
    def release(self) -> str:
        return self.memory.release

    @property
    def btf(self) -> Btf:
        return self.memory.btf

    def read(self, address: int, size: int) -> bytes:
        start = address - VMEMMAP
        if start < 0 or start + size > len(self.memory.data):
            raise FaultError(address, size)
        touched = range(start // SIZE, -(-(start + size) // SIZE))
        if not self.holes.isdisjoint(touched):
            raise FaultError(address, size)
        return bytes(self.memory.data[start : start + size])

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        if self.on_read is not None:
            self.on_read(self.memory)
        return super().read_many(addresses, size)

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        data = self.read(VMEMMAP + SIZE * first, SIZE * count)
        return np.frombuffer(data, np.uint64).reshape(count, -1)

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        for each in ranges:
            first = each.first
            while first < each.end:
                end = min(each.end, (first // self.chunk + 1) * self.chunk)
                if self.holes.isdisjoint(range(first, end)):
                    yield Chunk(first, self.pages(first, end - first))
                first = end

    def ranges(self) -> tuple[PfnRange, ...]:
        return (PfnRange(0, self.memory.count, self.device),)

    def symbol(self, name: str) -> int | None:
        return None

    def task(self) -> int:
        raise FaultError(0, 8)

    def counters(self) -> dict[str, int]:
        return dict(self.counts)


class Decoded(NamedTuple):
    """What the census must say of one folio."""

    pfn: int
    order: int
    pins: int
    refcount: int
    mapcount: int
    expected: int
    unexplained: int


def decode(memory: Memory, references: bool = False) -> list[Decoded]:
    """The pinned folios, decided page by page as the kernel's own functions would; with
    `references` also those of users and files that somebody else has a reference to."""
    found = (_folio(memory, pfn, references) for pfn in range(memory.count))
    return [each for each in found if each is not None]


def _folio(memory: Memory, pfn: int, references: bool) -> Decoded | None:
    release = memory.release

    def has(name: str, at: int = pfn) -> bool:
        return bool(memory.get(at, "flags") & flag(release, name))

    if memory.get(pfn, "compound_head") & 1:
        return None  # a tail
    refs = memory.get(pfn, "_refcount", signed=True)
    large = has("head")
    if refs <= 0:
        return None
    if large and pfn + 1 >= memory.count:
        return None
    if large and memory.get(pfn + 1, "compound_head") != VMEMMAP + SIZE * pfn | 1:
        return None  # page_fixed_fake_head
    hugetlb = large and _is_hugetlb(memory, pfn)
    if _has_type(memory, pfn) and not hugetlb:
        return None
    mapping = memory.get(pfn, "mapping", kind="folio")
    anon = bool(mapping & 1)
    order = _order(memory, pfn) if large else 0
    pages = 1 << order
    maps = _mapcount(memory, pfn, order, anon, hugetlb) if large else _small_maps(memory, pfn)
    expected = maps
    if has("swapbacked") and has("swapcache"):
        expected += pages
    if not anon:
        if mapping and not mapping & 2:
            expected += 1 if hugetlb and release in ("6.1", "6.6") else pages
        expected += has("private")
    extra = refs - expected
    if large:
        pins = memory.get(pfn, "_pincount", kind="folio", signed=True)
        gets = extra - pins
    elif extra < 0:
        return None
    else:
        pins, gets = extra // 1024, extra % 1024
    others = gets - (not has("lru") and not hugetlb)
    others *= mapping != 0 and mapping & 3 != 2
    listed = (pins > 0 and (large or refs >= 1024)) or (references and others > 0)
    return Decoded(pfn, order, pins, refs, maps, expected, gets) if listed else None


def _small_maps(memory: Memory, pfn: int) -> int:
    return memory.get(pfn, "_mapcount", signed=True) + 1


def _has_type(memory: Memory, pfn: int) -> bool:
    """page_has_type(), and PG_slab where it is a flag."""
    word = memory.get(pfn, "page_type", signed=True)
    if memory.release in ("6.1", "6.6"):
        slab = bool(memory.get(pfn, "flags") & flag(memory.release, "slab"))
        return slab or word < -128
    return word < (-65536 if memory.release == "6.11" else -(1 << 24))


def _is_hugetlb(memory: Memory, pfn: int) -> bool:
    match memory.release:
        case "6.1":
            return memory.get(pfn, "_folio_dtor", kind="folio") == 2
        case "6.6":
            bits = memory.get(pfn, "_flags_1", kind="folio")
            return bool(bits & flag("6.6", "hugetlb"))
        case "6.11":
            word = memory.get(pfn, "page_type")
            return word & 0x84000000 == 0x80000000
    return memory.get(pfn, "page_type") >> 24 == 0xF4


def _order(memory: Memory, pfn: int) -> int:
    if memory.release == "6.1":
        return memory.get(pfn, "_folio_order", kind="folio")
    return memory.get(pfn, "_flags_1", kind="folio") & 0xFF


def _mapcount(memory: Memory, pfn: int, order: int, anon: bool, hugetlb: bool) -> int:
    def count(name: str) -> int:
        return memory.get(pfn, name, kind="folio", signed=True) + 1

    if memory.release in ("6.11", "6.12", "6.18"):
        return count("_large_mapcount")
    whole = count("_total_mapcount" if memory.release == "6.1" else "_entire_mapcount")
    if hugetlb:
        return whole
    total = whole + sum(_small_maps(memory, each) for each in range(pfn, pfn + (1 << order)))
    if memory.release == "6.1":
        if not anon:
            return total - whole * (1 << order)
        if memory.get(pfn + 1, "flags") & flag("6.1", "double_map"):
            total -= 1 << order
    return total

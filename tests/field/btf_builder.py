"""Small BTF blobs, and with them kernels of three generations, made by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Field = tuple[str, int, int]
"""Name ("" for an anonymous member), type, byte offset."""


@dataclass
class BtfBuilder:
    """Adds types one by one; each call returns the number of the type it added."""

    types: list[bytes] = field(default_factory=list)
    strings: bytearray = field(default_factory=lambda: bytearray(b"\0"))

    def name(self, text: str) -> int:
        if not text:
            return 0
        at = self.strings.find(b"\0" + text.encode() + b"\0")
        if at >= 0:
            return at + 1
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(
        self, kind: int, name: str, count: int, size: int, rest: bytes = b"", flag: bool = False
    ) -> int:
        info = kind << 24 | count | int(flag) << 31
        self.types.append(struct.pack("<III", self.name(name), info, size) + rest)
        return len(self.types)

    def integer(self, name: str, size: int) -> int:
        return self.add(1, name, 0, size, struct.pack("<I", size * 8))

    def pointer(self, to: int) -> int:
        return self.add(2, "", 0, to)

    def array(self, of: int, count: int) -> int:
        return self.add(3, "", 0, 0, struct.pack("<III", of, of, count))

    def struct(self, name: str, size: int, fields: Sequence[Field], *, union: bool = False) -> int:
        rest = b"".join(struct.pack("<III", self.name(n), t, at * 8) for n, t, at in fields)
        return self.add(5 if union else 4, name, len(fields), size, rest)

    def bitfields(self, name: str, size: int, fields: Sequence[tuple[str, int, int, int]]) -> int:
        """Name, type, bit offset, width in bits or 0."""
        rest = b"".join(
            struct.pack("<III", self.name(n), t, w << 24 | at) for n, t, at, w in fields
        )
        return self.add(4, name, len(fields), size, rest, flag=True)

    def enum(self, name: str, values: Mapping[str, int]) -> int:
        signed = any(value < 0 for value in values.values())
        rest = b"".join(
            struct.pack("<II", self.name(n), value & 0xFFFFFFFF) for n, value in values.items()
        )
        return self.add(6, name, len(values), 4, rest, flag=signed)

    def enum64(self, name: str, values: Mapping[str, int]) -> int:
        rest = b"".join(
            struct.pack("<III", self.name(n), value & 0xFFFFFFFF, value >> 32)
            for n, value in values.items()
        )
        return self.add(19, name, len(values), 8, rest)

    def typedef(self, name: str, to: int) -> int:
        return self.add(8, name, 0, to)

    def const(self, to: int) -> int:
        return self.add(10, "", 0, to)

    def prototype(self, result: int, parameters: Sequence[int]) -> int:
        rest = b"".join(struct.pack("<II", 0, each) for each in parameters)
        return self.add(13, "", len(parameters), result, rest)

    def function(self, name: str, prototype: int) -> int:
        return self.add(12, name, 0, prototype)

    def bytes(self) -> bytes:
        types = b"".join(self.types)
        header = struct.pack(
            "<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.strings)
        )
        return header + types + bytes(self.strings)


FLAGS_61 = (
    "locked referenced uptodate dirty lru active workingset waiters error slab owner_priv_1 arch_1 "
    "reserved private private_2 writeback head mappedtodisk reclaim swapbacked unevictable mlocked"
)
FLAGS_612 = (
    "locked writeback referenced uptodate dirty lru head waiters active workingset owner_priv_1 "
    "owner_2 arch_1 reserved private private_2 reclaim swapbacked unevictable mlocked"
)
TYPES_611 = {
    "PG_buddy": 0x40000000,
    "PG_hugetlb": 0x04000000,
    "PG_slab": 0x02000000,
    "PAGE_TYPE_BASE": 0x80000000,
    "PAGE_MAPCOUNT_RESERVE": ~0x0000FFFF,
}
TYPES_612 = {
    "PGTY_buddy": 0xF0,
    "PGTY_table": 0xF2,
    "PGTY_hugetlb": 0xF4,
    "PGTY_slab": 0xF5,
    "PGTY_mapcount_underflow": 0xFF,
}

KERNELS = ("6.1", "6.6", "6.11", "6.12", "6.18")


def kernel(release: str, *, without: Sequence[str] = ()) -> bytes:
    """The BTF of a kernel like this release, as far as the census asks; `without` some names.

    Offsets are those of x86-64 (observed in Debian's 6.1 and 6.12 and in a 6.18 kernel; 6.6 and
    6.11 combine them).
    """
    build = BtfBuilder()
    long = build.integer("long unsigned int", 8)
    int_ = build.integer("int", 4)
    char = build.integer("unsigned char", 1)
    atomic = build.typedef("atomic_t", build.struct("", 4, [("counter", int_, 0)]))
    inode = build.struct("address_space", 64, [("host", build.pointer(0), 0)])
    mapping = build.pointer(inode)
    pair = build.struct("list_head", 16, [("next", long, 0), ("prev", long, 8)])
    count = build.struct("", 4, [("_mapcount", atomic, 0), ("page_type", int_, 0)], union=True)

    def kept(fields: Sequence[Field]) -> list[Field]:
        return [each for each in fields if each[0] not in without]

    cache = kept([("lru", pair, 8), ("mapping", mapping, 24), ("index", long, 32)])
    parts = build.struct("", 40, [(n, t, at - 8) for n, t, at in [*cache, ("private", long, 40)]])
    tail = build.struct("", 40, kept([("compound_head", long, 0)]))
    middle = build.struct("", 40, [("", parts, 0), ("", tail, 0)], union=True)
    page = build.struct(
        "page",
        64,
        kept([("flags", long, 0), ("", middle, 8), ("", count, 48), ("_refcount", atomic, 52)]),
    )
    head = build.struct(
        "",
        64,
        kept(
            [
                ("flags", long, 0),
                *cache,
                ("private", long, 40),
                ("_mapcount", atomic, 48),
                ("_refcount", atomic, 52),
            ]
        ),
    )
    first = build.struct("", 64, kept(_first_tail(release, long, int_, char, atomic)))
    union0 = build.struct("", 64, [("", head, 0), ("page", page, 0)], union=True)
    union1 = build.struct("", 64, [("", first, 0), ("__page_1", page, 0)], union=True)
    build.struct("folio", 128, [("", union0, 0), ("", union1, 64)])
    _enums(build, release, without)
    if release in ("6.1", "6.6"):
        pointer = build.pointer(page)
        build.function("hugetlb_basepage_index", build.prototype(long, [pointer]))
    if release == "6.18":
        build.function("dax_break_layout", build.prototype(int_, [build.pointer(inode)]))
    return build.bytes()


def _first_tail(release: str, long: int, int_: int, char: int, atomic: int) -> list[Field]:
    common = [("_flags_1", long, 0), ("_head_1", long, 8)]
    match release:
        case "6.1":
            return [
                *common,
                ("_folio_dtor", char, 16),
                ("_folio_order", char, 17),
                ("_total_mapcount", atomic, 20),
                ("_pincount", atomic, 24),
                ("_folio_nr_pages", int_, 28),
            ]
        case "6.6":
            return [
                *common,
                ("_entire_mapcount", atomic, 20),
                ("_nr_pages_mapped", atomic, 24),
                ("_pincount", atomic, 28),
                ("_folio_nr_pages", int_, 32),
            ]
        case "6.18":
            return [
                *common,
                ("_large_mapcount", atomic, 16),
                ("_nr_pages_mapped", atomic, 20),
                ("_entire_mapcount", atomic, 24),
                ("_pincount", atomic, 28),
                ("_nr_pages", int_, 56),
            ]
    return [
        *common,
        ("_large_mapcount", atomic, 16),
        ("_entire_mapcount", atomic, 20),
        ("_nr_pages_mapped", atomic, 24),
        ("_pincount", atomic, 28),
        ("_folio_nr_pages", int_, 32),
    ]


def _enums(build: BtfBuilder, release: str, without: Sequence[str]) -> None:
    words = (FLAGS_61 if release == "6.1" else FLAGS_612).split()
    flags = {f"PG_{name}": bit for bit, name in enumerate(words)}
    flags["PG_swapcache"] = flags["PG_owner_priv_1"]
    if release == "6.1":
        flags["PG_double_map"] = flags["PG_workingset"]
        build.enum("compound_dtor_id", {"NULL_COMPOUND_DTOR": 0, "HUGETLB_PAGE_DTOR": 2})
    if release == "6.6":
        flags["PG_hugetlb"] = flags["PG_active"]
        flags["PG_slab"] = 20
    build.enum("pageflags", {n: bit for n, bit in flags.items() if n not in without})
    types = {"6.11": TYPES_611, "6.12": TYPES_612, "6.18": TYPES_612}.get(release)
    if types is not None:
        build.enum("pagetype", types)

"""The BTF parser: what it finds, and that damaged files are refused, not misread."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab.field.errors import LayoutError
from pinlab.field.layout.btf import Btf, BtfError, Member
from tests.field.btf_builder import BtfBuilder, kernel


def test_members_through_anonymous_structs_and_typedefs() -> None:
    build = BtfBuilder()
    u32 = build.integer("unsigned int", 4)
    inner = build.struct("", 8, [("a", u32, 0), ("b", build.typedef("u32", u32), 4)])
    outer = build.struct("", 8, [("", inner, 0), ("whole", build.array(u32, 2), 0)], union=True)
    build.struct("thing", 16, [("first", build.const(u32), 0), ("", outer, 8)])
    btf = Btf(build.bytes())
    assert btf.offset("thing", "b") == 12
    assert btf.member("thing", "whole").size == 8
    assert btf.size("thing") == 16 and btf.size("u32") == 4
    assert not btf.has("thing", "c") and not btf.has("nothing")
    with pytest.raises(LayoutError, match="struct thing has no field c"):
        btf.offset("thing", "c")


def test_paths_go_into_named_structs() -> None:
    btf = Btf(kernel("6.12"))
    assert btf.offset("page", "lru.prev") == 16
    assert btf.offset("folio", "__page_1._refcount") == 64 + 52


def test_bitfields() -> None:
    build = BtfBuilder()
    u32 = build.integer("unsigned int", 4)
    build.bitfields("bits", 8, [("low", u32, 0, 3), ("high", u32, 3, 5), ("word", u32, 32, 0)])
    btf = Btf(build.bytes())
    assert btf.member("bits", "high") == Member(3, 5, u32, True)
    assert btf.member("bits", "word") == Member(32, 32, u32, False)
    with pytest.raises(LayoutError, match="bitfield"):
        btf.offset("bits", "high")


def test_enums() -> None:
    build = BtfBuilder()
    build.enum("colour", {"RED": 0, "BLUE": -2})
    build.enum64("wide", {"FAR": 1 << 40})
    btf = Btf(build.bytes())
    assert btf.enum("colour") == {"RED": 0, "BLUE": -2}
    assert btf.enumerator("FAR") == 1 << 40
    assert btf.enumerator("GREEN") is None and btf.enum("none") == {}


def test_parameters_of_functions_and_tracepoints() -> None:
    build = BtfBuilder()
    folio = build.struct("folio", 8, [])
    prototype = build.prototype(0, [build.pointer(0), build.pointer(build.const(folio))])
    build.typedef("btf_trace_dirty", build.pointer(prototype))
    build.function("mark_dirty", prototype)
    btf = Btf(build.bytes())
    expected = ("void *", "const struct folio *")
    assert btf.parameters("btf_trace_dirty") == btf.parameters("mark_dirty") == expected
    assert btf.parameters("nothing") is None


def test_not_btf() -> None:
    for data, words in (
        (b"", "shorter than its header"),
        (b"\x7fELF" + bytes(60), "magic"),
        (b"\xeb\x9f" + bytes(30), "big endian"),
        (struct.pack("<HBBIIIII", 0xEB9F, 9, 0, 24, 0, 0, 0, 0), "version 9"),
    ):
        with pytest.raises(BtfError, match=words):
            Btf(data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="CONFIG_DEBUG_INFO_BTF"):
        Btf.of_file(tmp_path / "vmlinux")


def test_a_type_that_contains_itself() -> None:
    build = BtfBuilder()
    build.struct("loop", 8, [("", 1, 0)])
    build.typedef("endless", 2)
    btf = Btf(build.bytes())
    with pytest.raises(BtfError, match="contains itself"):
        btf.has("loop", "x")
    with pytest.raises(BtfError, match="defined by itself"):
        btf.size("endless")


@given(st.integers(0, len(kernel("6.18")) - 1))
def test_every_truncation_is_refused(length: int) -> None:
    with pytest.raises(BtfError):
        Btf(kernel("6.18")[:length])


@given(st.data())
def test_damage_is_an_error_of_ours_or_harmless(data: st.DataObject) -> None:
    blob = bytearray(kernel("6.12"))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with suppress(LayoutError):
        btf = Btf(bytes(blob))
        if btf.has("folio", "_pincount"):
            assert btf.offset("folio", "_pincount") >= 0
        assert isinstance(btf.enumerator("PG_head"), int | None)
        assert all(btf.parameters("hugetlb_basepage_index") or ())

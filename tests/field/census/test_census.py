"""The census on synthetic memory: against a slow decoder, and the rules one by one."""

from __future__ import annotations

import random
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinlab.field.census import Census, Confidence, Kind, census
from pinlab.field.memory.reader import PfnRange
from tests.field.btf_builder import KERNELS
from tests.field.synthetic import Decoded, Memory, SyntheticReader, decode, flag

PAGES = 256
FILE, ANON = 0xFFFF888000001000, 0xFFFF888000002001


def rows(taken: Census) -> list[Decoded]:
    """The folios as the slow decoder has them."""
    folios = taken.folios
    return [
        Decoded(*map(int, each))
        for each in zip(
            folios.pfn,
            folios.order,
            folios.pins,
            folios.refcount,
            folios.mapcount,
            folios.expected,
            folios.unexplained,
            strict=True,
        )
    ]


# Made once: hypothesis takes longer to make a strategy than to draw from it.
ORDERS = st.sampled_from((0, 0, 0, 1, 2, 4))
NAMES = st.sets(
    st.sampled_from(("private", "swapbacked", "swapcache", "lru", "dirty", "locked", "reserved"))
)
MAPPINGS = st.sampled_from((0, FILE, FILE | 2, ANON, ANON | 3))
REFS = st.one_of(
    st.integers(0, 20),
    st.integers(1000, 1100),
    st.integers(0, 5000),
    st.sampled_from((-1, -5000, (1 << 31) - 1)),
)
MAPS = st.one_of(st.integers(0, 3), st.integers(0, 2000))
ONE_IN_TEN, ONE_IN_FIVE = st.integers(0, 9), st.integers(0, 4)
TYPES = st.sampled_from((0xF0000000, 0xF5000000, -200))
PINS = st.sampled_from((0, 0, 1, 2, 700))
FEW, EITHER = st.integers(0, 3), st.booleans()


def draw_folio(data: st.DataObject, memory: Memory, pfn: int) -> int:
    """Write one folio of any kind; how many pages it has."""
    draw, release = data.draw, memory.release
    order = draw(ORDERS)
    if pfn % (1 << order) or pfn + (1 << order) > memory.count:
        order = 0
    flags = flag(release, *draw(NAMES))
    mapping = draw(MAPPINGS)
    refs = draw(REFS)
    if order == 0:
        maps = draw(MAPS)
        memory.small(pfn, refs, maps=maps, flags=flags, mapping=mapping)
        if draw(ONE_IN_TEN) == 0:
            memory.set(pfn, "page_type", draw(TYPES))
        return 1
    memory.large(
        pfn,
        order,
        refs,
        draw(PINS),
        whole=draw(FEW),
        each=draw(FEW),
        flags=flags,
        mapping=mapping,
        hugetlb=draw(ONE_IN_FIVE) == 0,
        tail_flags=flag(release, "double_map") if release == "6.1" and draw(EITHER) else 0,
    )
    return 1 << order


@pytest.mark.parametrize("release", KERNELS)
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_equal_to_the_slow_decoder(release: str, data: st.DataObject) -> None:
    assert_equal_to_the_slow_decoder(release, data)


@pytest.mark.slow
@pytest.mark.parametrize("release", KERNELS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_equal_to_the_slow_decoder_again_and_again(release: str, data: st.DataObject) -> None:
    assert_equal_to_the_slow_decoder(release, data)


def assert_equal_to_the_slow_decoder(release: str, data: st.DataObject) -> None:
    memory = Memory(release, 64)
    pfn = 0
    while pfn < memory.count:
        pfn += draw_folio(data, memory, pfn)
    reader = SyntheticReader(memory, chunk=data.draw(st.sampled_from((16, 32, 64))))
    assert rows(census(reader)) == decode(memory)
    assert rows(census(reader, references=True)) == decode(memory, references=True)


@pytest.mark.parametrize("release", KERNELS)
@settings(max_examples=30, deadline=None)
@given(st.integers(0))
def test_garbage_is_decoded_as_the_slow_decoder_does(release: str, seed: int) -> None:
    memory = Memory(release, 64)
    memory.data[:] = random.Random(seed).randbytes(len(memory.data))
    assert rows(census(SyntheticReader(memory))) == decode(memory)
    both = census(SyntheticReader(memory), references=True)
    assert rows(both) == decode(memory, references=True)


@pytest.mark.parametrize("release", KERNELS)
def test_one_pin_of_each_kind(release: str) -> None:
    memory = Memory(release, PAGES)
    swapbacked = flag(release, "swapbacked", "uptodate")
    memory.small(3, 1025, maps=1, flags=swapbacked, mapping=ANON, index=7)
    memory.small(5, 1027, maps=1, flags=flag(release, "private", "uptodate"), mapping=FILE)
    memory.small(6, 1024, flags=flag(release, "uptodate"))  # truncated while pinned
    memory.large(16, 4, 2, 1, whole=1, mapping=ANON)
    memory.large(32, 2, 1 + 4 + 1, 1, mapping=FILE, flags=flag(release, "private"))
    taken = census(SyntheticReader(memory))
    assert rows(taken) == [
        Decoded(3, 0, 1, 1025, 1, 1, 0),
        Decoded(5, 0, 1, 1027, 1, 3, 0),
        Decoded(6, 0, 1, 1024, 0, 0, 0),
        Decoded(16, 4, 1, 2, 1, 1, 0),
        Decoded(32, 2, 1, 6, 0, 5, 0),
    ]
    kinds = [Kind.ANON, Kind.FILE, Kind.NONE, Kind.ANON, Kind.FILE]
    assert taken.folios.kind.tolist() == kinds
    bias, exact = Confidence.BIAS, Confidence.EXACT
    assert taken.folios.confidence.tolist() == [bias, bias, bias, exact, exact]
    assert taken.folios.index[0] == 7


def test_references_that_no_book_explains() -> None:
    memory = Memory("6.18", PAGES)
    lru = flag("6.18", "lru")
    memory.small(3, 2, maps=1, flags=lru, mapping=ANON)  # somebody has it
    memory.small(4, 2, maps=1, mapping=ANON)  # in a CPU's batch
    memory.small(5, 2, maps=1, flags=lru, mapping=FILE)
    memory.small(6, 1, mapping=0)  # the kernel's own
    memory.small(7, 1025 + 3, maps=1, flags=lru, mapping=ANON)  # pinned, and referenced besides
    memory.large(16, 4, 16 + 3, 0, flags=lru, mapping=FILE)
    taken = census(SyntheticReader(memory), references=True)
    found = dict(zip(taken.folios.pfn.tolist(), taken.references.tolist(), strict=True))
    assert found == {3: 1, 7: 3, 16: 3}
    assert taken.folios.pins.tolist() == [0, 1, 0]


def test_a_thp_split_by_fork() -> None:
    """observing.md 2.2: registered once, then mapped page by page: 512 maps, 513 references."""
    memory = Memory("6.18", 1024)
    memory.large(512, 9, 513, 1, each=1, mapping=ANON)
    assert rows(census(SyntheticReader(memory, chunk=1024))) == [
        Decoded(512, 9, 1, 513, 512, 512, 0)
    ]


def test_the_kernels_false_positive_is_told_apart() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(9, 1101, maps=1100, mapping=FILE)  # a page of a library, mapped 1100 times
    memory.small(10, 1023 + 1101, maps=1100, mapping=FILE)
    taken = census(SyntheticReader(memory))
    assert not len(taken.folios) and taken.totals.false_positives == 2


def test_doubt() -> None:
    memory = Memory("6.18", PAGES)
    up = flag("6.18", "uptodate")
    memory.small(1, 1 + 1024 + 600, maps=1, mapping=ANON, flags=up)
    memory.small(2, 950 + 1024, maps=950, mapping=ANON, flags=up)
    memory.small(3, 32769)  # page_frag_cache: a kernel page with many references
    taken = census(SyntheticReader(memory))
    assert taken.folios.confidence.tolist() == [Confidence.LOW] * 3
    assert taken.folios.pins.tolist() == [1, 1, 32] and taken.sums.low == 3


@pytest.mark.parametrize("release", KERNELS)
def test_free_slab_and_typed_pages_are_left_out(release: str) -> None:
    memory = Memory(release, PAGES)
    typed = {"6.1": -200, "6.6": -200, "6.11": ~0x40000000}.get(release, 0xF0 << 24)
    memory.small(1, 5000)
    memory.set(1, "page_type", typed)
    memory.large(2, 1, 5000, 3)
    memory.set(2, "page_type", typed)
    if release in ("6.1", "6.6"):
        memory.small(5, 5000, flags=flag(release, "slab"))
    assert not rows(census(SyntheticReader(memory)))


@pytest.mark.parametrize("release", KERNELS)
def test_hugetlb(release: str) -> None:
    memory = Memory(release, PAGES)
    cache = 1 if release in ("6.1", "6.6") else 16
    memory.large(16, 4, cache + 2 + 1, 1, whole=2, mapping=FILE, hugetlb=True)
    taken = census(SyntheticReader(memory))
    assert rows(taken) == [Decoded(16, 4, 1, cache + 3, 2, cache + 2, 0)]
    assert taken.folios.hugetlb.tolist() == [True]


@pytest.mark.parametrize("release", KERNELS)
def test_hugetlb_with_optimized_vmemmap(release: str) -> None:
    memory = Memory(release, 512)
    memory.large(0, 9, 2, 1, whole=1, mapping=ANON, hugetlb=True)
    memory.optimize(0, 9)
    taken = census(SyntheticReader(memory, chunk=512))
    assert rows(taken) == decode(memory) == [Decoded(0, 9, 1, 2, 1, 1, 0)]
    assert taken.totals.vanished == 0


@pytest.mark.parametrize(
    ("release", "maps", "mapped", "unmapped"),
    [("6.12", 0, 1, 1), ("6.18", 1, 1, 0)],
    ids=["before 6.15", "since 6.15"],
)
def test_a_dax_page_is_no_page_of_the_cache(
    release: str, maps: int, mapped: int, unmapped: int
) -> None:
    """Its file is in `mapping`, which is no reference; real counts of 6.12 and 7.2 with one pin."""
    memory = Memory(release, PAGES)
    memory.small(7, 1024 + mapped, maps=maps, mapping=FILE, flags=flag(release, "uptodate"))
    memory.small(8, 1024 + unmapped, flags=flag(release, "uptodate"))
    memory.small(9, 1024 + mapped, maps=maps, mapping=1, flags=flag(release, "uptodate"))
    memory.small(10, mapped, maps=maps, mapping=FILE)
    taken = census(SyntheticReader(memory, device=True))
    assert rows(taken) == [
        Decoded(7, 0, 1, 1024 + mapped, maps, mapped, 0),
        Decoded(8, 0, 1, 1024 + unmapped, 0, unmapped, 0),
        Decoded(9, 0, 1, 1024 + mapped, maps, mapped, 0),
    ]
    assert taken.folios.kind.tolist() == [Kind.FILE, Kind.NONE, Kind.NONE]
    assert taken.totals.false_positives == 0


def test_what_changes_all_the_time_is_unstable() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    memory.small(8, 1025, maps=1, mapping=ANON)
    refs = count(1025)
    reader = SyntheticReader(memory, on_read=lambda m: m.set(7, "_refcount", next(refs)))
    taken = census(reader)
    assert taken.folios.confidence.tolist() == [Confidence.UNSTABLE, Confidence.BIAS]


def test_a_dump_is_read_once() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    refs = count(1025)
    reader = SyntheticReader(
        memory, frozen=True, on_read=lambda m: m.set(7, "_refcount", next(refs))
    )
    taken = census(reader)
    assert next(refs) == 1026 and taken.folios.confidence.tolist() == [Confidence.BIAS]


def test_what_settles_is_reported_as_it_settled() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    values = iter((1025, 1026, 2049, 2049))
    reader = SyntheticReader(memory, on_read=lambda m: m.set(7, "_refcount", next(values)))
    taken = census(reader)
    assert rows(taken) == [Decoded(7, 0, 2, 2049, 1, 1, 0)]
    assert taken.folios.confidence.tolist() == [Confidence.BIAS]


def test_unpinned_after_the_scan_is_left_out_and_counted() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    memory.large(8, 2, 2, 1, whole=1, mapping=ANON)

    def unpin(memory: Memory) -> None:
        memory.set(7, "_refcount", 1)
        memory.set(8, "_pincount", 0, kind="folio")

    taken = census(SyntheticReader(memory, on_read=unpin))
    assert not len(taken.folios) and taken.totals.vanished == 2


def test_split_and_freed_while_reading() -> None:
    memory = Memory("6.18", PAGES)
    memory.large(8, 2, 2, 1, whole=1, mapping=ANON)
    taken = census(SyntheticReader(memory, on_read=lambda m: m.small(8, 0)))
    assert not len(taken.folios)


def test_holes_are_skipped_and_counted() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    memory.small(200, 1025, maps=1, mapping=ANON)
    taken = census(SyntheticReader(memory, holes=frozenset(range(128, 140))))
    assert taken.folios.pfn.tolist() == [7, 200] and taken.totals.unreadable == 64


def test_ranges_that_were_asked_for() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    memory.small(99, 1025, maps=1, mapping=ANON)
    taken = census(SyntheticReader(memory), ranges=[PfnRange(90, 20)])
    assert taken.folios.pfn.tolist() == [99] and taken.totals.scanned == 20


def test_agreement_with_the_counters() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    names = ("nr_foll_pin_acquired", "nr_foll_pin_released")
    for released, agrees in ((9, True), (8, False)):
        reader = SyntheticReader(memory, counts=dict(zip(names, (10, released), strict=True)))
        assert census(reader).agrees is agrees
    assert census(SyntheticReader(memory)).agrees is None
    assert census(reader).totals.outstanding == (2, 2)


def test_flags_by_their_meaning() -> None:
    memory = Memory("6.18", PAGES)
    flags = flag("6.18", "owner_2", "dirty")
    memory.small(7, 1025, maps=1, mapping=ANON, flags=flags)
    taken = census(SyntheticReader(memory))
    value = int(taken.folios.flags[0])
    assert taken.flags_of(value, Kind.ANON) == ("dirty", "anon_exclusive")
    assert taken.flags_of(value, Kind.FILE) == ("dirty", "mappedtodisk")


def test_columns_have_their_types() -> None:
    memory = Memory("6.18", PAGES)
    memory.small(7, 1025, maps=1, mapping=ANON)
    folios = census(SyntheticReader(memory)).folios
    assert folios.pfn.dtype == np.uint64 and folios.pins.dtype == np.int64
    assert len(folios.take(np.array([False]))) == 0

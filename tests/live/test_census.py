"""The census of this very machine finds exactly the pins made for it, and nothing after."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinlab.field.acts.pinning.kind import Held
from pinlab.field.acts.pinning.memory import HUGE, Memory
from pinlab.field.census import Census, Confidence, census
from pinlab.field.census.place import place
from pinlab.field.layout.page import page_layout
from pinlab.field.memory.live import LiveReader
from tests.live import needs

pytestmark = pytest.mark.live

PAGE = 4096
RETRIES = 20
"""Pins of others come and go; a census is compared only where it agrees with the counters."""


@pytest.fixture(scope="module")
def reader() -> Iterator[LiveReader]:
    with needs.reader() as reader:
        yield reader


def settled(reader: LiveReader) -> Census:
    """A census during which nobody pinned anything."""
    for _ in range(RETRIES):
        taken = census(reader)
        if taken.agrees:
            return taken
        time.sleep(0.1)
    pytest.fail(f"the counters never agreed: {taken.totals}, {taken.pins} pins found")


def pins(taken: Census) -> dict[int, int]:
    """Pins by the first frame of each folio."""
    return dict(zip(taken.folios.pfn.tolist(), taken.folios.pins.tolist(), strict=True))


def expected(helds: tuple[Held, ...]) -> dict[int, int]:
    """Pins by frame of what is held, as its maker knows it."""
    wanted: dict[int, int] = {}
    for held in helds:
        if held.counted_as == "pins":
            for each in held.extents:
                wanted[each.pfn] = wanted.get(each.pfn, 0) + each.times
    return wanted


def assert_exactly(reader: LiveReader, before: dict[int, int], wanted: dict[int, int]) -> None:
    """What came since `before` is what was wanted: no frame more, none less, right counts.

    Others on this machine may pin meanwhile: theirs are not of our process, so it is tried again.
    """
    added: dict[int, int] = {}
    for _ in range(RETRIES):
        now = pins(settled(reader))
        added = {p: n - before.get(p, 0) for p, n in now.items() if n > before.get(p, 0)}
        if added == wanted:
            return
        time.sleep(0.2)
    assert added == wanted


CASES = [
    ("io_uring", Memory.anon, 64 * PAGE),
    ("io_uring", Memory.memfd, 64 * PAGE),
    ("io_uring", Memory.thp, 2 * HUGE),
    ("af_xdp", Memory.anon, 64 * PAGE),
    ("fuse", Memory.anon, 4 * PAGE),
    ("fuse", Memory.file, 4 * PAGE),
    ("bio", Memory.anon, 4 * PAGE),
    ("process_vm", Memory.anon, 4 * PAGE),
]


@pytest.mark.parametrize(("kind", "memory", "size"), CASES)
def test_exact_before_during_after(
    reader: LiveReader, kind: str, memory: Memory, size: int
) -> None:
    hold = needs.hold(kind, size, memory)
    time.sleep(0.2)  # what the trial held is freed behind our back
    before = pins(settled(reader))
    with hold as helds:
        assert_exactly(reader, before, expected(helds))
    time.sleep(0.2)
    assert_exactly(reader, before, {})


@contextmanager
def pool(pages: int, optimized: bool) -> Iterator[None]:
    """A pool of huge pages, as it was before afterwards; or skip.

    With `optimized` most struct pages of a huge page are given back to the system (HVO).
    """
    folder = Path("/proc/sys/vm")
    names = ("hugetlb_optimize_vmemmap", "nr_hugepages")
    try:
        before = {name: (folder / name).read_text() for name in names}
    except OSError as error:
        pytest.skip(f"no huge pages: {error}")
    if before["nr_hugepages"].strip() != "0":
        pytest.skip("vm.nr_hugepages is in use")
    try:
        (folder / "hugetlb_optimize_vmemmap").write_text(f"{int(optimized)}\n")
        (folder / "nr_hugepages").write_text(f"{pages}\n")
        if int((folder / "nr_hugepages").read_text()) != pages:
            pytest.skip("no memory for huge pages")
        yield
    except PermissionError as error:
        pytest.skip(f"vm.nr_hugepages cannot be set: {error}")
    finally:
        for name in reversed(names):
            with suppress(OSError):
                (folder / name).write_text(before[name])


@pytest.mark.parametrize("optimized", [False, True])
def test_hugetlb(reader: LiveReader, optimized: bool) -> None:
    with pool(2, optimized):
        hold = needs.hold("io_uring", HUGE, Memory.hugetlb)
        time.sleep(0.3)
        before = pins(settled(reader))
        with hold as (held,):
            # Not what /proc/kpageflags says: of an optimized page it shows a head every 64 frames.
            assert_exactly(reader, before, {int(held.extents.pfn[0]): 1})
            rows = [row for row in place(reader, settled(reader)).rows() if row.hugetlb]
            assert [row.order for row in rows if held.extents.covers(row.pfn)] == [9]
            assert all(row.unexplained == 0 for row in rows)
        time.sleep(0.3)
        assert_exactly(reader, before, {})


def test_references_are_no_pins(reader: LiveReader) -> None:
    hold = needs.hold("vmsplice", 16 * PAGE)
    before = pins(settled(reader))
    with hold:
        assert_exactly(reader, before, {})


CHOICES = st.lists(
    st.tuples(st.sampled_from(("io_uring", "af_xdp", "fuse", "vmsplice")), st.integers(1, 24)),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHOICES)
def test_any_mix_of_holders(reader: LiveReader, mix: list[tuple[str, int]]) -> None:
    before = pins(settled(reader))
    with ExitStack() as stack:
        helds: list[Held] = []
        for kind, pages in mix:
            helds += stack.enter_context(needs.hold(kind, pages * PAGE))
        time.sleep(0.2)
        assert_exactly(reader, before, expected(tuple(helds)))
    time.sleep(0.2)
    assert_exactly(reader, before, {})


def test_whose_pages_they_are(reader: LiveReader) -> None:
    for memory in (Memory.anon, Memory.memfd, Memory.thp):
        size = HUGE if memory is Memory.thp else 4 * PAGE
        with needs.hold("io_uring", size, memory) as (held,):
            placed = place(reader, settled(reader))
            rows = [row for row in placed.rows() if held.extents.covers(row.pfn)]
            assert rows
            for row in rows:
                if memory is Memory.memfd:
                    assert row.file is not None and row.file.file_system == "tmpfs"
                    assert (row.file.path or "").startswith("/memfd:")
                else:
                    assert row.mapper is not None and row.mapper.pid == os.getpid()
                    assert held.address <= row.mapper.address < held.address + held.length
            if memory is Memory.thp:
                assert rows[0].order == 9 and rows[0].confidence is Confidence.EXACT


def test_a_hundred_thousand_pages(reader: LiveReader) -> None:
    pages = 100_000
    hold = needs.hold("io_uring", 256 * PAGE)
    with hold:
        pass
    chunk = 2048
    before = pins(settled(reader))
    with needs.hold("io_uring", chunk * PAGE, count=-(-pages // chunk)) as helds:
        started = time.perf_counter()
        taken = settled(reader)
        place(reader, taken)
        assert time.perf_counter() - started < 10
        assert_exactly(reader, before, expected(helds))


def _coming_and_going(stop: threading.Event) -> Callable[[], None]:
    def run() -> None:
        while not stop.is_set():
            with needs.hold("io_uring", 32 * PAGE):
                pass

    return run


def test_settled_pages_are_right_while_others_come_and_go(reader: LiveReader) -> None:
    hold = needs.hold("io_uring", 256 * PAGE)
    stop = threading.Event()
    other = threading.Thread(target=_coming_and_going(stop))
    with hold as helds:
        wanted = expected(helds)
        other.start()
        try:
            for _ in range(10):
                taken = census(reader)
                found = pins(taken)
                assert {pfn: found.get(pfn) for pfn in wanted} == wanted
                sure = dict(
                    zip(taken.folios.pfn.tolist(), taken.folios.confidence.tolist(), strict=True)
                )
                assert all(sure[pfn] != Confidence.UNSTABLE for pfn in wanted)
        finally:
            stop.set()
            other.join()


def test_as_fast_as_promised(reader: LiveReader) -> None:
    """At most 0.5 s for 24 GiB, at most 3 times the time of copying; the best of some."""
    layout = page_layout(reader.btf)
    gigabytes = sum(each.count for each in reader.ranges()) / (1 << 18)

    def copying() -> float:
        started = time.perf_counter()
        for _ in reader.chunks(reader.ranges()):
            pass
        return time.perf_counter() - started

    copy = min(copying() for _ in range(5))
    whole = min(census(reader, layout).seconds for _ in range(5))
    assert whole <= 0.5 * max(1.0, gigabytes / 24)
    assert whole <= 3 * copy + 0.01


def test_places_of_the_kernel(reader: LiveReader) -> None:
    for symbol, measured in (
        ("vmemmap_base", reader.vmemmap),
        ("page_offset_base", reader.page_offset),
    ):
        address = reader.symbol(symbol)
        if address is not None:
            assert reader.pointer(address) == measured
        assert measured % (1 << 30) == 0

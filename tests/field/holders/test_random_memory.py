"""Every walker over memory that is anything: it ends, reads little, and fails in no other way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.processes import Task
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.walker import load
from pinlab.field.layout.btf import Btf
from pinlab.field.memory import bounded, view
from pinlab.field.memory.reader import Chunk, PfnRange
from tests.field.fake_reader import FakeReader

BTF = Path("/sys/kernel/btf/vmlinux")
VMEMMAP, PAGE_OFFSET, FRAMES = 0xFFFFEA0000000000, 0xFFFF888000000000, 1 << 20
EXAMPLES = 100


@cache
def types() -> Btf:
    if not BTF.exists():
        pytest.skip("THIS KERNEL HAS NO BTF: the walkers were not tried on random memory")
    return Btf.of_file()


class AnyMemory(FakeReader):
    """Each read gives words drawn anew: any at all, or such as a kernel has (`likely`)."""

    name = "core"
    frozen = False
    release = "any"
    boot = ""
    vmemmap = VMEMMAP
    page_offset = PAGE_OFFSET

    def __init__(self, seed: int, likely: bool, mapped: float) -> None:
        self.btf = types()
        self._draw = np.random.default_rng(seed)
        self._likely, self._mapped = likely, mapped
        self.total = 0

    def read(self, address: int, size: int) -> bytes:
        if self._draw.random() > self._mapped:
            raise FaultError(address, size)
        self.total += size
        if not self._likely:
            return self._draw.bytes(size)
        return self._words(-(-size // 8)).tobytes()[:size]

    def _words(self, count: int) -> NDArray[np.uint64]:
        draw = self._draw
        sorts = np.stack(
            [
                draw.integers(0, 4, count, np.uint64),
                draw.integers(0, 1 << 20, count, np.uint64),
                draw.integers(0, FRAMES, count, np.uint64) * 64 + VMEMMAP,
                draw.integers(0, FRAMES << 9, count, np.uint64) * 8 + PAGE_OFFSET,
                draw.integers(0, 1 << 63, count, np.uint64) * 2,
            ]
        )
        return sorts[draw.integers(0, len(sorts), count), np.arange(count)]

    def chunks(self, ranges: object) -> Iterator[Chunk]:
        raise AssertionError("a walker reads no frames one after another")

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        raise AssertionError("a walker reads no frames one after another")

    def ranges(self) -> tuple[PfnRange, ...]:
        return (PfnRange(0, FRAMES),)

    def symbol(self, name: str) -> int | None:
        return int(self._draw.integers(0, 1 << 63))

    def task(self) -> int:
        return PAGE_OFFSET + 4096

    def counters(self) -> dict[str, int]:
        return {}


def kernel_over(memory: AnyMemory) -> Kernel:
    """A kernel with files of every kind, which are known to be there; no more is."""
    kernel = Kernel(memory)
    place = PAGE_OFFSET + 8192
    owner = (Owner(1, "any", 3),)
    files = tuple(File(place + n, 1, place + n, place, place, owner) for n in range(3))
    kernel.processes.__dict__["tasks"] = (Task(place, 1, 1, "any", place),)
    rings = (Ring(kernel.at("io_ring_ctx", place), owner),)
    kernel.files.__dict__ |= {"_found": (files, rings), "released_by": lambda *names: files}
    blocks = [(name, kernel.at("super_block", place)) for name in ("bdev", "fuse")]
    kernel.__dict__["super_blocks"] = tuple(blocks)
    return kernel


def walked(memory: AnyMemory, kind: str) -> list[Claim]:
    kernel = kernel_over(memory)
    try:
        return list(load()[kind].walk(kernel))
    except LayoutError:
        return []


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds, small enough for Python to reach them often."""
    monkeypatch.setattr(bounded, "READS", 200)
    monkeypatch.setattr(bounded, "IN_ALL", 1_000)
    monkeypatch.setattr(bounded, "AT_ONCE", 1 << 16)
    monkeypatch.setattr(bounded, "OF_ONE_THING", 1 << 18)


TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MEMORY = given(seed=st.integers(0, 2**63), mapped=st.sampled_from([1.0, 0.99, 0.8]))


@pytest.mark.parametrize("kind", sorted(load()))
@TRIED
@MEMORY
def test_of_random_memory_nothing_is_claimed(kind: str, seed: int, mapped: float) -> None:
    memory = AnyMemory(seed, likely=False, mapped=mapped)
    assert walked(memory, kind) == []
    assert memory.total <= 3 << 18


@pytest.mark.parametrize(
    "kind", [pytest.param(it, marks=[pytest.mark.slow] * (it == "bio")) for it in sorted(load())]
)
@TRIED
@MEMORY
def test_memory_like_a_kernels_is_read_to_an_end(kind: str, seed: int, mapped: float) -> None:
    memory = AnyMemory(seed, likely=True, mapped=mapped)
    for claim in walked(memory, kind):
        assert all(0 <= each.pfn < FRAMES << 9 for each in claim.extents)
    assert memory.total <= 3 << 18


@settings(TRIED, max_examples=25)
@MEMORY
def test_processes_are_read_to_an_end(seed: int, mapped: float) -> None:
    for likely in (False, True):
        kernel = Kernel(AnyMemory(seed, likely, mapped))
        assert len(kernel.files.all) < 1 << 20
        assert len(kernel.super_blocks) < 1 << 20


def test_a_size_out_of_freed_memory_takes_no_memory() -> None:
    """The pipe of F12: ring_size and tail are the upper half of a pointer."""
    kernel = kernel_over(AnyMemory(1, likely=False, mapped=1.0))
    tracemalloc.start()
    for count in (0xFFFF8881, 2**31, 2**63):
        with pytest.raises(FaultError):
            kernel.rows(PAGE_OFFSET, "pipe_buffer", count, 1 << 19)
        with pytest.raises(FaultError):
            kernel.reader.read(PAGE_OFFSET, count)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert view.WHOLE < bounded.AT_ONCE

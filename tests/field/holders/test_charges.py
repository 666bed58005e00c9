"""What counts against RLIMIT_MEMLOCK, in memory made by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from pinlab.field.holders import charges
from pinlab.field.holders.access import Access
from pinlab.field.holders.charges import memlock
from pinlab.field.holders.frames import folios_of
from pinlab.report.memlock import as_json, as_table
from tests.field.btf_builder import KERNELS
from tests.field.holders.made import UBUF_NEW, ubuf
from tests.field.image import Image
from tests.field.synthetic import Memory, SyntheticReader

USERS = (
    """
struct user_struct { unsigned int uid; long locked_vm; };
struct rlimit { unsigned long rlim_cur; unsigned long rlim_max; };
struct mm_struct { int users; unsigned long locked_vm; };
"""
    + UBUF_NEW
)


@pytest.mark.parametrize("release", KERNELS)
def test_the_folios_of_frames(release: str) -> None:
    memory = Memory(release, 64)
    memory.small(3, 1)
    memory.large(16, 4, 2, 1, whole=1, mapping=0xFFFF888000002001)
    heads, sizes = folios_of(Access(SyntheticReader(memory)), np.array([3, 16, 20], np.uint64))
    assert (heads, sizes) == ([3, 16, 16], [1, 16, 16])


def image_of(*buffers: list[int], counted: int) -> Image:
    """A process of user 7 whose ring has buffers of some frames."""
    image = Image(USERS)
    user = image.new("user_struct", uid=7, locked_vm=counted)
    nodes = [
        image.new("io_rsrc_node", buf=ubuf(image, 0x7000, [(pfn, 4096, 0) for pfn in frames]))
        for frames in buffers
    ]
    table = {"buf_table__nr": len(nodes), "buf_table__nodes": image.pointers(nodes)}
    ring = image.new("io_ring_ctx", user=user, **table)
    credentials = image.new("cred", user=user)
    image.function("sock_close")
    file = image.file("io_uring_release", ring)
    image.process(7, "ring", [file], real_cred=credentials)
    return image


@pytest.fixture
def one_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames 16 to 31 are one folio."""

    def folios(_: object, frames: NDArray[np.uint64]) -> tuple[list[int], list[int]]:
        large = [16 <= pfn < 32 for pfn in frames.tolist()]
        heads = [16 if it else pfn for it, pfn in zip(large, frames.tolist(), strict=True)]
        return heads, [16 if it else 1 for it in large]

    monkeypatch.setattr(charges, "folios_of", folios)


@pytest.mark.usefixtures("one_large")
def test_a_large_folio_counts_once_in_a_ring() -> None:
    """7.0 and newer; the buffers share one."""
    found = memlock(image_of([3, 16, 17], [18, 4, 5], counted=19), 7)
    assert [charge.pages for charge in found.charges] == [17, 2]
    assert found.found == found.counted == 19


@pytest.mark.usefixtures("one_large")
def test_of_another_user_nothing_is_told() -> None:
    found = memlock(image_of([3], counted=1), 8)
    assert (found.charges, found.counted, found.limit) == ((), 0, None)


@pytest.mark.usefixtures("one_large")
def test_what_is_mlocked_is_told_beside_it() -> None:
    """Once of each memory: processes and threads may share one."""
    image = image_of([3], counted=1)
    other = image.new("user_struct", uid=8)
    first, second, third = (image.new("mm_struct", locked_vm=pages) for pages in (5, 7, 11))
    owner = image.new("cred", user=image.new("user_struct", uid=9))
    for pid, memory in enumerate((first, first, second), 20):
        image.process(pid, "locks", real_cred=owner, mm=memory)
    image.process(30, "other", real_cred=image.new("cred", user=other), mm=third)
    found = memlock(image, 9)
    assert (found.mlocked, found.counted, found.found) == (12, 0, 0)
    assert as_json(found, "somebody")["mlocked"] == 12
    console = Console(file=io.StringIO(), width=200)
    console.print(as_table(found, "somebody"))
    assert isinstance(console.file, io.StringIO)
    assert "48 KiB (VmLck) in all of its processes." in console.file.getvalue()

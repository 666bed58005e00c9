"""Video buffers in user memory (V4L2 USERPTR). drivers/media/common/videobuf2/.

v4l2_fh -> video_device.queue, or the two queues of a memory-to-memory device -> bufs -> planes
-> the allocator's buffer -> frame_vector, which lists its pages. One long-term pin per page,
counted nowhere. Buffers of raw frames (is_pfns: a mapping of a device's memory) pin nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.view import View

ALLOCATORS: Final = {
    "vb2_vmalloc_get_userptr": "vb2_vmalloc_buf",
    "vb2_dma_sg_get_userptr": "vb2_dma_sg_buf",
    "vb2_dc_get_userptr": "vb2_dc_buf",
}
USERPTR: Final = 2
"""VB2_MEMORY_USERPTR, media/videobuf2-core.h."""


BUFFERS: Final = 1 << 16
"""Buffers of a queue: 32 but for drivers that ask for more (max_num_buffers), a few hundred."""
PLANES: Final = 8
"""VB2_MAX_PLANES, media/videobuf2-core.h."""
FRAMES: Final = 1 << 20
"""Pages of a plane: 4 GiB, as its length has 32 bits."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per plane of a buffer."""
    seen: set[int] = set()

    def video(file: File) -> Iterator[Claim]:
        for queue in _queues(kernel.at("v4l2_fh", file.private)):
            if queue.address not in seen:
                seen.add(queue.address)
                yield from _claims(kernel, queue, file)

    yield from kernel.each(kernel.files.released_by("v4l2_release"), video)


def _queues(handle: View) -> Iterator[View]:
    device = handle.follow("vdev")
    queue = None if device is None else device.follow("queue")
    if queue is not None:
        yield queue
    m2m = handle.follow("m2m_ctx") if handle.has("m2m_ctx") else None
    if m2m is not None:
        yield m2m.inside("out_q_ctx.q", "vb2_queue")
        yield m2m.inside("cap_q_ctx.q", "vb2_queue")


def _claims(kernel: Kernel, queue: View, file: File) -> Iterator[Claim]:
    operations = queue.follow("mem_ops")
    function = 0 if operations is None else operations["get_userptr"]
    allocator = next(
        (own for name, own in ALLOCATORS.items() if kernel.is_function(function, name)), None
    )
    if allocator is None or queue["memory"] != USERPTR:
        return
    # 6.8 and newer allocate the array of buffers, older ones have it in the queue.
    if queue.has("max_num_buffers"):
        array, count = queue["bufs"], queue["max_num_buffers"]
    else:
        array, count = queue.where("bufs"), queue["num_buffers"]
    buffers = kernel.pointers(array, count if array else 0, BUFFERS)
    for address in filter(None, buffers.tolist()):
        buffer = kernel.at("vb2_buffer", address)
        for number in range(min(buffer["num_planes"], PLANES)):
            size = kernel.structs.size("vb2_plane")
            plane = kernel.at("vb2_plane", buffer.where("planes") + number * size)
            claim = _plane(kernel, plane, allocator, file, f"{buffer['index']}.{number}")
            if claim is not None:
                yield claim


def _plane(kernel: Kernel, plane: View, allocator: str, file: File, name: str) -> Claim | None:
    private = plane.follow("mem_priv", allocator)
    vector = None if private is None else private.follow("vec")
    if vector is None or vector["is_pfns"]:
        return None
    pages = kernel.pointers(vector.where("ptrs"), vector["nr_frames"], FRAMES)
    return Claim(
        WALKER.kind,
        f"buffer {name}",
        file.owners,
        Extents.of_pages(kernel.pfns(pages)),
        address=plane["m.userptr"],
        length=plane["length"],
    )


WALKER = Walker(
    "vb2",
    "video buffers in user memory",
    walk,
    needs=("v4l2_fh", "vb2_queue", "frame_vector"),
    live_tested=False,
)

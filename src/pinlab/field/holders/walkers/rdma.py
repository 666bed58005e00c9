"""RDMA memory regions: the ib_umem of each. drivers/infiniband/core/umem.c.

uverbs file -> uobjects -> ib_mr; the ib_umem is in the driver's structure around it, by driver.
Pinned page by page, counted in mm->pinned_vm. Regions of on-demand paging and of dma-buf pin
nothing. Of drivers built as modules this needs their BTF.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from pinlab.field.errors import FaultError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

DRIVERS: Final = {
    "RDMA_DRIVER_MLX5": ("mlx5_ib_mr", "ibmr", "umem"),
    "RDMA_DRIVER_MLX4": ("mlx4_ib_mr", "ibmr", "umem"),
    "RDMA_DRIVER_CXGB4": ("c4iw_mr", "ibmr", "umem"),
    "RDMA_DRIVER_I40IW": ("i40iw_mr", "ibmr", "region"),
    "RDMA_DRIVER_IRDMA": ("irdma_mr", "ibmr", "region"),
    "RDMA_DRIVER_OCRDMA": ("ocrdma_mr", "ibmr", "umem"),
    "RDMA_DRIVER_VMW_PVRDMA": ("pvrdma_user_mr", "ibmr", "umem"),
    "RDMA_DRIVER_QEDR": ("qedr_mr", "ibmr", "umem"),
    "RDMA_DRIVER_HNS": ("hns_roce_mr", "ibmr", "pbl_mtr.umem"),
    "RDMA_DRIVER_RXE": ("rxe_mr", "ibmr", "umem"),
    "RDMA_DRIVER_BNXT_RE": ("bnxt_re_mr", "ib_mr", "ib_umem"),
    "RDMA_DRIVER_EFA": ("efa_mr", "ibmr", "umem"),
    "RDMA_DRIVER_ERDMA": ("erdma_mr", "ibmr", "mem.umem"),
    "RDMA_DRIVER_MANA": ("mana_ib_mr", "ibmr", "umem"),
}
"""Where each driver keeps an MR's ib_umem: its structure, the ib_mr in it, the pointer."""
MR: Final = 7
"""UVERBS_OBJECT_MR, rdma/ib_user_ioctl_cmds.h."""
MOST: Final = 1 << 24
"""Entries of a scatter list beyond which it is taken for a loop."""


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per memory region."""
    btf = kernel.reader.btf
    drivers = {
        number: places
        for name, places in DRIVERS.items()
        if (number := btf.enumerator(name)) is not None and kernel.has(places[0])
    }
    seen: set[int] = set()

    def context(file: File) -> Iterator[Claim]:
        uverbs = kernel.at("ib_uverbs_file", file.private)
        for uobject in kernel.entries(uverbs.where("uobjects"), "ib_uobject", "list"):
            kind = uobject.follow("uapi_object")
            mr = uobject.follow("object", "ib_mr")
            if kind is None or kind["id"] != MR or mr is None or mr.address in seen:
                continue
            seen.add(mr.address)
            umem = _umem(kernel, mr, drivers)
            if umem is not None:
                yield _claim(kernel, umem, mr, file)

    yield from kernel.each(kernel.files.released_by("ib_uverbs_close"), context)


def _umem(kernel: Kernel, mr: View, drivers: dict[int, tuple[str, str, str]]) -> View | None:
    device = mr.follow("device")
    places = None if device is None else drivers.get(device["ops.driver_id"])
    if places is None:
        return None
    driver, inside, path = places
    umem = kernel.structs.entry(mr.address, driver, inside).follow(path, "ib_umem")
    if umem is None or any(umem.has(no) and umem[no] for no in ("is_odp", "is_dmabuf")):
        return None
    return umem


def _claim(kernel: Kernel, umem: View, mr: View, file: File) -> Claim:
    # 5.16 and newer have the table in sgt_append.
    table = "sgt_append.sgt" if umem.has("sgt_append") else "sg_head"
    first, pages = [], []
    for entry in _scatter(kernel, umem[f"{table}.sgl"], umem[f"{table}.orig_nents"]):
        offset = entry["offset"]
        page = kernel.pfn(entry["page_link"] & ~3)
        first.append(page + offset // PAGE_SIZE)
        pages.append(-(-(offset % PAGE_SIZE + entry["length"]) // PAGE_SIZE))
    return Claim(
        WALKER.kind,
        f"memory region {mr['lkey']:#x}",
        file.owners,
        Extents.of_spans(np.array(first, np.uint64), np.array(pages, np.uint64)),
        address=umem["address"],
        length=umem["length"],
        accounted_in=(Accounted.VM_PIN,),
    )


def _scatter(kernel: Kernel, address: int, count: int) -> Iterator[View]:
    """The entries of a scatter list; bit 0 of page_link is a chain to more, bit 1 the end."""
    size = kernel.structs.size("scatterlist")
    for _ in range(min(2 * count, MOST)):
        entry = kernel.at("scatterlist", address)
        link = entry["page_link"]
        if link & 1:
            address = link & ~3
            continue
        yield entry
        count -= 1
        if link & 2 or not count:
            return
        address += size
    if count:
        raise FaultError(address, size)


WALKER = Walker(
    "rdma",
    "memory regions of RDMA devices",
    walk,
    needs=("ib_uverbs_file", "ib_uobject", "ib_umem", "scatterlist"),
    live_tested=False,
)

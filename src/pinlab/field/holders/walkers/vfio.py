"""VFIO type 1: what is mapped for devices of a container. drivers/vfio/vfio_iommu_type1.c.

container -> vfio_iommu.dma_list (red-black) -> vfio_dma. The frames are in the IOMMU's tables
only, so they are those that the process maps there now, and the claim is weak; pages pinned for
mediated devices are listed (pfn_list) and certain. Counted in mm->locked_vm: VmLck, not VmPin.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinlab.field.holders import mapped_now
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.lists import rbtree
from pinlab.field.memory.view import View


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One weak claim per mapping, and one for its pages of mediated devices if it has any."""
    seen: set[int] = set()

    def container(file: File) -> Iterator[Claim]:
        iommu = kernel.at("vfio_container", file.private).follow("iommu_data", "vfio_iommu")
        if iommu is None or iommu.address in seen:
            return
        seen.add(iommu.address)
        for node in rbtree(kernel.structs, iommu["dma_list.rb_node"]):
            yield from _claims(kernel, kernel.structs.entry(node, "vfio_dma", "node"), file)

    yield from kernel.each(kernel.files.released_by("vfio_fops_release"), container)


def _claims(kernel: Kernel, dma: View, file: File) -> Iterator[Claim]:
    address, length = dma["vaddr"], dma["size"]
    owners = kernel.processes.owner(dma["task"]) if dma.has("task") else ()
    owners = tuple(o for o in file.owners if not owners or o.pid == owners[0].pid) or owners
    detail = f"mapped at {dma['iova']:#x}"
    if dma["iommu_mapped"]:
        found = Extents()
        for pid in sorted({owner.pid for owner in owners})[:1]:
            found = mapped_now.extents(kernel, pid, address, length)
        yield Claim(
            WALKER.kind,
            detail,
            owners,
            found,
            address=address,
            length=length,
            accounted_in=(Accounted.VM_LCK,),
            weak=True,
        )
    mediated = [
        kernel.structs.entry(node, "vfio_pfn", "node")["pfn"]
        for node in rbtree(kernel.structs, dma["pfn_list.rb_node"])
    ]
    if mediated:
        yield Claim(
            WALKER.kind,
            f"{detail}, of a mediated device",
            owners,
            Extents((pfn, 1, 1) for pfn in mediated),
            address=address,
            length=length,
            accounted_in=(Accounted.VM_LCK,),
        )


WALKER = Walker(
    "vfio",
    "mappings of VFIO containers",
    walk,
    needs=("vfio_container", "vfio_iommu", "vfio_dma"),
    live_tested=False,
)

"""iommufd: what is mapped in an I/O address space. drivers/iommu/iommufd/.

ctx.objects (xarray) -> ioas.iopt.area_itree -> iopt_area.pages -> iopt_pages. Frames that no
domain has are in pinned_pfns and certain; those of a domain are in the IOMMU's tables only, so
they are those that the process maps there now, and the claim is weak. Counted in
mm->pinned_vm, and by account_mode in user->locked_vm or in mm->locked_vm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders import mapped_now, trees
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.files import File
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker
from pinlab.field.memory.lists import rbtree
from pinlab.field.memory.reader import PAGE_SIZE
from pinlab.field.memory.view import View

MODES: Final = {
    "IOPT_PAGES_ACCOUNT_USER": Accounted.LOCKED_VM,
    "IOPT_PAGES_ACCOUNT_MM": Accounted.VM_LCK,
}


def walk(kernel: Kernel) -> Iterator[Claim]:
    """One claim per range of user memory that has pinned pages."""
    btf = kernel.reader.btf
    ioas = btf.enumerator("IOMMUFD_OBJ_IOAS")
    seen: set[int] = set()

    def context(file: File) -> Iterator[Claim]:
        objects = kernel.at("iommufd_ctx", file.private).where("objects")
        for entry in trees.xarray(kernel, objects):
            if kernel.at("iommufd_object", entry)["type"] == ioas:
                space = kernel.structs.entry(entry, "iommufd_ioas", "obj")
                yield from _claims(kernel, space, file, seen)

    yield from kernel.each(kernel.files.released_by("iommufd_fops_release"), context)


def _claims(kernel: Kernel, space: View, file: File, seen: set[int]) -> Iterator[Claim]:
    root = space["iopt.area_itree.rb_root.rb_node"]
    for node in rbtree(kernel.structs, root):
        pages = kernel.structs.entry(node, "iopt_area", "node.rb").follow("pages")
        if pages is None or pages.address in seen or not pages["npinned"]:
            continue
        seen.add(pages.address)
        address, length = pages["uptr"], pages["npages"] * PAGE_SIZE
        owners = kernel.processes.owner(pages["source_task"]) or file.owners
        owners = tuple(o for o in file.owners if o.pid == owners[0].pid) or owners
        values = [trees.value(e) for e in trees.xarray(kernel, pages.where("pinned_pfns"))]
        certain = Extents((pfn, 1, 1) for pfn in values if pfn is not None)
        weak = len(certain) < pages["npinned"]
        if weak and owners:
            certain = mapped_now.extents(kernel, owners[0].pid, address, length)
        yield Claim(
            WALKER.kind,
            f"{pages['npinned']:,} pages of an I/O address space",
            owners,
            certain,
            address=address,
            length=length,
            accounted_in=_accounted(kernel, pages),
            weak=weak,
        )


def _accounted(kernel: Kernel, pages: View) -> tuple[Accounted, ...]:
    mode = pages["account_mode"]
    own = (a for name, a in MODES.items() if kernel.reader.btf.enumerator(name) == mode)
    return (Accounted.VM_PIN, *own)


WALKER = Walker(
    "iommufd",
    "I/O address spaces of iommufd",
    walk,
    needs=("iommufd_ctx", "iommufd_ioas", "iopt_pages"),
    live_tested=False,
)

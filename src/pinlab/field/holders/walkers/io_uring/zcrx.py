"""Areas of zero-copy receive, into which a network device puts what comes: io_uring/zcrx.c.

Each page is pinned once (io_import_umem, 6.16 and newer); an area of a dma-buf has no pages. The
queue that it is given back by is a region.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.holders import trees
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.rings import Ring
from pinlab.field.holders.walkers.io_uring import regions

PAGES: Final = 1 << 22
"""Of an area: 16 GiB."""


def claims(kernel: Kernel, ring: Ring) -> Iterator[Claim]:
    """One claim per area of a ring and one per queue whose memory is the user's."""
    if not ring.context.has("zcrx_ctxs") or not kernel.has("io_zcrx_area", "mem"):
        return
    accounted = (Accounted.VM_PIN,) if ring.context["mm_account"] else ()
    for address in trees.xarray(kernel, ring.context.where("zcrx_ctxs")):
        queue = kernel.at("io_zcrx_ifq", address)
        region = queue.inside("rq_region" if queue.has("rq_region") else "region")
        yield from regions.claim(kernel, ring, "zero-copy receive queue", region, ring.locked_vm)
        area = queue.follow("area")
        if area is None or not area["mem.pages"]:
            continue
        pages = kernel.pointers(area["mem.pages"], area["mem.nr_folios"], PAGES)
        yield Claim(
            regions.KIND,
            f"zero-copy receive, area {area['area_id']}",
            ring.owners,
            Extents.of_pages(kernel.pfns(pages)),
            length=area["mem.size"],
            accounted_in=(*accounted, *ring.locked_vm),
        )

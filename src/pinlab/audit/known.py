"""Facts that no analysis of one line after the other sees, each with its reason."""

from __future__ import annotations

from typing import Final

from pinlab.audit.results import Rule

NOTHING_HELD: Final[dict[str, str]] = {
    "net/core/skbuff.c:skb_splice_from_iter": (
        "its iterator is of ITER_BVEC (sendmsg with MSG_SPLICE_PAGES), so extraction takes no "
        "reference; it takes one of its own for what it keeps"
    ),
    "net/tls/tls_device.c:tls_push_data": (
        "extracted only with MSG_SPLICE_PAGES, where the iterator is of ITER_BVEC"
    ),
    "net/tls/tls_sw.c:tls_sw_sendmsg_splice": (
        "called for MSG_SPLICE_PAGES only, where the iterator is of ITER_BVEC"
    ),
}
"""Sites of iov_iter_extract_pages() whose iterator is never of a user's memory."""

KNOWN_DIRTYING: Final[dict[str, tuple[Rule | None, str]]] = {
    "drivers/misc/sgi-gru/grufault.c:non_atomic_pte_lookup": (
        None,
        "the reference is dropped at once, an MMU notifier protects the mapping",
    ),
    "drivers/vfio/vfio_iommu_spapr_tce.c:tce_iommu_use_page": (
        Rule.raw,
        "SetPageDirty() in iommu_tce_xchg_no_kill(), arch/powerpc/kernel/iommu.c",
    ),
    "drivers/video/fbdev/pvr2fb.c:pvr2fb_write": (
        None,
        "the device only reads the pages: FOLL_WRITE is not needed",
    ),
    "fs/exec.c:get_arg_page": (None, "the stack of a program that does not run yet: anonymous"),
    "kernel/events/uprobes.c:__update_ref_ctr": (
        None,
        "a private writable mapping: anonymous after FOLL_WRITE, dirtied when taken",
    ),
    "kernel/futex/core.c:get_futex_key": (
        None,
        "nothing is written through it: FOLL_WRITE only makes the page the owner's own",
    ),
    "kernel/futex.c:get_futex_key": (
        None,
        "nothing is written through it: FOLL_WRITE only makes the page the owner's own",
    ),
    "virt/kvm/guest_memfd.c:kvm_gmem_populate": (None, "its callback dirties what it writes"),
}
"""Sites with FOLL_WRITE of which it is known who dirties, or that nobody writes: the rule that is
broken instead, if one is, and why."""

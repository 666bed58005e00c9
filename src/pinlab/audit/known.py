"""Facts that no analysis of one line after the other sees, each with its reason."""

from __future__ import annotations

from typing import Final

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

"""The scan of the active list takes the buffers of a folio that is pinned.

As B01, by another way: where there are more buffers than the machine likes to have
(buffer_heads_over_limit), shrink_active_list() takes those of what it finds, and asks nobody about
pins. The flusher has cleaned the folio before; who lets go of it dirties one without buffers.
"""

from pinlab.lab.bug import Bug

BUG = Bug(
    number="B39",
    title="The scan of the active list takes the buffers of a pinned folio",
    fixed_by="none",
    versions="current",
    mended_by="active-keeps-pinned",
    operations="dio-read@1, flush-active",
    state="dirty rw",
    objective="I3",
)

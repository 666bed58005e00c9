"""longterm-dax-allowed: get_user_pages_longterm() as before 4.15, without its refusal of DAX."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel
from pinlab.lab.linux.types import Vma


@kernel
def vma_is_fsdax(vma: Vma) -> bool:
    """Never: a registration of a DAX page stays."""
    return False

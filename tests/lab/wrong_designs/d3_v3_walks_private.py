"""D3: mapcount-v3 whose walk counts private mappings too; fork adds one without the page lock."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel
from pinlab.lab.linux.types import Vma

BASE = "mapcount-v3"


@kernel
def rmap_walk_visits(vma: Vma) -> bool:
    return True

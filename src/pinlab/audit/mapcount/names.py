"""Functions and members that tell how often a page is mapped. Facts of the kernel's source."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Tells(Enum):
    """What an accessor tells."""

    count = "count"
    mapped = "mapped"
    """Whether the count is not zero."""
    shared = "shared"
    """Whether it is more than one."""
    references = "references"
    """How many references are explained, mappings among them."""


ACCESSORS: Final[dict[str, Tells]] = {
    "page_mapcount": Tells.count,
    "__page_mapcount": Tells.count,
    "total_mapcount": Tells.count,
    "page_trans_huge_mapcount": Tells.count,
    "page_trans_huge_map_swapcount": Tells.count,
    "total_compound_mapcount": Tells.count,
    "compound_mapcount": Tells.count,
    "head_compound_mapcount": Tells.count,
    "subpages_mapcount_excluding_compound": Tells.count,
    "folio_mapcount": Tells.count,
    "folio_total_mapcount": Tells.count,
    "folio_entire_mapcount": Tells.count,
    "folio_large_mapcount": Tells.count,
    "folio_precise_page_mapcount": Tells.count,
    "folio_average_page_mapcount": Tells.count,
    "folio_nr_pages_mapped": Tells.count,
    "folio_mm_id_mapcount": Tells.count,
    "page_mapped": Tells.mapped,
    "folio_mapped": Tells.mapped,
    "folio_large_is_mapped": Tells.mapped,
    "page_mapped_in_vma": Tells.mapped,
    "folio_estimated_sharers": Tells.shared,
    "folio_likely_mapped_shared": Tells.shared,
    "folio_maybe_mapped_shared": Tells.shared,
    "folio_maybe_mapped_exclusively": Tells.shared,
    "folio_is_mapped_exclusively": Tells.shared,
    "page_maybe_mapped_shared": Tells.shared,
    "folio_expected_ref_count": Tells.references,
    "folio_expected_refs": Tells.references,
}
"""Functions that do nothing but tell it: who calls them is the reader."""

MEMBERS: Final = frozenset(
    {
        *("_mapcount", "_entire_mapcount", "_large_mapcount", "_nr_pages_mapped"),
        *("_mm_id_mapcount", "compound_mapcount", "subpages_mapcount"),
    }
)
"""Members of struct page and struct folio that hold it. Each starts at -1 (or 0)."""

WRITERS: Final = re.compile(
    r"^(?:atomic_(?:set|inc|dec|add|sub)|atomic_(?:inc_and_test|add_negative|dec_and_test)"
    r"|atomic_(?:inc|dec|add|sub)_return\w*)$"
)
"""What changes a member; those with a result decide by it as well."""

TRANSITIONS: Final = re.compile(
    r"^atomic_(?:inc_and_test|add_negative|dec_and_test|(?:inc|dec|add|sub)_return\w*)$"
)

INTEREST: Final = re.compile(
    rb"\b(?:" + "|".join(sorted((*ACCESSORS, *MEMBERS), key=len, reverse=True)).encode() + rb")\b"
)
"""All of these names."""

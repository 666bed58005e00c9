"""The schemes of the thread: on which pages a pin counts as a mapping, and in which counters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Pages(StrEnum):
    """On which pages."""

    file = "file"
    """Of the page cache only, as agreed in December 2018: `if (!PageAnon(page))`."""
    all = "all"


class Counters(StrEnum):
    """In which counters."""

    both = "both"
    """_refcount and _mapcount: get_page() and one more mapping."""
    mapcount = "mapcount"
    """_mapcount only, as the first mail words it ("it inc mapcount and not refcount")."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme; the default is what the thread agreed on."""

    pages: Pages = Pages.file
    counters: Counters = Counters.both

    def __str__(self) -> str:
        where = "file pages" if self.pages is Pages.file else "all pages"
        how = "both counters move" if self.counters is Counters.both else "only _mapcount moves"
        return f"{where}, {how}"

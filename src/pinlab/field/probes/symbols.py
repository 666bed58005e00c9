"""Which function an address lies in, and what a stack says of a page made dirty."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")
MODULES = Path("/sys/module")


class Told(StrEnum):
    """What the stack of a DIRTY says of the file system."""

    yes = "yes"
    """It was told: ->page_mkwrite or a write that it runs itself is on the stack."""
    no = "no"
    """It was not: somebody who had a pin marks what the device wrote."""
    unknown = "unknown"


_YES = (
    "page_mkwrite",
    "fault_dirty_shared_page",  # mm/memory.c: right after ->page_mkwrite returned
    "perform_write",
    "buffered_write",
    "write_begin",
    "write_end",
    "write_iter",
    "commit_write",
    "zero_range",
    "zero_page_range",
    "zero_partial",
    "truncate_page",
    "truncate_block",
    "fallocate",
    "defrag",
    "relocat",
    "move_extent",
    "inline_data",
    "iomap_unshare",
)
_NO = (
    "folio_mark_dirty_lock",
    "set_page_dirty_lock",
    "bio_set_pages_dirty",
    "bio_check_pages_dirty",
    "bio_dirty_fn",
    "__bio_release_pages",
    "unpin_user_pages_dirty_lock",
    "unpin_user_page_range_dirty_lock",
    "release_user_pages",
)


def told(stack: Iterable[str]) -> Told:
    """What a stack says, innermost function first; the innermost that is known decides.

    It may go on below an interrupt, into whatever was interrupted.
    """
    for name in stack:
        if any(part in name for part in _NO):
            return Told.no
        if any(part in name for part in _YES):
            return Told.yes
    return Told.unknown


class Symbols:
    """The functions of the running kernel, read when an address is asked for.

    They are read again when a module was loaded or unloaded: an address in it would be taken for
    the last function before it.
    """

    def __init__(self) -> None:
        self._modules: frozenset[str] | None = None
        self._table: tuple[list[int], list[str]] = [], []

    @staticmethod
    def _read() -> tuple[list[int], list[str]]:
        found: list[tuple[int, str]] = []
        try:
            with KALLSYMS.open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    address, kind, name = line.split(maxsplit=2)
                    if kind in "tTwW":
                        found.append((int(address, 16), name.split()[0]))
        except OSError:
            return [], []
        found = [each for each in found if each[0]]
        found.sort()
        return [address for address, _ in found], [name for _, name in found]

    def load(self) -> None:
        """Read them now (0.2 s) rather than at the first address."""
        modules = _loaded()
        if modules != self._modules:
            self._modules = modules
            self._table = self._read()

    def name(self, address: int) -> str:
        """The function an address lies in, or "?" if nobody says (kernel.kptr_restrict)."""
        self.load()
        addresses, names = self._table
        at = bisect.bisect_right(addresses, address) - 1
        return names[at] if at >= 0 else "?"


def _loaded() -> frozenset[str]:
    """The modules of the kernel, by name."""
    try:
        return frozenset(os.listdir(MODULES))
    except OSError:
        return frozenset()

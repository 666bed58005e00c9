"""Who holds a frame at this moment, for somebody who asks now and then."""

from __future__ import annotations

import time

from pinlab.field.holders.attribution import walk
from pinlab.field.holders.claim import Claim
from pinlab.field.memory.reader import Reader

FRESH = 0.1
"""Seconds for which an answer is taken for this moment: a walk takes about half of that."""


class Now:
    """The claims of all walkers, asked again when they are no longer fresh."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._claims: tuple[Claim, ...] = ()
        self._asked = float("-inf")

    def holding(self, pfn: int, pages: int = 1) -> tuple[Claim, ...]:
        """The claims on any of these frames. None: it was let go, or no walker knows the holder."""
        if time.monotonic() - self._asked > FRESH:
            self._claims = walk(self._reader, locate=False).claims
            self._asked = time.monotonic()
        return tuple(claim for claim in self._claims if claim.extents.covers(pfn, pages))

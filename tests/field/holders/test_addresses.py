"""Where frames are mapped, of claims that do not say it. Mappings made by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from pinlab.field.holders import addresses
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents


def claim(*pfns: int) -> Claim:
    extents = Extents.of_pages(np.array(pfns, np.uint64))
    return Claim("pipe", "vmsplice", (Owner(7, "any"),), extents, references=True)


@pytest.fixture
def _mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    def mapped(pid: int, longest: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        yield 0x10000, np.array([5, 6, 5, 7, 0], np.uint64)
        yield 0x50000, np.array([9, 5, 8], np.uint64)

    monkeypatch.setattr(addresses, "_mapped", mapped)


@pytest.mark.usefixtures("_mapped")
def test_each_claim_is_found_where_all_its_frames_are_in_a_row() -> None:
    claims = [
        claim(5, 7),
        claim(5, 6),
        claim(5, 8),
        claim(5, 6),
        claim(5, 9),
        claim(9),
        claim(8, 9),
    ]

    found = [each.address for each in addresses.locate(claims)]

    assert found == [0x12000, 0x10000, 0x51000, 0x10000, None, 0x50000, None]

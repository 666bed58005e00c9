"""How a tail leads to its head since 7.1: by a mask, where the configuration says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab.field.census.struct_page import leads
from pinlab.field.layout.page import page_layout
from tests.field.synthetic import SIZE, VMEMMAP, types

LAYOUT = replace(page_layout(types("6.18")), head_by_mask=True)
SHIFT = SIZE.bit_length() - 1


def first_tail(info: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    row = np.zeros((1, SIZE // 8), np.uint64)
    row[0, LAYOUT.compound_head.offset // 8] = info & (1 << 64) - 1
    return row


def answer(pfn: int, info: int, *, by_mask: bool = True) -> bool:
    layout = LAYOUT if by_mask else replace(LAYOUT, head_by_mask=False)
    return bool(leads(first_tail(info), np.array([pfn], np.uint64), layout, VMEMMAP)[0])


@given(st.integers(0, 1 << 20), st.integers(1, 18))
def test_a_mask_leads_to_the_page_that_is_aligned_so(number: int, order: int) -> None:
    mask = -1 << (order + SHIFT) | 1
    assert answer(number << order, mask)
    assert not answer((number << order) + 2, mask) or order == 1
    assert not answer(number << order, mask, by_mask=False)


@given(st.integers(0, 1 << 30))
def test_an_address_does_as_before(pfn: int) -> None:
    for by_mask in (False, True):
        assert answer(pfn, VMEMMAP + SIZE * pfn | 1, by_mask=by_mask)
        assert not answer(pfn, VMEMMAP + SIZE * (pfn + 4) | 1, by_mask=by_mask)


@pytest.mark.parametrize("info", [0, 1, -1 << 8, 0xFFFF, VMEMMAP])
def test_what_is_no_tail_leads_nowhere(info: int) -> None:
    assert not answer(4, info)

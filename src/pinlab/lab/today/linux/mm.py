"""References and what they say. include/linux/mm.h, mm/swap.c, 7.2."""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    READ_ONCE,
    atomic_dec_and_test,
    atomic_inc,
    atomic_inc_not_zero,
    atomic_read,
    atomic_sub_and_test,
    clear_bit,
    kernel,
    test_bit,
    u5,
)
from pinlab.lab.today.linux.page_alloc import free_frozen_pages
from pinlab.lab.today.linux.types import GUP_PIN_COUNTING_BIAS, Folio, Mm


@kernel
def __folio_put(folio: Folio) -> None:
    """mm/swap.c __folio_put(): the last reference is gone. page_cache_release() takes it off the
    LRU. Left out: memcg, hugetlb, device folios."""
    clear_bit(folio.PG_lru)
    free_frozen_pages(folio)


@kernel
def folio_put(folio: Folio) -> None:
    """include/linux/mm.h folio_put()."""
    if atomic_dec_and_test(folio._refcount):
        __folio_put(folio)


@kernel
def folio_put_refs(folio: Folio, refs: u5) -> None:
    """include/linux/mm.h folio_put_refs()."""
    if atomic_sub_and_test(refs, folio._refcount):
        __folio_put(folio)


@kernel
def folio_get(folio: Folio) -> None:
    """include/linux/mm.h folio_get(). Its VM_BUG_ON: somebody has a reference already."""
    assert atomic_read(folio._refcount) > 0
    atomic_inc(folio._refcount)


@kernel
def folio_try_get(folio: Folio) -> bool:
    """include/linux/page_ref.h folio_try_get(), folio_ref_add_unless_zero()."""
    return atomic_inc_not_zero(folio._refcount)


@kernel
def folio_maybe_dma_pinned(folio: Folio) -> bool:
    """include/linux/mm.h folio_maybe_dma_pinned(), order 0: a count of the bias or more. Left out:
    a count that has overflowed and is negative, as the model's cannot; _pincount, as only large
    folios have it."""
    return atomic_read(folio._refcount) >= GUP_PIN_COUNTING_BIAS


@kernel
def folio_needs_cow_for_dma(mm: Mm, folio: Folio) -> bool:
    """include/linux/mm.h folio_needs_cow_for_dma(): fork asks whether the parent may have pinned
    it; only while the sequence count keeps GUP-fast out."""
    assert READ_ONCE(mm.write_protect_seq) % 2 == 1
    if not test_bit(mm.MMF_HAS_PINNED):
        return False
    return folio_maybe_dma_pinned(folio)


@kernel
def folio_expected_ref_count(folio: Folio) -> int:
    """include/linux/mm.h folio_expected_ref_count(), anonymous: of the swap cache and of
    entries."""
    return test_bit(folio.PG_swapcache) + atomic_read(folio._mapcount) + 1


@kernel
def folio_mapped(folio: Folio) -> bool:
    """include/linux/mm.h folio_mapped()."""
    return atomic_read(folio._mapcount) >= 0

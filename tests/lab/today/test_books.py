"""I16 in 7.2: every state is at rest, and damages to one leave something of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pinlab.lab.today.books import books
from pinlab.lab.today.linux.types import PTE_SWAP, PTE_WRITE
from pinlab.lab.today.words import STATES, state


@pytest.mark.parametrize("words", STATES)
def test_every_state_is_at_rest(words: str) -> None:
    values = state(words).values
    assert list(books(values)(values)) == []


BROKEN: list[tuple[str, str, Sequence[int], str]] = [
    ("dirty rw", "Folio._refcount", (4, 0, 0, 0), "folio 1 has more references than users"),
    ("dirty rw", "Folio._refcount", (2, 0, 0, 0), "folio 1 has fewer references than users"),
    ("dirty rw", "Folio._mapcount", (1, -1, -1, -1), "a mapcount that is not its entries"),
    ("dirty rw", "Folio.PageBuddy", (0, 0, 1, 1), "folio 2 has no user and is not free"),
    ("dirty rw", "Folio.PG_lru", (0, 0, 0, 0), "folio 1 is used and on no LRU"),
    ("dirty rw", "Folio.mapping", (0, 0, 0, 0), "folio 1 is in the cache and says otherwise"),
    ("dirty rw", "Folio.mapping", (1, 1, 0, 0), "folio 2 is out of the cache and says otherwise"),
    ("dirty rw", "Folio.PG_private", (0, 0, 0, 0), "folio 1 is dirty and has no buffers"),
    ("dirty rw", "Folio.PG_dirty", (0, 0, 0, 0), "folio 1 is clean and has an entry that is not"),
    ("clean", "disk", (0, 0), "folio 1 is clean and not what the disk has"),
    ("clean", "AddressSpace.xa_lock", (2,), "AddressSpace.xa_lock is not given back"),
    ("clean", "Folio.PG_writeback", (1, 0, 0, 0), "Folio.PG_writeback is not over"),
    ("clean ro", "tlb", (1 | PTE_WRITE, 0, 0, 0, 0, 0, 0), "a TLB has an entry of page 1"),
    ("clean private", "Vma.pte", (0, 0, 1 | PTE_WRITE, 0), "is the file's and mapped writable"),
    ("anon", "Page.PageAnonExclusive", (0, 0, 0, 0), "page 1 is mapped writable and not exclusive"),
    ("anon+forked", "Page.PageAnonExclusive", (1, 0, 0, 0), "page 1 is exclusive and mapped twice"),
    ("anon+swapped", "swap_count", (0,), "the slot's count is not its entries"),
    ("anon+swapped", "swap_used", (0,), "the slot is free and should not be"),
    ("anon+swapped", "Vma.pte", (0, 0, PTE_SWAP | 1, 0), "a page is being migrated by nobody"),
]


@pytest.mark.parametrize(("words", "name", "values", "wrong"), BROKEN)
def test_a_damage_is_found(words: str, name: str, values: Sequence[int], wrong: str) -> None:
    rest = {**state(words).values, name: tuple(values)}
    assert any(wrong in each for each in books(rest)(rest))

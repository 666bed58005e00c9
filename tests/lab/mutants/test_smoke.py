"""Twenty ways in which the model could be wrong, each of which one of fifteen pairs of operations
notices: what the lab sees of locks, references and looks taken twice does not get lost."""

from __future__ import annotations

import pytest

from pinlab.lab import design, face, worlds
from pinlab.lab.mutants.base import EVERY, Asking, Base, asked, questions_of
from pinlab.lab.mutants.hunt import hunt
from pinlab.lab.mutants.mutation import mutants

PAIRS = frozenset(
    frozenset(pair)
    for pair in (
        ("gup-slow@1", "truncate"),
        ("truncate", "write-fault@1"),
        ("reclaim", "writeback"),
        ("fsync", "writeback"),
        ("rdma-ends@1", "reclaim"),
        ("dio-read@1", "put-dirty-flush@1"),
        ("reclaim", "truncate"),
        ("store-dax@1", "truncate"),
        ("dio-write", "read-fault@1"),
        ("fork", "munmap@private"),
        ("munmap@child", "zap@child"),
        ("munmap@1", "truncate"),
        ("dio-read@1", "writeback"),
        ("write-fault@1", "zap@1"),
        ("munmap@child", "write-fault@child"),
    )
)
"""Those that are the smallest to notice most of the mutants."""

MUTANTS = (
    ("unmap_mapping_pages_dax", "unlocked", "spin_lock(vma.ptl)"),
    ("do_shared_fault", "unchecked", "page == NULL"),
    ("shrink_page_list", "unchecked", "not lock_after_pageout(page)"),
    ("wait_on_page_writeback_if", "unchecked", "sync"),
    ("stop_dma", "unlocked", "spin_lock(dma_engine)"),
    ("bio_dirty_fn", "swapped", "put_user_page(page) <-> WRITE_ONCE(dma_state, RELEASED)"),
    ("truncate_inode_page", "unlocked", "lock_page(page)"),
    ("flush_tlb_page", "unchecked", "cpu != smp_processor_id() #2"),
    ("invalidate_inode_pages2", "unlocked", "lock_page(page)"),
    ("dup_mmap", "unlocked", "down_write(mm.mmap_sem)"),
    ("madvise_dontneed", "unlocked", "down_read(mm.mmap_sem)"),
    ("unlink_file_vma", "unlocked", "down_write(mapping.i_mmap_rwsem)"),
    ("bio_check_pages_dirty", "negated", "not holder_dirties(page) or test_bit(page.PG_dirty)"),
    (
        "wp_page_shared",
        "swapped",
        "WRITE_ONCE(vma.pte[index], mk_pte(page, 1)) <-> spin_unlock(vma.ptl)",
    ),
    ("do_user_addr_fault", "unlocked", "down_read(mm.mmap_sem)"),
    ("ext4_dax_fault", "unlocked", "down_read(mapping.i_mmap_sem)"),
    ("page_mkwrite", "unchecked", "READ_ONCE(page.mapping) == NULL"),
    ("__remove_mapping", "unchecked", "cmpxchg(page._refcount, 2, 0) != 2"),
    ("end_page_io", "swapped", "WRITE_ONCE(disk[block], data) <-> end_page_writeback(page)"),
    ("streaming_device", "unlocked", "spin_lock(dma_engine)"),
)


@pytest.fixture(scope="module")
def pairs() -> Base:
    """The pairs, from every state that they can be played from."""
    it = design.load("untracked")
    asking = Asking(it, face.probe(it).known)
    wanted = (each for each in questions_of(asking, EVERY) if frozenset(each.operations) in PAIRS)
    found = asked(asking, tuple(wanted), 2)
    assert found is not None
    assert {frozenset(each.operations) for each in found.questions} == PAIRS
    return found


@pytest.mark.parametrize(("function", "kind", "what"), MUTANTS)
def test_a_pair_notices(pairs: Base, function: str, kind: str, what: str) -> None:
    there = mutants(worlds.DEFAULT.function(function))
    (mutant,) = (it for it in there if (it.kind, it.what) == (kind, what))
    assert hunt(mutant, pairs).kill is not None

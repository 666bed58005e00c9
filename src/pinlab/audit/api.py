"""What the kernel's functions around pins do, as tables. Facts only, each of the kernel's source.

The functions that acquire are not listed here: their names and the places of their arguments come
out of the tree's own headers (era.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """By which rules a reference is let go."""

    get = "get"
    """FOLL_GET: a reference as any other, let go by put_page()."""
    pin = "pin"
    """FOLL_PIN: let go by unpin_user_page() and nothing else (Documentation/core-api)."""
    extract = "extract"
    """iov_iter_extract_pages(): a pin if the memory is a user's, nothing at all otherwise."""


UNPIN: Final[dict[str, int]] = {
    "unpin_user_page": 0,
    "unpin_user_pages": 0,
    "unpin_user_pages_dirty_lock": 0,
    "unpin_user_page_range_dirty_lock": 0,
    "unpin_user_folio": 0,
    "unpin_folio": 0,
    "unpin_folios": 0,
    # 5.2 to 5.5, until f1f6a7dd9b53 renamed them
    "put_user_page": 0,
    "put_user_pages": 0,
    "put_user_pages_dirty": 0,
    "put_user_pages_dirty_lock": 0,
}
"""Functions that let a pin go, and which argument says of what."""

PUT: Final[dict[str, int]] = {
    "put_page": 0,
    "__put_page": 0,
    "put_page_and_swap": 0,
    "put_devmap_managed_page": 0,
    "page_cache_release": 0,
    "release_pages": 0,
    "folio_put": 0,
    "folio_put_refs": 0,
    "folios_put": 0,
    "free_page_and_swap_cache": 0,
    "folio_release_kmap": 0,
    "unmap_and_put_page": 0,
    "__free_page": 0,
    "__free_pages": 0,
    "__page_frag_cache_drain": 0,
    "put_page_testzero": 0,
    "folio_put_testzero": 0,
    "put_pages_list": 0,
    "pagevec_release": 0,
    "__pagevec_release": 0,
    "folio_batch_release": 0,
    "__folio_batch_release": 0,
    "page_ref_dec": 0,
    "page_ref_dec_and_test": 0,
    "__folio_put": 0,
    # with MF_COUNT_INCREASED they take the reference over
    "memory_failure": 0,
    "soft_offline_page": 0,
}
"""Functions that let a plain reference go."""

MAKE_DIRTY: Final[dict[str, int]] = {
    "unpin_user_pages_dirty_lock": 2,
    "unpin_user_page_range_dirty_lock": 2,
    "put_user_pages_dirty_lock": 2,
}
"""Releases that dirty too, under the page lock, and the argument that says whether."""

SEE_THROUGH: Final[dict[str, int]] = {
    "page_folio": 0,
    "_compound_head": 0,
    "compound_head": 0,
    "folio_page": 0,
    "nth_page": 0,
    "folio_file_page": 0,
    "sg_page": 0,
    "sg_page_iter_page": 0,
    "sg_next": 0,
    "sg_virt": 0,
    "page_to_pfn": 0,
    "page_to_phys": 0,
    "dma_map_page": 1,
    "dma_to_phys": 1,
    "pfn_to_page": 0,
    "__pfn_to_page": 0,
    "phys_to_page": 0,
    "pfn_to_online_page": 0,
    "skb_frag_page": 0,
    "bio_first_page_all": 0,
    "bvec_nth_page": 0,
    "READ_ONCE": 0,
    "rcu_dereference": 0,
    "rcu_dereference_protected": 0,
    "ERR_CAST": 0,
    "xa_load": 0,
    "idr_find": 0,
    "frame_vector_pages": 0,
    "frame_vector_pfns": 0,
    "list_first_entry": 0,
    "list_entry": 0,
    "container_of": 0,
    "virt_to_page": 0,
    "virt_to_head_page": 0,
    "kmap": 0,
    "kmap_atomic": 0,
    "kmap_local_page": 0,
    "page_address": 0,
    "page_ptr": 0,
    "drm_prime_pages_to_sg": 1,
    "untagged_addr": 0,
    "xa_erase": 0,
    "idr_remove": 0,
    "mtree_load": 0,
    "mtree_erase": 0,
    "radix_tree_lookup": 0,
    "radix_tree_delete": 0,
    "kmemdup": 0,
    "vmap": 0,
    "vmalloc_to_page": 0,
    "kmap_to_page": 0,
    "rcu_dereference_raw": 0,
    "smp_load_acquire": 0,
    "this_cpu_read": 0,
    "page_private": 0,
    "virt_to_folio": 0,
    "pfn_folio": 0,
    "folio_pfn": 0,
    "__pa": 0,
    "__va": 0,
    "virt_to_phys": 0,
    "phys_to_virt": 0,
    "pfn_to_kaddr": 0,
    "pfn_to_phys": 0,
    "PFN_PHYS": 0,
    "PHYS_PFN": 0,
    "__phys_to_pfn": 0,
    "__pfn_to_phys": 0,
    "sk_msg_elem": 0,
    "mt_entry": 0,
}
"""Functions whose result is what this argument is, of the same pages, or holds it."""

STORES: Final[dict[str, tuple[int, int]]] = {
    "sg_set_page": (1, 0),
    "sg_set_folio": (1, 0),
    "sg_assign_page": (1, 0),
    "sg_alloc_table_from_pages": (1, 0),
    "__sg_alloc_table_from_pages": (1, 0),
    "sg_alloc_table_from_pages_segment": (1, 0),
    "sg_alloc_append_table_from_pages": (1, 0),
    "sg_chain": (2, 0),
    "bio_add_page": (1, 0),
    "__bio_add_page": (1, 0),
    "bio_add_folio": (1, 0),
    "bio_add_folio_nofail": (1, 0),
    "bio_add_pc_page": (2, 1),
    "bvec_set_page": (1, 0),
    "bvec_set_folio": (1, 0),
    "skb_fill_page_desc": (2, 0),
    "__skb_fill_page_desc": (2, 0),
    "skb_fill_page_desc_noacc": (2, 0),
    "skb_add_rx_frag": (2, 0),
    "skb_frag_set_page": (2, 0),
    "__skb_frag_set_page": (1, 0),
    "list_add": (0, 1),
    "list_add_tail": (0, 1),
    "list_move_tail": (0, 1),
    "memcpy": (1, 0),
    "memmove": (1, 0),
    "xa_store": (2, 0),
    "xa_insert": (2, 0),
    "xa_alloc": (2, 0),
    "__xa_store": (2, 0),
    "idr_alloc": (1, 0),
    "mtree_store": (2, 0),
    "mtree_insert": (2, 0),
    "radix_tree_insert": (2, 0),
    "kfifo_put": (1, 0),
    "kfifo_get": (0, 1),
    "WRITE_ONCE": (1, 0),
    "rcu_assign_pointer": (1, 0),
    "smp_store_release": (1, 0),
    "cmpxchg": (2, 0),
    "xchg": (1, 0),
    "swap": (0, 1),
    "this_cpu_write": (1, 0),
    "set_page_private": (1, 0),
    "iov_iter_bvec": (2, 0),
}
"""Functions that put what one argument is into what the other is: (from, to)."""

EXCHANGES: Final = frozenset({"xchg", "cmpxchg", "xa_store"})
"""Those of them whose result is what was there before."""

LOOPS: Final[dict[str, tuple[int, int]]] = {
    "for_each_sg": (0, 1),
    "for_each_sgtable_sg": (0, 1),
    "for_each_sgtable_dma_sg": (0, 1),
    "for_each_sg_page": (0, 1),
    "for_each_sgtable_page": (0, 1),
    "__sg_page_iter_start": (1, 0),
    "bio_for_each_segment_all": (1, 0),
    "bio_for_each_folio_all": (1, 0),
    "bio_for_each_bvec_all": (1, 0),
    "rq_for_each_bvec": (1, 0),
    "list_for_each_entry": (1, 0),
    "list_for_each_entry_safe": (2, 0),
    "llist_for_each_entry_safe": (2, 0),
    "xa_for_each": (0, 2),
    "for_each_sgt_page": (2, 0),
}
"""Loops whose variable is now this, now that part of what they go over: (whole, part)."""

HOLDERS: Final[dict[str, frozenset[str]]] = {
    "page": frozenset({"lru", "private"}),
    "folio": frozenset({"page", "lru"}),
    "bio": frozenset({"bi_io_vec", "bi_inline_vecs", "bi_next"}),
    "bio_vec": frozenset({"bv_page"}),
    "bvec_iter": frozenset(),
    "bvec_iter_all": frozenset({"bv"}),
    "folio_iter": frozenset({"folio"}),
    "frame_vector": frozenset({"ptrs"}),
    "iov_iter": frozenset({"bvec"}),
    "list_head": frozenset({"next", "prev"}),
    "request": frozenset({"bio"}),
    "scatterlist": frozenset({"page_link"}),
    "sg_append_table": frozenset({"sgt", "prv"}),
    "sg_table": frozenset({"sgl"}),
    "sg_page_iter": frozenset({"sg"}),
    "sg_dma_page_iter": frozenset({"base"}),
    "sk_buff": frozenset(),
    "skb_frag": frozenset({"netmem"}),
    "skb_frag_t": frozenset({"netmem"}),
    "xarray": frozenset(),
    # what a page or a mapping leads to, but is not where pages are
    "address_space": frozenset(),
    "readahead_control": frozenset(),
    "vm_fault": frozenset(),
    "mm_struct": frozenset(),
    "vm_area_struct": frozenset(),
    "inode": frozenset(),
    "file": frozenset(),
    "kiocb": frozenset(),
    "device": frozenset(),
    "follow_pfnmap_args": frozenset(),
    "task_struct": frozenset(),
}
"""Structures of the whole kernel, and by which of their members one gets at pages.

They are no places of their own: what is in one is told apart by whose it is.
"""

SAME: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("dma_buf_export_info", "priv"): ("dma_buf", "priv"),
}
"""Members that become members of another structure (dma_buf_export() copies them)."""

STOPS: Final = frozenset(
    {
        *("kfree", "kvfree", "vfree", "kfree_sensitive", "kvfree_sensitive", "kmem_cache_free"),
        *("kfree_rcu", "vunmap", "vm_unmap_ram", "kunmap", "kunmap_local", "kunmap_atomic"),
        *("dma_unmap_page", "dma_unmap_sg", "dma_unmap_sgtable", "dma_unmap_single"),
        *("sg_free_table", "sg_free_append_table", "sg_miter_stop", "free_pages", "free_page"),
        *("devm_kfree", "kfree_const", "kobject_put", "kref_put", "mmput", "mempool_free"),
        *("free_uid", "put_device", "put_task_struct", "dma_free_coherent", "dma_buf_put"),
        *("iput", "fput", "folio_free_swap", "try_to_free_swap", "free_swap_cache"),
    }
)
"""Functions that free memory, mappings or objects around pages, and let go of no page."""

DIRTY: Final[dict[str, str]] = {
    "set_page_dirty": "mark",
    "folio_mark_dirty": "mark",
    "set_page_dirty_lock": "locked",
    "folio_mark_dirty_lock": "locked",
    "SetPageDirty": "raw",
    "folio_set_dirty": "raw",
    "TestSetPageDirty": "raw",
    "__folio_set_dirty": "raw",
}
"""Functions that dirty the page of their first argument: as told, with its lock, by raw flag."""

LOCKS: Final = frozenset(
    {
        *("lock_page", "trylock_page", "lock_page_killable", "__lock_page"),
        *("folio_lock", "folio_trylock", "folio_lock_killable", "__folio_lock"),
        *("lock_page_or_retry", "folio_lock_or_retry", "find_lock_page", "filemap_lock_folio"),
    }
)
"""Functions that take the page lock."""

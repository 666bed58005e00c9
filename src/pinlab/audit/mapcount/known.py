"""What of a reader no expression says: facts per function of the kernel, each with its reason."""

from __future__ import annotations

from typing import Final

ANONYMOUS: Final[dict[str, str]] = {
    "write_protect_page": "KSM merges anonymous pages only",
    "replace_page": "KSM merges anonymous pages only",
    "stable_tree_search": "a page of KSM is anonymous",
    "remove_stable_node": "a page of KSM is anonymous",
    "reuse_ksm_page": "a page of KSM is anonymous",
    "__collapse_huge_page_isolate": "it refuses what is not anonymous before",
    "khugepaged_scan_pmd": "it refuses what is not anonymous before",
    "collapse_scan_pmd": "it refuses what is not anonymous before",
    "hpage_collapse_scan_pmd": "it refuses what is not anonymous before",
    "is_refcount_suitable": "its callers are of the anonymous scan",
    "__wp_can_reuse_large_anon_folio": "its caller tests that the folio is anonymous",
    "wp_can_reuse_anon_folio": "its caller tests that the folio is anonymous",
    "reuse_swap_page": "only a page of the swap cache gets there",
    "page_trans_huge_map_swapcount": "only an anonymous page gets there",
    "do_swap_page": "only a page of the swap cache gets there",
    "__discard_anon_folio_pmd_locked": "it is for anonymous folios",
    "discard_anon_folio_pmd_locked": "it is for anonymous folios",
    "madvise_free_pte_range": "MADV_FREE is for private anonymous memory",
    "madvise_free_huge_pmd": "MADV_FREE is for private anonymous memory",
    "page_get_anon_vma": "it looks for the anon_vma of an anonymous page",
    "folio_get_anon_vma": "it looks for the anon_vma of an anonymous folio",
    "page_lock_anon_vma_read": "it looks for the anon_vma of an anonymous page",
    "folio_lock_anon_vma_read": "it looks for the anon_vma of an anonymous folio",
    "__folio_add_anon_rmap": "it is for anonymous folios",
    "__page_check_anon_rmap": "it is for anonymous pages",
    "do_page_add_anon_rmap": "it is for anonymous pages",
    "page_remove_anon_compound_rmap": "it is for anonymous pages",
    "page_add_anon_rmap": "it is for anonymous pages",
    "collect_procs_anon": "it is for anonymous pages",
    "__flush_anon_page": "it is for anonymous pages",
    "do_huge_pmd_wp_page": "only an anonymous huge page gets there",
    "__try_to_reclaim_swap": "only a page of the swap cache gets there",
    "hugetlb_add_anon_rmap": "it is for anonymous folios",
    "hugepage_add_anon_rmap": "it is for anonymous pages",
}
"""Functions that only see anonymous pages."""

WANTED: Final[dict[str, str]] = {
    "shrink_page_list": "a pinned page is not to be reclaimed",
    "shrink_folio_list": "a pinned folio is not to be reclaimed",
    "__isolate_lru_page": "a pinned page is not to be isolated",
    "__isolate_lru_page_prepare": "a pinned page is not to be isolated",
    "isolate_lru_folios": "a pinned folio is not to be isolated",
    "isolate_lru_pages": "a pinned page is not to be isolated",
    "lru_deactivate_file_fn": "a pinned page need not be dropped soon",
    "lru_deactivate_file": "a pinned folio need not be dropped soon",
    "invalidate_inode_page": "a pinned page is not to be dropped",
    "invalidate_complete_page": "a pinned page is not to be dropped",
    "mapping_evict_folio": "a pinned folio is not to be dropped",
    "unpoison_memory": "a page in use is refused",
    "filemap_end_dropbehind": "a pinned folio is not to be dropped",
    "__remove_mapping": "a pinned page is not to be reclaimed",
}
"""Functions in which it is right that a pinned page looks mapped."""

FREED: Final = frozenset(
    {
        *("page_expected_state", "page_bad_reason", "free_pages_check_bad", "check_new_page_bad"),
        *("free_tail_pages_check", "free_tail_page_prepare", "free_huge_page", "free_huge_folio"),
        *("__split_huge_page_tail", "__split_folio_to_order", "prep_compound_page", "bad_page"),
        *("check_free_page_bad", "check_new_page", "__free_pages_prepare", "free_pages_prepare"),
    }
)
"""Functions that see pages without any reference, or that nobody else has seen yet."""

SPECIAL: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("filemap_unaccount_folio", "balance"): (
        "drift",
        "it takes a mapped page of the page cache for a bug and resets both counters: the pins in "
        "them are lost",
    ),
    ("unaccount_page_cache_page", "balance"): (
        "drift",
        "it takes a mapped page of the page cache for a bug and resets both counters: the pins in "
        "them are lost",
    ),
    ("mpage_release_unused_pages", "mapped"): ("vain", "it clears the dirty bit for writeback"),
    ("mem_cgroup_move_account", "mapped"): ("drift", "it moves the statistics of mapped pages"),
    ("filemap_unaccount_folio", "mapped"): ("never_zero", "it reports a bad page"),
    ("unaccount_page_cache_page", "mapped"): ("never_zero", "it reports a bad page"),
    ("collect_longterm_unpinnable_folios", "balance"): (
        "vain",
        "it only decides whether to drain the caches of the LRU once more",
    ),
}
"""(function, what it decides) -> the effect, and why it is another than its kind has."""

ANON_VMA: Final = (
    "the anon_vma of a page that nobody maps may be freed: it would be used after that"
)
"""What a pin does, if anonymous pages are counted, to who takes `mapped` for `anon_vma lives`."""

HELPERS: Final[dict[str, str]] = {
    "page_not_mapped": "unmapped",
    "folio_not_mapped": "unmapped",
    "page_mapcount_is_zero": "unmapped",
}
"""Functions that rmap walks call to learn whether they are done: they end when all is unmapped."""

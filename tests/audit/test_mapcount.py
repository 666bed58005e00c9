"""Readers of a mapcount whose effect is known, each as it stands in a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab.audit.mapcount.audit import Mapcounts, mapcounts
from pinlab.audit.mapcount.effects import Decides, Effect, Reader, judged
from pinlab.audit.mapcount.readers import readers
from pinlab.audit.mapcount.scheme import Counters, Pages, Scheme
from tests.audit.trees import tree

AGREED = Scheme()
EVERY = Scheme(Pages.all, Counters.both)
FIRST_MAIL = Scheme(Pages.file, Counters.mapcount)


@dataclass(frozen=True)
class Row:
    """A reader: its function's body, what it decides, the effect as agreed and with all pages."""

    function: str
    body: str
    decides: Decides
    agreed: Effect
    every: Effect
    file: str = "mm/mm.c"
    first_mail: Effect | None = None


BALANCE = Decides.balance
BLIND = Effect.blind
NEVER = Effect.never_zero
IMMUNE = Effect.immune
VAIN = Effect.vain

ROWS = {
    "1 memfd": Row(
        "memfd_tag_pins",
        "if (page_count(page) - page_mapcount(page) > 1)\n\t\ttag(page);",
        BALANCE,
        BLIND,
        BLIND,
        first_mail=Effect.number,
    ),
    "3 ksm": Row(
        "write_protect_page",
        "if (page_mapcount(page) + 1 + swapped != page_count(page))\n\t\tgoto out;",
        BALANCE,
        IMMUNE,
        BLIND,
    ),
    "4 compaction": Row(
        "isolate_migratepages_block",
        "if (!page_mapping(page) && page_count(page) > page_mapcount(page))\n\t\tgoto fail;",
        BALANCE,
        IMMUNE,
        BLIND,
    ),
    "5 split": Row(
        "can_split_huge_page",
        "return total_mapcount(page) == page_count(page) - extra_pins - 1;",
        BALANCE,
        BLIND,
        BLIND,
    ),
    "6 khugepaged": Row(
        "khugepaged_scan_shmem",
        "if (page_count(page) != 1 + page_mapcount(page))\n\t\tbreak;",
        BALANCE,
        BLIND,
        BLIND,
    ),
    "7 device": Row(
        "migrate_vma_check_page",
        "if ((page_count(page) - extra) > page_mapcount(page))\n\t\treturn false;",
        BALANCE,
        BLIND,
        BLIND,
    ),
    "8 migrate": Row(
        "folio_migrate_mapping",
        "int expected_count = folio_expected_ref_count(folio) + 1;\n\n"
        "\tif (folio_ref_count(folio) != expected_count)\n\t\treturn -EAGAIN;",
        BALANCE,
        BLIND,
        BLIND,
    ),
    "10 longterm": Row(
        "collect_longterm_unpinnable_folios",
        "if (folio_ref_count(folio) != folio_expected_ref_count(folio) + 1)\n\t\tdrain();",
        BALANCE,
        VAIN,
        VAIN,
    ),
    "12 reuse": Row(
        "__wp_can_reuse_large_anon_folio",
        "if (folio_large_mapcount(folio) != folio_ref_count(folio))\n\t\tgoto unlock;",
        BALANCE,
        IMMUNE,
        BLIND,
    ),
    "13 unaccount": Row(
        "unaccount_page_cache_page",
        "VM_BUG_ON_PAGE(page_mapped(page), page);",
        Decides.assertion,
        NEVER,
        NEVER,
    ),
    "13 resets": Row(
        "unaccount_page_cache_page",
        "int mapcount = page_mapcount(page);\n\n"
        "\tif (page_count(page) >= mapcount + 2)\n\t\tpage_mapcount_reset(page);",
        BALANCE,
        Effect.drift,
        Effect.drift,
    ),
    "14 truncate": Row(
        "truncate_cleanup_page",
        "if (page_mapped(page))\n\t\tunmap_mapping_pages(mapping, index, 1, false);",
        Decides.walk,
        VAIN,
        VAIN,
    ),
    "15 invalidate": Row(
        "invalidate_inode_pages2_range",
        "unmap_mapping_pages(mapping, index, 1, false);\n\tBUG_ON(page_mapped(page));",
        Decides.assertion,
        NEVER,
        NEVER,
    ),
    "16 reclaim": Row(
        "shrink_page_list",
        "try_to_unmap(page, flags);\n\tif (page_mapped(page))\n\t\tgoto activate_locked;",
        Decides.unmapped,
        NEVER,
        NEVER,
    ),
    "19 poison": Row(
        "hwpoison_user_mappings",
        "unmap_success = try_to_unmap(page, ttu);\n"
        '\tif (page_mapped(page))\n\t\tpr_err("failed to unmap page");',
        Decides.unmapped,
        NEVER,
        NEVER,
    ),
    "17 isolate": Row(
        "__isolate_lru_page",
        "if ((mode & ISOLATE_UNMAPPED) && page_mapped(page))\n\t\treturn ret;",
        Decides.skip,
        NEVER,
        NEVER,
    ),
    "18 migrate": Row(
        "__unmap_and_move",
        "if (page_was_mapped)\n\t\ttry_to_unmap(page, ttu);\n"
        "\tif (!page_mapped(page))\n\t\trc = move_to_new_page(newpage, page, mode);",
        Decides.unmapped,
        NEVER,
        NEVER,
    ),
    "21 collapse": Row(
        "collapse_shmem",
        "unmap_mapping_pages(mapping, index, 1, false);\n"
        "\tVM_BUG_ON_PAGE(page_mapped(page), page);",
        Decides.assertion,
        NEVER,
        NEVER,
    ),
    "22 walk": Row("page_not_mapped", "return !page_mapped(page);", Decides.unmapped, NEVER, NEVER),
    "23 mkclean": Row(
        "page_mkclean", "if (!page_mapped(page))\n\t\treturn 0;", Decides.walk, VAIN, VAIN
    ),
    "24 referenced": Row(
        "page_referenced",
        "struct arg pra = {\n\t\t.mapcount = total_mapcount(page),\n\t};\n\n\tuse(&pra);",
        Decides.walk,
        VAIN,
        VAIN,
    ),
    "25 anon_vma": Row(
        "page_get_anon_vma",
        "if (!page_mapped(page))\n\t\tgoto out;",
        Decides.walk,
        IMMUNE,
        NEVER,
    ),
    "26 free": Row(
        "page_expected_state",
        "if (atomic_read(&page->_mapcount) != -1)\n\t\treturn false;",
        Decides.freed,
        IMMUNE,
        IMMUNE,
        first_mail=NEVER,
    ),
    "27 add": Row(
        "page_add_file_rmap",
        "if (atomic_inc_and_test(&page->_mapcount))\n\t\tcount(page);",
        Decides.transition,
        Effect.drift,
        Effect.drift,
    ),
    "28 free lazily": Row(
        "madvise_free_pte_range",
        "if (page_mapcount(page) != 1)\n\t\tgoto out;",
        Decides.exclusive,
        IMMUNE,
        Effect.shared,
    ),
    "29 policy": Row(
        "migrate_page_add",
        "if ((flags & MPOL_MF_MOVE_ALL) || page_mapcount(page) == 1)\n\t\tadd(page);",
        Decides.exclusive,
        Effect.shared,
        Effect.shared,
    ),
    "30 NUMA": Row(
        "do_numa_page",
        "if (page_mapcount(page) > 1 && (vma->vm_flags & VM_SHARED))\n\t\tflags |= TNF_SHARED;",
        Decides.exclusive,
        Effect.shared,
        Effect.shared,
    ),
    "31 hugetlb": Row(
        "hugetlb_cow",
        "if (page_mapcount(page) == 1 && PageAnon(page))\n\t\treturn 0;",
        Decides.exclusive,
        IMMUNE,
        Effect.shared,
    ),
    "32 mlock": Row(
        "__munlock_isolated_page",
        "if (page_mapcount(page) > 1)\n\t\ttry_to_munlock(page);",
        Decides.exclusive,
        Effect.shared,
        Effect.shared,
    ),
    "33 deactivate": Row(
        "lru_deactivate_file_fn", "if (page_mapped(page))\n\t\treturn;", Decides.skip, NEVER, NEVER
    ),
    "35 ext4": Row(
        "mpage_release_unused_pages",
        "if (page_mapped(page))\n\t\tclear_page_dirty_for_io(page);",
        Decides.mapped,
        VAIN,
        VAIN,
        "fs/ext4/inode.c",
    ),
    "37 smaps": Row(
        "smaps_account",
        "int mapcount = page_mapcount(page);\n\n\tif (mapcount >= 2)\n\t\tpss /= mapcount;",
        Decides.number,
        Effect.number,
        Effect.number,
        "fs/proc/task_mmu.c",
    ),
    "38 dcache": Row(
        "flush_dcache_page",
        "if (mapping && !page_mapcount(page))\n\t\tclear_bit(PG_dcache_clean, &page->flags);",
        Decides.walk,
        VAIN,
        VAIN,
        "arch/arm/mm/flush.c",
    ),
    "39 shmem": Row(
        "shmem_writepage", "BUG_ON(page_mapped(page));", Decides.assertion, NEVER, NEVER
    ),
    "40 xtensa": Row(
        "check_tlb_entry",
        'pr_err("page %d\\n", page_mapcount(page));',
        Decides.number,
        Effect.number,
        Effect.number,
        "arch/xtensa/mm/tlb.c",
    ),
    "behind a test": Row(
        "reuses",
        "if (!PageAnon(page))\n\t\treturn false;\n"
        "\tif (page_mapcount(page) == 1)\n\t\treuse(page);",
        Decides.exclusive,
        IMMUNE,
        Effect.shared,
    ),
    "either is not both": Row(
        "reuses_too",
        "if (PageAnon(page) || page_mapcount(page) == 1)\n\t\treuse(page);",
        Decides.exclusive,
        Effect.shared,
        Effect.shared,
    ),
}


def read(row: Row, scheme: Scheme) -> Reader:
    text = f"int {row.function}(struct page *page)\n{{\n\t{row.body}\n\treturn 0;\n}}\n"
    (raw,) = readers(row.file, text.encode())
    return judged(raw, scheme)


@pytest.mark.parametrize("name", ROWS)
def test_what_a_pin_would_be_to_it(name: str) -> None:
    row = ROWS[name]
    agreed = read(row, AGREED)
    assert (agreed.decides, agreed.effect) == (row.decides, row.agreed)
    assert read(row, EVERY).effect is row.every
    if row.first_mail is not None:
        assert read(row, FIRST_MAIL).effect is row.first_mail
    if agreed.effect is IMMUNE:
        assert agreed.why  # it says how it knows


@pytest.mark.parametrize("name", ["16 reclaim", "17 isolate", "33 deactivate"])
def test_what_is_wanted_is_not_wrong(name: str) -> None:
    found = read(ROWS[name], AGREED)
    assert found.wanted and not found.is_wrong


def test_who_only_writes_is_no_reader() -> None:
    text = (
        b"void f(struct page *p)\n{\n\tatomic_set(&p->_mapcount, -1);\n\tp->x = &p->_mapcount;\n}\n"
    )
    assert readers("mm/a.c", text) == []


def test_the_accessors_themselves_are_none() -> None:
    text = b"int page_mapcount(struct page *p)\n{\n\treturn atomic_read(&p->_mapcount) + 1;\n}\n"
    assert readers("mm/a.c", text) == []


@given(st.binary(max_size=400))
def test_no_bytes_bring_it_down(source: bytes) -> None:
    readers("mm/a.c", b"int f(void)\n{\n\tif (page_mapped(p) " + source + b"\n}\n")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    rows = [ROWS["1 memfd"], ROWS["37 smaps"], ROWS["38 dcache"], ROWS["3 ksm"]]
    return tree(
        tmp_path,
        {
            f"{each.file.removesuffix('.c')}_{number}.c": (
                f"int {each.function}(struct page *page)\n{{\n\t{each.body}\n\treturn 0;\n}}\n"
            )
            for number, each in enumerate(rows)
        },
    )


def test_williams_question_is_answered_worst_first(small: Path) -> None:
    found: Mapcounts = mapcounts(small, AGREED)
    assert [each.effect for each in found.readers] == [BLIND, Effect.number, VAIN, IMMUNE]
    assert [each.function for each in found.wrong] == ["memfd_tag_pins", "smaps_account"]

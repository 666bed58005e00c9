"""Eight changes that a reviewer may have on the desk, each to one function of the model.

What the standing scenarios find of each is written down here, and also what they do not: then no
verdict differs, and the answer says that this is no proof.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.lab import check, face, patch
from pinlab.lab.linux.types import PTE_DIRTY
from pinlab.lab.results import CheckResult, Wanted
from pinlab.objectives.verdict import EXIT_VIOLATED

PATCHES = {
    "__remove_mapping": (
        """    if cmpxchg(page._refcount, 2, 0) != 2:
        return False
    if test_bit(page.PG_dirty):
        smp_store_release(page._refcount, 2)  # page_ref_unfreeze
        return False
""",
        """    if test_bit(page.PG_dirty):
        return False
    if cmpxchg(page._refcount, 2, 0) != 2:
        return False
""",
    ),
    "find_get_page": (
        """            if READ_ONCE(mapping.i_pages[index]) == cast(int, page):
                return page
            put_page(page)
""",
        "            return page\n",
    ),
    "filemap_fault": (
        """    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        put_page(page)
        return cast(Page, NULL)
""",
        "",
    ),
    "page_mkwrite": (
        """    if READ_ONCE(page.mapping) == NULL:
        unlock_page(page)
        if static_branch(truncates):
            up_read(mapping.i_mmap_sem)
        return False
""",
        "",
    ),
    "copy_one_pte": ("        page_dup_rmap(page)\n", ""),
    "delete_from_page_cache": ("    WRITE_ONCE(page.mapping, NULL)\n", ""),
    "flush_tlb_page": (
        """                spin_until(irqs_enabled(cpu))
            WRITE_ONCE(tlb[cpu], 0)
            if cpu != smp_processor_id():
                spin_until(irqs_enabled(cpu))
""",
        """                pass
            WRITE_ONCE(tlb[cpu], 0)
""",
    ),
    "pte_mkclean": ("(PTE_PFN | PTE_WRITE)", f"(PTE_PFN | PTE_WRITE | {PTE_DIRTY})"),
}
"""Function -> what the patch takes out of it, and what it puts there."""

BASES = ("untracked", "bounce")

FOUND = {
    ("__remove_mapping", "untracked"): {"I4 put-dirty-reclaim"},
    ("flush_tlb_page", "untracked"): {"I4 store-fsync"},
    ("flush_tlb_page", "bounce"): {"I4 store-fsync"},
    ("pte_mkclean", "untracked"): {"I4 longterm-invalidate", "O2 longterm-invalidate"},
    ("pte_mkclean", "bounce"): {
        "O2 direct-io-fsync-zap",
        "O2 direct-io-invalidate",
        "O2 direct-io-reclaim",
        "O2 put-dirty-lock-reclaim",
        "O2 put-dirty-reclaim",
    },
}
"""What each breaks that held. The others break nothing that a scenario of the package plays: five
of the sixteen are found, so a patch that changes no verdict is not therefore right."""


@pytest.fixture(scope="module")
def before() -> dict[str, CheckResult]:
    return {base: check.check(face.load_design(base)) for base in BASES}


def written(name: str, folder: Path) -> Path:
    old, new = PATCHES[name]
    text = patch.patch(name)
    assert text.count(old) == 1
    path = folder / f"{name}.py"
    path.write_text(text.replace(old, new))
    return path


PLAYED = sorted({*FOUND, *((name, "bounce") for name in PATCHES)})
"""Those that are found, and all beside a design that keeps the objectives."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "base"), PLAYED)
def test_what_the_scenarios_find(
    name: str, base: str, before: dict[str, CheckResult], tmp_path: Path
) -> None:
    it = face.load_design(f"{base}+{written(name, tmp_path)}")
    found = face.difference(it, before[base], check.check(it))
    broken = {f"{each.objective} {each.scenario}" for each in found.changes if each.broke}
    assert broken == FOUND.get((name, base), set())
    assert (found.exit_status == EXIT_VIOLATED) == bool(broken)


SWEPT = {
    ("__remove_mapping", "untracked"): ("flush-reclaim", "dirty+buffers rw", {"I4", "I16"}),
    ("filemap_fault", "bounce"): ("truncate", "clean", {"I16"}),
    ("copy_one_pte", "bounce"): ("fork", "dirty+buffers rw+private", {"I10", "I16"}),
    ("flush_tlb_page", "bounce"): ("store-verify", "dirty+buffers rw", {"I4", "I16"}),
}
"""What pairs with one operation, from one state, find of each; with no option the same comes of all
pairs in half a minute. docs/patch.md has all eight; four of them are played here."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "base"), SWEPT)
def test_what_pairs_find(name: str, base: str, tmp_path: Path) -> None:
    operations, at, objectives = SWEPT[name, base]
    it = face.load_design(f"{base}+{written(name, tmp_path)}")
    found = face.sweep(it, Wanted(having=operations, states=(at,)))
    assert set(found.smallest()) == objectives

"""The kernels that Debian ships: what is known of them, by hand, is what the audit says.

One test for each kernel, as to unpack one takes as long as to audit it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.coccinelle import RULE
from tools import audit_page

from pinlab.audit import judge
from pinlab.audit.api import UNPIN, Family
from pinlab.audit.audit import Read, audit, read_tree
from pinlab.audit.flow import Key
from pinlab.audit.mapcount.audit import mapcounts
from pinlab.audit.mapcount.effects import Effect, Reader
from pinlab.audit.mapcount.scheme import Scheme
from pinlab.audit.results import Rule, Site, Verdict
from pinlab.audit.tree import release
from pinlab.garbage import uncollected
from tests.audit.sources import ENOUGH, VERSIONS, unpacked

pytestmark = pytest.mark.slow

W, R, U, F = Verdict.wrong, Verdict.right, Verdict.unconverted, Verdict.by_flag
C, N = Verdict.caller, Verdict.nothing_held

KNOWN: dict[tuple[str, str], tuple[Verdict | None, ...]] = {
    # (end of the file's path, function): in 5.10, 6.1, 6.12, 7.2, 7.3; None: it is not there
    ("net/rds/rdma.c", "rds_pin_pages"): (W, W, R, W, R),
    ("acrn/hsm.c", "acrn_dev_ioctl"): (None, W, W, W, W),
    ("xen/privcmd.c", "lock_pages"): (R, R, R, R, R),
    ("mm/gup_benchmark.c", "__gup_benchmark_ioctl"): (F, None, None, None, None),
    ("tee/tee_shm.c", "tee_shm_register"): (F, None, None, None, None),
    ("tee/tee_shm.c", "register_shm_helper"): (None, F, F, R, R),
    ("core/umem.c", "ib_umem_get"): (R, R, R, None, None),
    ("core/umem.c", "__ib_umem_get_va"): (None, None, None, R, R),
    ("vfio/vfio_iommu_type1.c", "vaddr_get_pfns"): (R, R, R, R, R),
    ("mm/process_vm_access.c", "process_vm_rw_single_vec"): (R, R, R, R, R),
    ("fs/direct-io.c", "dio_refill_pages"): (U, U, R, R, R),
    ("block/bio.c", "__bio_iov_iter_get_pages"): (U, U, R, None, None),
    ("block/bio.c", "bio_iov_iter_get_pages"): (None, None, None, R, R),
    ("block/bio.c", "bio_iov_iter_bounce_read"): (None, None, None, R, R),
    ("svm/sev.c", "sev_pin_memory"): (R, R, R, None, None),
    ("svm/sev.c", "sev_pin_user_pages"): (None, None, None, R, R),
    ("virt/kvm/kvm_main.c", "hva_to_pfn_slow"): (U, U, U, F, F),
    ("virt/kvm/async_pf.c", "async_pf_execute"): (N, N, N, N, N),
    ("lib/iov_iter.c", "__iov_iter_get_pages_alloc"): (None, C, C, C, C),
    ("net/core/skbuff.c", "skb_splice_from_iter"): (None, None, N, N, N),
    ("mm/gup_test.c", "__gup_test_ioctl"): (None, F, F, F, F),
    ("io_uring/memmap.c", "io_pin_pages"): (None, None, F, F, F),
    ("gem/i915_gem_userptr.c", "i915_gem_object_userptr_submit_init"): (None, R, R, R, R),
    ("vmw_vmci/vmci_host.c", "vmci_host_setup_notify"): (U, U, U, U, U),
    ("radeon/radeon_ttm.c", "radeon_ttm_tt_pin_userptr"): (U, U, U, U, U),
}

HAZARDS = {
    ("radeon/radeon_ttm.c", "radeon_ttm_tt_pin_userptr"): Rule.no_lock,
    ("vchiq_core.c", "create_pagelist"): Rule.no_lock,
    ("devices/rio_mport_cdev.c", "rio_dma_transfer"): Rule.never,
    ("fpga/dfl-afu-dma-region.c", "afu_dma_pin_pages"): Rule.never,
    ("vmw_vmci/vmci_host.c", "vmci_host_setup_notify"): Rule.never,
}

EFFECTS = {
    # of 5.10 and of 7.2
    ("memfd_tag_pins", "memfd_folio_has_extra_refs"): Effect.blind,
    ("write_protect_page", "write_protect_page"): Effect.immune,
    ("isolate_migratepages_block", "isolate_migratepages_block"): Effect.immune,
    ("can_split_huge_page", "__folio_split"): Effect.blind,
    ("khugepaged_scan_file", "collapse_scan_file"): Effect.blind,
    ("migrate_vma_check_page", "migrate_vma_check_page"): Effect.blind,
    ("__unmap_and_move", "migrate_folio_unmap"): Effect.never_zero,
    ("page_not_mapped", "folio_not_mapped"): Effect.never_zero,
    ("page_mkclean", "folio_mkclean"): Effect.vain,
    ("page_referenced", "folio_referenced"): Effect.vain,
    ("page_expected_state", "page_expected_state"): Effect.immune,
    ("page_add_file_rmap", "__folio_add_rmap"): Effect.drift,
    ("do_numa_page", "numa_migrate_check"): Effect.shared,
    ("shmem_writepage", "shmem_writeout"): Effect.never_zero,
}


def of(found: Sequence[Site], file: str, function: str) -> list[Site]:
    return [each for each in found if each.file.endswith(file) and each.function == function]


def holds_what_is_known(version: str, found: Sequence[Site], readers: Sequence[Reader]) -> None:
    number = VERSIONS.index(version)
    differ = []
    for (file, function), verdicts in KNOWN.items():
        there = of(found, file, function)
        expected = verdicts[number]
        said = {each.verdict for each in there}
        if (expected is None) != (not there) or (expected and expected not in said):
            differ.append((file, function, expected, said))
    assert not differ
    assert {each.file for each in found if each.verdict is W} == {
        each.file
        for (file, function), verdicts in KNOWN.items()
        if verdicts[number] is W
        for each in of(found, file, function)
    }
    for names, effect in EFFECTS.items() if readers else ():
        name = names[version != "5.10"]
        assert effect in {each.effect for each in readers if each.function == name}, name


@pytest.mark.parametrize("version", ["5.10", "6.1", "7.3"])
def test_what_is_known_of_it(version: str, tmp_path: Path) -> None:
    with unpacked(version, tmp_path, ENOUGH) as root:
        found = audit(root).sites
        readers = mapcounts(root, Scheme()).readers if version != "6.1" else ()
    holds_what_is_known(version, found, readers)


def mutated(read: Read, site: Site) -> Verdict:
    """The verdict once all that unpins its pages puts them instead."""
    lines = {
        (Key(each.file, each.function), each.line) for each in site.paths if each.release in UNPIN
    }
    releases = read.graph.releases
    before = {place: list(each) for place, each in releases.items()}
    for place, each in before.items():
        releases[place] = [
            replace(one, family=Family.get) if (one.at, one.call.line) in lines else one
            for one in each
        ]
    found, _ = judge.sites(read.graph, read.api, True, only=(site.file, site.line))
    releases.update(before)
    return found[0].verdict


def by_spatch(root: Path, read: Read, folder: Path) -> set[str]:
    """The sites that coccinelle finds, each as "file:line"."""
    rule = folder / "sites.cocci"
    rule.write_text(RULE.replace("{names}", "|".join(map(re.escape, read.api.acquires))))
    files = [each.path for each in read.units if _speaks(root / each.path, read)]
    done = subprocess.run(
        ["spatch", "--very-quiet", "--sp-file", rule, "-j", "2", *files],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("SITE ")}


def _speaks(file: Path, read: Read) -> bool:
    text = file.read_text(errors="replace")
    return any(each in text for each in read.api.acquires)


def row_of_the_page(release: str) -> list[str] | None:
    """The counts that docs/audit.md has of a release; None if it has none."""
    for line in audit_page.SITES.read_text().splitlines():
        if line.startswith(f"| {release} |"):
            return [each.strip().replace(",", "") for each in line.split("|")[2:-1]]
    return None


@pytest.mark.parametrize("version", ["6.12", "7.2"])
def test_a_whole_tree(version: str, tmp_path: Path) -> None:
    """What is known of it; that it has the sites that coccinelle finds; and its mutants."""
    with unpacked(version, tmp_path) as root, uncollected():
        read = read_tree(root, root)
        found, _ = judge.sites(read.graph, read.api, True)
        holds_what_is_known(version, found, ())
        if (page := row_of_the_page(release(root))) is not None:
            assert page[:2] == [str(read.found.files), str(len(found))]
            assert page[2:9] == [str(sum(s.verdict is v for s in found)) for v in Verdict]
        right = [each for each in found if each.verdict is R]
        still = [each for each in right if mutated(read, each) is R]
        assert len(right) >= 45
        assert len(still) <= len(right) // 20, [(each.file, each.line) for each in still]
        if version == "7.2":
            for (file, function), rule in HAZARDS.items():
                there = of(found, file, function)
                assert rule in {each.rule for site in there for each in site.hazards}, function
        if shutil.which("spatch") is None:
            pytest.skip("no spatch (coccinelle)")
        ours = {f"{each.file}:{each.line}" for each in found}
        theirs = by_spatch(root, read, tmp_path)
        # Of a function that it cannot parse it says nothing: then the text must agree.
        assert theirs <= ours
        for place in ours - theirs:
            file, _, line = place.rpartition(":")
            text = (root / file).read_text(errors="replace").splitlines()
            assert any(f"{each}(" in text[int(line) - 1] for each in read.api.acquires), place
        assert len(ours - theirs) <= len(ours) // 15

"""Holders that small programs make: every pin and reference is found, and has its process."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest

from pinlab.field.census import census
from pinlab.field.census.result import rows_of
from pinlab.field.census.struct_page import column, flag
from pinlab.field.holders.attribution import attribute, join, walk
from pinlab.field.holders.claim import Claim
from pinlab.field.layout.page import page_layout
from pinlab.field.memory.live import LiveReader
from tests.live.made import PROGRAMS, Program, of, running

pytestmark = pytest.mark.live

TRIES = 5
"""A window that is shut is tried now and then, by which fragments are split."""


def beyond_mappings(live: LiveReader, claims: list[Claim]) -> int:
    """References of the claimed frames that no page table has, nor a CPU's batch of folios that
    go to the LRU lists; of small anonymous folios."""
    layout = page_layout(live.btf)
    held: Counter[int] = Counter()
    for claim in claims:
        held.update(claim.extents.each_frame().tolist())
    frames = np.array(sorted(held), np.uint64)
    addresses = np.uint64(live.vmemmap) + frames * np.uint64(layout.page_size)
    pages, good = live.read_many(addresses, layout.page_size)
    assert good.all()
    words = pages.view(np.uint64)
    mapped = column(words, layout.mapcount).view(np.int32).astype(np.int64) + 1
    batched = ~flag(words, layout, "lru")
    return int((column(words, layout.refcount).astype(np.int64) - mapped - batched).sum())


LONG = ("moving-dropped", "moving-orphaned")


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(each, marks=[pytest.mark.slow] * (f"{each.module}-{each.way}" in LONG))
        for each in PROGRAMS
    ],
    ids=lambda each: f"{each.module}-{each.way}",
)
def test_what_a_program_holds_is_found_and_attributed(live: LiveReader, program: Program) -> None:
    try:
        with running(program) as made:
            for _ in range(TRIES):
                whole = attribute(live)
                mine = of([share.claim for share in whole.shares], program, made)
                expected = made.count or beyond_mappings(live, mine)
                if sum(claim.extents.total for claim in mine) == expected:
                    break
    except RuntimeError as error:
        pytest.skip(f"{program.what}: {error}")
    assert sum(claim.extents.total for claim in mine) == expected > 0
    assert all(claim.references == (program.counted_as == "references") for claim in mine)
    if program.mapped:  # of a send that was begun, the pages may not lie in a row
        assert {claim.mapped for claim in mine} == {program.mapped}
    assert whole.agrees


def test_whose_memory_and_whose_account_after_fork(live: LiveReader) -> None:
    """F9: a child registered with its parent's ring: the buffer is its own, VmPin the parent's."""
    (program,) = [each for each in PROGRAMS if each.way == "inherited"]
    with running(program) as made:
        shares = attribute(live).shares
        (claim,) = of([share.claim for share in shares], program, made)
    parent, child = sorted({owner.pid for owner in claim.owners})
    assert child == made.pid
    assert (claim.mapped_by, claim.payer) == (child, parent)


def test_direct_io_keeps_a_buffer_of_a_ring_that_nobody_has(live: LiveReader) -> None:
    """Its process is killed: ring and buffer are there until the request is done."""
    (program,) = [each for each in PROGRAMS if each.way == "fixed"]
    try:
        with running(program) as made:
            os.kill(made.pid, signal.SIGKILL)
            for _ in range(TRIES):
                whole = attribute(live)
                claims = [share.claim for share in whole.shares if not share.claim.owners]
                if claims:
                    break
                time.sleep(0.2)
    except RuntimeError as error:
        pytest.skip(f"{program.what}: {error}")
    mine = [claim for claim in claims if claim.kind == program.kind]
    assert sum(claim.extents.total for claim in mine) == made.count
    assert whole.agrees


def test_plain_references_are_listed_and_explained(live: LiveReader) -> None:
    (program,) = [each for each in PROGRAMS if each.way == "file_table"]
    with running(program) as made:
        whole = attribute(live, references=True)
        (claim,) = of([share.claim for share in whole.shares], program, made)
    rows, inside = rows_of(whole.census.folios, claim.extents.pfn)
    assert inside.all()
    assert (whole.census.references[rows] == 1).all()
    assert (whole.strangers[rows] == 0).all()


def test_a_reference_of_nobody_known_is_a_strangers(live: LiveReader) -> None:
    """Without its walker a pipe's pages are referenced by a stranger."""
    (program,) = [each for each in PROGRAMS if each.way == "file_table"]
    with running(program) as made:
        taken = census(live, references=True)
        (claim,) = of(list(walk(live).claims), program, made)
        whole = join(taken, walk(live, []))
    rows, inside = rows_of(taken.folios, claim.extents.pfn)
    assert inside.all() and (whole.strangers[rows] == 1).all()

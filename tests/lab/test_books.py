"""I16: what is found wrong at rest, and that damages to the model leave something of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pinlab.lab import asked, check, design
from pinlab.lab.books import books
from pinlab.lab.linux.types import CPU_DATA, PTE_WRITE
from pinlab.lab.scenarios.words import STATES, state
from pinlab.objectives.verdict import Outcome


@pytest.mark.parametrize("words", STATES)
def test_every_state_is_at_rest(words: str) -> None:
    values = state(words).values
    assert list(books(values)(values)) == []


BROKEN: list[tuple[str, str, Sequence[int], str]] = [
    ("dirty+buffers rw", "Page._refcount", (3, 1, 0, 0), "page 1 has more references than users"),
    ("dirty+buffers rw", "Page._refcount", (1, 1, 0, 0), "page 1 has fewer references than users"),
    ("dirty+buffers rw", "Page._mapcount", (1, -1, -1, -1), "a mapcount that is not its entries"),
    ("dirty+buffers rw", "Page.PageBuddy", (0, 0, 1, 0), "page 4 has no user and is not free"),
    ("dirty+buffers rw", "Page.mapping", (0, 0, 0, 0), "page 1 is in the cache and says otherwise"),
    ("dirty+buffers rw", "Page.mapping", (1, 1, 0, 0), "page 2 is out of the cache and says"),
    ("dirty+buffers rw", "Page.PG_lru", (0, 1, 1, 1), "page 1 is in the cache and on no LRU"),
    ("dirty+buffers rw", "Page.PagePrivate", (1, 0, 1, 0), "page 3 has buffers and no file"),
    ("dirty+buffers rw", "Page.PG_dirty", (0, 0, 0, 0), "page 1 is clean and has an entry that"),
    ("dirty+buffers", "Page.PG_dirty", (0, 0, 0, 0), "page 1 is clean and not what the disk has"),
    ("clean", "disk", (0, 0, 0, 0), "page 1 is clean and not what the disk has"),
    ("clean", "Page.PG_locked", (2, 0, 0, 0), "Page.PG_locked is not given back"),
    ("clean", "Page.PG_writeback", (1, 0, 0, 0), "Page.PG_writeback is not over"),
    ("clean ro", "tlb", (1 | PTE_WRITE, 0, 0, 0, 0, 0, 0), "a TLB has an entry of page 1"),
    ("anon+forked", "Vma.pte", (0, 0, 0, 0, 3 | PTE_WRITE, 0, 3, 0), "page 3 is shared and mapped"),
    ("dax rw", "Page._refcount", (2, 1, 0, 0), "page 1 has more references than users"),
]


@pytest.mark.parametrize(("words", "variable", "values", "sentence"), BROKEN)
def test_what_is_wrong_is_said(
    words: str, variable: str, values: Sequence[int], sentence: str
) -> None:
    initial = state(words).values
    said = list(books(initial)({**initial, variable: values}))
    assert any(sentence in each for each in said), said


def test_a_page_that_was_freed_with_what_the_disk_has_not() -> None:
    initial = state("dirty+buffers").values
    freed = {
        **initial,
        "Page._refcount": (0, 1, 0, 0),
        "Page.PageBuddy": (1, 0, 1, 1),
        **{f"Page.{name}": (0, 0, 0, 0) for name in ("mapping", "PG_dirty", "PagePrivate")},
        "AddressSpace.i_pages": (0, 0),
    }
    lost = "page 1 was freed, and what was stored into it is lost"
    assert list(books(initial)(freed)) == [lost]
    assert list(books(initial)({**freed, "disk": (0, CPU_DATA, 0, 0)})) == []


def _broken(folder: Path, name: str, text: str, operations: str) -> tuple[Outcome, str]:
    path = folder / f"{name}.py"
    path.write_text(text)
    it = design.load(str(path))
    rows = check.check(it, asked.combinations(operations, "dirty+buffers rw"), ("I16",)).rows
    return rows[0].verdict.outcome, rows[0].verdict.reason


LEAK = '''"""leak: a design that forgets the reference of every second unpin."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import put_page
from pinlab.lab.linux.types import Page

forgotten = flag()


@kernel
def release_page(page: Page) -> None:
    """Drops it only once."""
    if not READ_ONCE(forgotten):
        WRITE_ONCE(forgotten, 1)
        put_page(page)
'''


def test_a_reference_that_is_lost_is_noticed(tmp_path: Path) -> None:
    found = _broken(tmp_path, "leak", LEAK, "gup@1, gup@1")
    assert found == (Outcome.VIOLATED, "page 1 has more references than users")
    assert _broken(tmp_path, "leak", LEAK, "gup@1")[0] is Outcome.HOLDS


FLUSH = '''"""flush-once: a flush does not wait for a store that has begun."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.tlb import mm_cpumask, tlb
from pinlab.lab.linux.types import CPUS


@kernel
def flush_tlb_page() -> None:
    """Waits, and then clears."""
    for cpu in range(CPUS):
        if static_branch(mm_cpumask[cpu]):
            if cpu != smp_processor_id():
                spin_until(irqs_enabled(cpu))
            WRITE_ONCE(tlb[cpu], 0)
'''


def test_a_store_that_a_flush_does_not_wait_for_is_noticed(tmp_path: Path) -> None:
    found = _broken(tmp_path, "flush-once", FLUSH, "store-twice, fsync-only")
    assert found[0] is Outcome.VIOLATED
    rows = check.check(
        design.load("untracked"),
        asked.combinations("store-twice, fsync-only", "dirty+buffers rw"),
        ("I16",),
    ).rows
    assert [row.verdict.outcome for row in rows] == [Outcome.HOLDS]


STUCK = '''"""stuck: who unpins waits for what never comes."""
from pinlab.lab.language.kernel import *
from pinlab.lab.linux.types import Page

never = flag()


@kernel
def release_page(page: Page) -> None:
    """For ever."""
    wait_event(READ_ONCE(never) == 1)
'''


def test_where_nobody_finishes_nothing_is_said_of_rest(tmp_path: Path) -> None:
    outcome, reason = _broken(tmp_path, "stuck", STUCK, "gup-slow@1")
    assert (outcome, reason) == (Outcome.UNKNOWN, "in no run has everybody finished")


def test_its_trace_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text(LEAK)
    it = design.load(str(tmp_path / "leak.py"))
    (name,) = asked.combinations("gup@1, gup@1", "clean ro")
    trace = check.check(it, (name,), ("I16",)).traces["I16", name]()
    assert trace.outcome is Outcome.VIOLATED
    assert trace.message == "when all is done, page 1 has more references than users"

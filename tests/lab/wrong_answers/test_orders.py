"""18: a design with counters for each CPU held or broke by the order in which tasks were listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import asked, check, design
from pinlab.lab.orders import _places, orders
from pinlab.lab.scenarios import scenario
from pinlab.objectives.verdict import Outcome
from tests.lab.beside import beside

DIRECT_IO_FSYNC = scenario.load()["direct-io-fsync"]
STORE_FSYNC = scenario.load()["store-fsync"]

PER_CPU = '''"""per-cpu: pins counted on each CPU, added up one after the other."""

from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import get_page, put_page
from pinlab.lab.linux.types import Page

pincount = array(7, -4, 3)


@kernel
def grab_page(page: Page) -> bool:
    get_page(page)
    atomic_inc(pincount[smp_processor_id()])
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    if not atomic_inc_not_zero(page._refcount):
        return False
    atomic_inc(pincount[smp_processor_id()])
    return True


@kernel
def undo_grab(page: Page) -> None:
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    atomic_dec(pincount[smp_processor_id()])
    put_page(page)


@kernel
def page_pinned(page: Page) -> bool:
    pins: s6 = 0
    for cpu in range(7):
        pins += atomic_read(pincount[cpu])
    return pins > 0
'''


@pytest.fixture
def per_cpu(tmp_path: Path) -> design.Design:
    (tmp_path / "per_cpu.py").write_text(PER_CPU)
    return design.load(str(tmp_path / "per_cpu.py"))


def test_18_every_order_of_the_tasks_that_ask_for_their_cpu(per_cpu: design.Design) -> None:
    """Reader, device and worker may come to a counter; fsync looks at all of them."""
    found = list(orders(per_cpu, DIRECT_IO_FSYNC))
    assert [it.name for it in found][:2] == ["direct-io-fsync", "direct-io-fsync:0,3,2,1,4"]
    assert len({tuple(task.name for task in it.tasks) for it in found}) == 6
    assert all(asked.named(per_cpu, it.name, scenario.load()) == it for it in found)


def test_18_a_design_that_does_not_ask_has_one_order() -> None:
    it = design.load("page-counter")
    assert list(orders(it, DIRECT_IO_FSYNC)) == [DIRECT_IO_FSYNC]


def test_18_the_verdict_does_not_depend_on_the_order_of_the_list(
    per_cpu: design.Design,
) -> None:
    there = DIRECT_IO_FSYNC
    both = beside(per_cpu, replace(there, name="back", tasks=tuple(reversed(there.tasks))))

    def outcomes(name: str) -> set[Outcome]:
        rows = check.check(both, (name,), ("O1", "I13")).rows
        return {row.verdict.outcome for row in rows}

    assert outcomes("back") == outcomes("direct-io-fsync")


def test_18_too_many_orders_are_unknown(
    per_cpu: design.Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlab.lab.orders.MOST", 1)
    rows = check.check(per_cpu, None, ("I9",)).rows
    assert [row.verdict.outcome for row in rows] == [Outcome.UNKNOWN]
    assert "ask for their CPU" in rows[0].reason
    with pytest.raises(UsageError, match="no more than 1 orders"):
        check.check(per_cpu, ("munmap-gup-fast",), ("I9",))


def test_18_a_counterexample_of_another_order_is_replayed_in_it(per_cpu: design.Design) -> None:
    result = check.check(per_cpu, ("direct-io-fsync",), ("O1",))
    other = next(row for row in result.rows if ":" in row.scenario)
    trace = result.traces["O1", other.scenario]()
    assert trace.scenario == other.scenario
    assert trace.outcome is Outcome.VIOLATED


def test_18_a_handler_asks_for_the_cpu_that_it_interrupts(
    per_cpu: design.Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlab.lab.orders._asking", lambda _: frozenset({"bio_check_pages_dirty"}))
    assert _places(per_cpu, DIRECT_IO_FSYNC) == (0,)  # the reader: its interrupt asks


def test_what_a_cpu_has_goes_with_its_task() -> None:
    """Or the TLB of the program that stores is not flushed, and all breaks."""
    moved = scenario.permuted(STORE_FSYNC, (1, 0, 2))
    assert [task.name for task in moved.tasks] == ["program", "rdma", "fsync"]
    assert STORE_FSYNC.initial["mm_cpumask"][:3] == (0, 1, 0)
    assert moved.initial["mm_cpumask"] == (1, 0, 0, 0, 0, 0, 0)
    rest = moved.initial.keys() - {"mm_cpumask"}
    assert all(moved.initial[name] == STORE_FSYNC.initial[name] for name in rest)

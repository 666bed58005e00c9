"""Verdicts on streams: right, cut, shuffled, with losses, of the lab."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab import objectives
from pinlab.field.events.monitor import NEEDS, Monitor
from pinlab.field.events.schema import Meta, Row
from pinlab.field.probes.hooks import Hook
from pinlab.lab import check, face
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome, Verdict
from tests.field.events import records
from tests.field.events.records import (
    DEVICE,
    DIRTY,
    MKWRITE,
    PINNED,
    PRIVATE,
    STRANGE,
    WRITEBACK,
    Kernel,
)

LIVE = {
    Event.PIN,
    Event.UNPIN,
    Event.DEV_STORE,
    Event.FAULT_MKWRITE,
    Event.DIRTY,
    Event.CLEAN_FOR_IO,
    Event.WRITEBACK_START,
    Event.WRITEBACK_END,
    Event.ATTACH_BUFFERS,
    Event.RELEASE_BUFFERS,
    Event.CACHE_ADD,
    Event.CACHE_DEL,
}
"""What `Normaliser` gives."""


def verdicts(rows: Sequence[Row], meta: Meta) -> dict[str, Verdict]:
    monitor = Monitor(writeback=meta.writeback)
    list(monitor.see(rows, meta.stacks))
    return monitor.verdicts(meta)


def outcomes(kernel: Kernel) -> tuple[str, str]:
    found = verdicts(*records.rows(kernel))
    return found["O1"].outcome.value, found["O2"].outcome.value


def test_o1() -> None:
    rows, meta = records.rows(records.o1())
    monitor = Monitor()
    (violation,) = monitor.see(rows, meta.stacks)
    assert violation.objective == "O1"
    assert violation.row.kind is Event.DEV_STORE
    assert violation.witness == tuple(rows[:6])
    verdict = monitor.verdicts(meta)["O1"]
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.evidence == (0, 1, 2, 3, 4, 5)


def test_o2() -> None:
    assert outcomes(records.o2()) == ("violated", "violated")


def test_i3() -> None:
    kernel = records.stripped()
    rows, meta = records.rows(kernel)
    (violation,) = Monitor(("I3",)).see(rows, meta.stacks)
    assert violation.row.kind is Event.DIRTY
    kinds = [row.kind for row in violation.witness]
    assert kinds[-3:] == [Event.RELEASE_BUFFERS, Event.CLEAN_FOR_IO, Event.DIRTY]


def test_a_file_system_that_makes_its_buffers_later_may() -> None:
    kernel = records.stripped(MKWRITE)
    found = verdicts(*records.rows(kernel))
    assert found["I3"].outcome is Outcome.HOLDS


def test_the_witness_of_one_objective_has_the_pin_too() -> None:
    rows, meta = records.rows(records.o2())
    (violation,) = Monitor(("O2",)).see(rows, meta.stacks)
    assert Event.PIN in {row.kind for row in violation.witness}


def test_control() -> None:
    assert outcomes(records.control()) == ("holds", "holds")


def test_a_dirtier_that_is_not_known_decides_nothing() -> None:
    kernel = records.control()
    kernel.dirtied(STRANGE)
    assert outcomes(kernel) == ("holds", "inconclusive")


def test_a_pin_that_no_tracepoint_shows_decides_nothing() -> None:
    kernel = Kernel()
    kernel.dirtied(MKWRITE)
    kernel.write_queued(refcount=PINNED)
    kernel.write_done(refcount=PINNED)
    assert outcomes(kernel) == ("inconclusive", "holds")


def test_a_second_pin_that_no_tracepoint_shows_decides_nothing() -> None:
    """One pin is a direct write's, which only reads the page; what the other does nobody knows."""
    for refcount, expected in ((PINNED, "holds"), (PINNED + 1024, "inconclusive")):
        kernel = Kernel()
        kernel.say(Hook.BIO_QUEUE, io=1, write=True, pinned=True, refcount=PINNED)
        kernel.write_queued(refcount=refcount)
        kernel.write_done(refcount=refcount)
        assert outcomes(kernel)[0] == expected


def test_a_pin_whose_bio_is_queued_too_late_decides_nothing() -> None:
    """It may be that bio's, or of somebody who let go in between."""
    kernel = Kernel()
    kernel.write_queued(refcount=PINNED)
    kernel.say(Hook.BIO_QUEUE, io=1, write=True, pinned=True, refcount=PINNED)
    kernel.write_done(refcount=PINNED)
    assert outcomes(kernel)[0] == "inconclusive"


def test_a_pin_that_a_function_shows_decides() -> None:
    assert outcomes(records.grabbed()) == ("violated", "holds")
    assert outcomes(records.grabbed(write=True)) == ("holds", "holds")


def test_a_verdict_names_its_sources() -> None:
    rows, meta = records.rows(records.grabbed())
    meta = replace(meta, attached=(*meta.attached, "try_grab_folio"))
    bounds = verdicts(rows, meta)["O1"].bounds
    assert bounds.endswith("raw tracepoints and fentry (try_grab_folio) of 6.18")


def test_a_pin_under_a_writeback_that_was_not_seen_decides_nothing() -> None:
    kernel = Kernel()
    kernel.read_queued(flags=WRITEBACK)
    kernel.read_done()
    rows, meta = records.rows(kernel)
    for flag, expected in ((0, Outcome.HOLDS), (WRITEBACK, Outcome.INCONCLUSIVE)):
        monitor = Monitor(writeback=flag)
        list(monitor.see(rows, meta.stacks))
        assert monitor.verdicts(meta)["O1"].outcome is expected


def test_a_store_under_a_writeback_that_was_not_seen_decides_nothing() -> None:
    """PG_writeback is there before the bio of the writeback is."""
    kernel = Kernel()
    kernel.read_queued()
    kernel.read_done(flags=WRITEBACK)
    kernel.write_queued()
    kernel.write_done()
    assert outcomes(kernel)[0] == "inconclusive"


def test_a_holder_that_came_during_the_writeback_decides_nothing() -> None:
    for begin in ({"refcount": 3}, None):  # recorded, or not as the folio was not pinned then
        kernel = Kernel()
        kernel.dirtied(MKWRITE)
        if begin:
            kernel.write_queued(**begin)
        kernel.write_done(refcount=PINNED)
        assert outcomes(kernel)[0] == "inconclusive"


def test_a_pin_that_a_function_shows_during_the_writeback_decides_nothing() -> None:
    """It may be a pin that GUP takes on trial and gives back, so it is no alarm either."""
    for write, expected in ((False, "inconclusive"), (True, "holds")):
        kernel = Kernel(functions=(Hook.GRAB, Hook.PUT, Hook.CLEAN))
        kernel.write_queued()
        kernel.say(Hook.GRAB, refcount=PINNED, flags=WRITEBACK, write=write, count=1)
        kernel.say(Hook.PUT, refcount=PINNED, flags=WRITEBACK, count=1)
        kernel.write_done()
        assert outcomes(kernel)[0] == expected


def test_a_pin_of_a_large_folio_does_not_explain_another_one() -> None:
    for pincount, expected in ((1, "holds"), (2, "inconclusive")):
        kernel = Kernel()
        kernel.say(Hook.BIO_QUEUE, io=1, write=True, pinned=True)
        kernel.write_queued()
        kernel.write_done()
        for each in kernel.records:
            each.update(order=2, pincount=pincount)
        assert outcomes(kernel)[0] == expected


def test_a_frame_with_another_page_begins_anew() -> None:
    """A page moved there, or came while only pinned ones were recorded: no hook told."""
    kernel = records.stripped(MKWRITE)  # its file has buffers, and they were released
    kernel.dirtied(DEVICE, refcount=PINNED, mapping=0xBB000)
    assert verdicts(*records.rows(kernel))["I3"].outcome is Outcome.HOLDS
    kernel = Kernel()
    kernel.dirtied(MKWRITE, flags=DIRTY | PRIVATE)
    kernel.dirtied(DEVICE, refcount=PINNED, mapping=0xBB000)
    assert verdicts(*records.rows(kernel))["I3"].outcome is Outcome.HOLDS


def test_a_page_that_left_the_cache_unseen_does_not_hide_the_next_one() -> None:
    for mapping in (0xAA000, 0xBB000):
        kernel = Kernel()
        kernel.read_queued()
        kernel.say(Hook.CACHE_DEL, refcount=PINNED)
        kernel.read_done()
        kernel.dirtied(DEVICE, refcount=PINNED, mapping=mapping)
        assert outcomes(kernel)[1] == "violated"


def test_a_page_that_came_after_a_gap_is_known() -> None:
    kernel = Kernel(lost=1)
    kernel.say(Hook.CACHE_ADD)
    kernel.dirtied(DEVICE, refcount=PINNED)
    assert outcomes(kernel)[1] == "violated"


def test_nothing_seen_is_no_pass() -> None:
    assert outcomes(Kernel()) == ("inconclusive", "inconclusive")


def test_a_loss_is_no_pass_and_no_alarm() -> None:
    kernel = records.control()
    kernel.lost = 1
    kernel.dirtied(MKWRITE)
    found = verdicts(*records.rows(kernel))
    assert {each.outcome for each in found.values()} == {Outcome.INCONCLUSIVE}
    assert found["O1"].reason == "1 events were lost before row 8"


def test_a_loss_after_the_last_row() -> None:
    rows, meta = records.rows(records.control())
    found = verdicts(rows, replace(meta, lost=2))
    assert {each.outcome for each in found.values()} == {Outcome.INCONCLUSIVE}


def test_a_violation_stands_whatever_is_lost_later() -> None:
    kernel = records.o2()
    kernel.lost = 9
    kernel.dirtied(MKWRITE, pfn=99)
    assert outcomes(kernel) == ("violated", "violated")


def test_a_tracepoint_that_is_missing() -> None:
    rows, meta = records.rows(records.control())
    found = verdicts(rows, replace(meta, attached=("block_bio_queue", "writeback_dirty_folio")))
    assert found["O1"].outcome is Outcome.INCONCLUSIVE
    assert found["O2"].outcome is Outcome.HOLDS


def test_a_kernel_whose_bios_do_not_pin() -> None:
    rows, meta = records.rows(records.control())
    found = verdicts(rows, replace(meta, bios_pin=False))
    assert "references, not pins" in found["O1"].reason
    assert found["O2"].outcome is Outcome.HOLDS


@given(st.data())
def test_a_stream_cut_anywhere(data: st.DataObject) -> None:
    """Rows that are missing make no alarm, and a violation that is missing no pass."""
    for kernel in (records.control(), records.o2()):
        rows, meta = records.rows(kernel)
        meta = replace(meta, rows=len(rows))
        kept = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
        some = [row for row, keep in zip(rows, kept, strict=True) if keep]
        full = verdicts(rows, meta)
        for name, verdict in verdicts(some, meta).items():
            if some == rows:
                assert verdict == full[name]
            elif verdict.outcome is Outcome.VIOLATED:
                assert full[name].outcome is Outcome.VIOLATED
            else:
                assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_stream(seed: int) -> None:
    for kernel in (records.control(), records.o2()):
        rows, meta = records.rows(kernel)
        shuffled = random.Random(seed).sample(rows, len(rows))
        assert shuffled != rows
        for verdict in verdicts(shuffled, meta).values():
            assert verdict.outcome is Outcome.INCONCLUSIVE


def test_batches_are_judged_as_one_stream() -> None:
    rows, meta = records.rows(records.o2())
    monitor = Monitor()
    for row in rows:
        list(monitor.see([row], meta.stacks))
    assert monitor.verdicts(meta) == verdicts(rows, meta)


def test_the_objectives_that_live_events_can_express() -> None:
    """I10 is left out: whether counts balance cannot be told from unpins that are inferred."""
    expressible = {
        name
        for name, automaton in objectives.load().items()
        if isinstance(automaton, Automaton)
        and {event for event in Event if automaton.listens_to(event)} <= LIVE
    }
    assert expressible == {*NEEDS, "I10"}


def of_model(design: str, objective: str) -> tuple[list[Row], int]:
    """The lab's shortest counterexample as rows, and the number of the row that violates."""
    result = check.check(face.load_design(design), None, (objective,))
    row = min(
        (row for row in result.rows if row.verdict.outcome is Outcome.VIOLATED),
        key=lambda row: (row.steps or 0, row.scenario),
    )
    trace = result.traces[row.objective, row.scenario]()
    blank, _ = records.rows(records.control())
    found: list[Row] = []
    for step in trace.steps:
        for event, page in step.events:
            found.append(
                replace(
                    blank[0],
                    seq=len(found),
                    ts_ns=step.number,
                    src="model",
                    kernel="model",
                    kind=Event(event),
                    pfn=page,
                    head_pfn=page,
                    stack_id=None,
                )
            )
    return found, len(found) - 1


@pytest.mark.parametrize("objective", NEEDS)
@pytest.mark.parametrize("design", ["untracked", "lru-counter-july"])
def test_the_counterexample_of_the_lab_is_judged_at_the_same_event(
    design: str, objective: str
) -> None:
    rows, last = of_model(design, objective)
    monitor = Monitor((objective,))
    found = list(monitor.see(rows))
    assert [violation.row.seq for violation in found] == [last]
    verdict = monitor.verdicts(records.meta(kernel="model"))[objective]
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.steps == last + 1

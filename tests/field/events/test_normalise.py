"""What is inferred from records, and what is not."""

from __future__ import annotations

import pytest

from pinlab.field.events.monitor import Monitor
from pinlab.field.events.normalise import Normaliser
from pinlab.field.probes import record
from pinlab.field.probes.hooks import Hook
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from tests.field.events import records
from tests.field.events.records import (
    BITS,
    DEVICE,
    DIRTY,
    MKWRITE,
    PINNED,
    SYMBOLS,
    WRITEBACK,
    Kernel,
)


def kinds(kernel: Kernel) -> list[str]:
    found, _ = records.rows(kernel)
    return [f"{row.kind}{'?' if row.src == 'inferred' else ''}" for row in found]


def test_a_writeback_while_a_device_reads_into_the_page() -> None:
    assert kinds(records.o1()) == [
        "fault_mkwrite?",
        "dirty",
        "pin",
        "clean_for_io?",
        "wb_start",
        "dev_store?",
        "wb_end",
        "dev_store",
        "unpin?",
    ]


def test_a_device_begins_to_read_while_the_page_is_written_back() -> None:
    kernel = Kernel()
    kernel.write_queued()
    kernel.read_queued(flags=WRITEBACK)
    assert kinds(kernel) == ["clean_for_io?", "wb_start", "pin", "dev_store?"]


@pytest.mark.parametrize("read", [2, 3])
def test_a_device_may_store_into_the_pages_of_a_folio_that_are_not_being_written(
    read: int,
) -> None:
    kernel = Kernel()
    kernel.say(Hook.BIO_QUEUE, io=2, write=True, flags=WRITEBACK, pages=3)  # 7 to 9
    for hook in (Hook.BIO_QUEUE, Hook.RQ_COMPLETE):
        kernel.say(hook, io=1, pinned=True, refcount=PINNED, flags=WRITEBACK, pfn=7 + read)
    for each in kernel.records:
        each["head"] = 7
    stores = [kind for kind in kinds(kernel) if kind.startswith("dev_store")]
    assert stores == (["dev_store?", "dev_store"] if read < 3 else [])


def test_one_after_the_other() -> None:
    assert kinds(records.control())[2:] == [
        "pin",
        "dev_store",
        "unpin?",
        "clean_for_io?",
        "wb_start",
        "wb_end",
    ]


def test_the_store_that_is_inferred_names_the_read_and_its_device() -> None:
    found, _ = records.rows(records.o1())
    pin, store = found[2], found[5]
    assert (store.kind, store.op, store.io_id, store.io_dev) == (
        Event.DEV_STORE,
        "READ",
        pin.io_id,
        5,
    )


def test_a_write_by_way_of_pins_is_no_writeback() -> None:
    kernel = Kernel()
    kernel.say(Hook.BIO_QUEUE, io=1, write=True, pinned=True, refcount=PINNED)
    kernel.say(Hook.RQ_COMPLETE, io=1, write=True, pinned=True, refcount=PINNED)
    assert kinds(kernel) == ["pin", "unpin?"]


def test_a_write_of_a_page_without_writeback_is_none() -> None:
    kernel = Kernel()
    kernel.say(Hook.BIO_QUEUE, io=1, write=True)
    assert kinds(kernel) == []


def test_a_write_passed_on_by_a_loop_device_is_one_writeback() -> None:
    kernel = Kernel()
    for dev in (5, 6):
        kernel.say(Hook.BIO_QUEUE, io=1, dev=dev, write=True, flags=WRITEBACK)
    for dev in (6, 5):
        kernel.say(Hook.RQ_COMPLETE, io=1, dev=dev, write=True, flags=WRITEBACK)
    assert kinds(kernel) == ["clean_for_io?", "wb_start", "wb_end"]


def test_a_bio_that_is_passed_on_completes_on_a_device_where_it_was_not_queued() -> None:
    kernel = Kernel()
    for write in (False, True):
        kernel.say(Hook.BIO_QUEUE, io=1, dev=5, write=write, pinned=True, refcount=PINNED)
        kernel.say(Hook.RQ_COMPLETE, io=1, dev=6, write=write, pinned=True, refcount=PINNED)
    assert kinds(kernel) == ["pin", "dev_store", "unpin?", "pin", "unpin?"]


def test_a_bio_of_which_the_end_is_told_of_one_part_has_ended() -> None:
    """Device mapper trims a bio that it passes on in parts, and ends the rest."""
    kernel = Kernel()
    for pfn in (7, 8):
        kernel.read_queued(pfn=pfn)
    kernel.say(Hook.BIO_COMPLETE, io=0x10, pinned=True, refcount=PINNED, pfn=8)
    kernel.write_queued(refcount=PINNED)  # of 7, which another holder pins by now
    assert kinds(kernel)[-3:] == ["unpin?", "clean_for_io?", "wb_start"]
    found, meta = records.rows(kernel)
    monitor = Monitor(("O1",))
    assert not list(monitor.see(found, meta.stacks))
    assert monitor.verdicts(meta)["O1"].outcome is Outcome.INCONCLUSIVE


def test_an_io_that_completes_in_parts() -> None:
    kernel = Kernel()
    kernel.say(Hook.BIO_QUEUE, io=1, write=True, flags=WRITEBACK, pages=4)
    kernel.say(Hook.RQ_COMPLETE, io=1, write=True, flags=WRITEBACK, pages=3)
    assert kinds(kernel)[-1] == "wb_start"
    kernel.say(Hook.RQ_COMPLETE, io=1, write=True, flags=WRITEBACK, pages=4)
    assert kinds(kernel)[-1] == "wb_end"


def test_a_page_that_is_dirtied_twice_was_cleaned_between() -> None:
    kernel = Kernel()
    kernel.dirtied(MKWRITE)
    kernel.dirtied(DEVICE)
    assert kinds(kernel) == ["fault_mkwrite?", "dirty", "clean_for_io?", "dirty"]


def test_the_innermost_function_decides() -> None:
    kernel = Kernel()
    kernel.dirtied(DEVICE, MKWRITE)
    kernel.dirtied(MKWRITE, DEVICE, pfn=8)
    assert kinds(kernel) == ["dirty", "fault_mkwrite?", "dirty"]


def test_without_the_flag_no_writeback_is_believed() -> None:
    kernel = Kernel()
    kernel.write_queued()
    kernel.read_queued()  # the record shows no PG_writeback: we missed the end
    assert kinds(kernel)[2:] == ["wb_end?", "pin"]


def test_without_a_pin_no_read_is_believed() -> None:
    kernel = Kernel()
    kernel.read_queued()
    kernel.write_queued()  # the record's refcount shows no pin
    assert kinds(kernel) == ["pin", "unpin?", "clean_for_io?", "wb_start"]


def test_after_a_loss_nothing_is_believed() -> None:
    kernel = Kernel()
    kernel.read_queued()
    kernel.lost = 3
    kernel.write_queued(refcount=PINNED)
    found, _ = records.rows(kernel)
    assert [row.kind for row in found] == [
        Event.PIN,
        Event.CLEAN_FOR_IO,
        Event.WRITEBACK_START,
    ]
    assert [row.dropped_before for row in found] == [0, 3, 0]


def test_of_a_batch_with_a_loss_somewhere_nothing_is_believed() -> None:
    kernel = records.o1()
    normaliser = Normaliser(
        "6.18", BITS, addresses=kernel.stacks.__getitem__, symbol=SYMBOLS.__getitem__
    )
    for whole in (True, False):
        found = normaliser.batch(record.of(kernel.records), whole=whole)
        assert (Event.DEV_STORE in found.kinds) is whole
        normaliser.gap(1)


def test_a_page_that_comes_back_to_the_cache_is_another_one() -> None:
    kernel = Kernel()
    kernel.read_queued()
    kernel.say(Hook.CACHE_DEL, refcount=PINNED)
    kernel.say(Hook.CACHE_ADD, flags=DIRTY)
    kernel.write_queued(refcount=PINNED)
    assert "dev_store?" not in kinds(kernel)


def test_pins_that_functions_tell() -> None:
    """Whoever may write the page may do so from the begin of its writeback on."""
    assert kinds(records.grabbed()) == [
        "fault_mkwrite?",
        "dirty",
        "pin",
        "clean_for_io",
        "wb_start",
        "dev_store?",
        "wb_end",
        "unpin",
    ]
    assert "dev_store?" not in kinds(records.grabbed(write=True))


def test_many_pins_of_one_call_are_some_rows() -> None:
    kernel = Kernel(functions=(Hook.GRAB, Hook.PUT))
    for hook, count in ((Hook.GRAB, 512), (Hook.PUT, 511)):
        kernel.say(hook, refcount=512 * 1024 + 3, count=count)
    assert kinds(kernel) == ["pin"] * 4 + ["unpin"] * 4
    kernel.write_queued(refcount=PINNED)
    assert kinds(kernel)[-1] == "dev_store?"  # one of them is left


def test_a_pin_whose_end_was_not_seen_is_given_up() -> None:
    kernel = Kernel(functions=(Hook.GRAB, Hook.PUT))
    kernel.say(Hook.GRAB, refcount=PINNED + 1024, count=2)
    kernel.say(Hook.GRAB, refcount=PINNED, count=1, write=True)  # two pins have gone meanwhile
    kernel.say(Hook.PUT, refcount=PINNED, count=1)
    kernel.write_queued(refcount=PINNED)
    assert "dev_store?" not in kinds(kernel)


def test_a_pin_that_the_counts_do_not_show_is_not_believed() -> None:
    kernel = Kernel(functions=(Hook.GRAB, Hook.PUT))
    kernel.say(Hook.GRAB, refcount=PINNED, count=1)
    kernel.write_queued()
    assert "dev_store?" not in kinds(kernel)


def test_numbers_of_ios_are_not_used_twice() -> None:
    kernel = Kernel()
    for _ in range(3):
        kernel.read_queued()
        kernel.read_done()
    found, _ = records.rows(kernel)
    assert [row.io_id for row in found if row.kind is Event.PIN] == [1, 2, 3]


def test_addresses_are_hashed() -> None:
    found, _ = records.rows(records.o1())
    assert len({row.mapping for row in found}) == 1
    assert found[0].mapping != 0xAA000

"""Costs are counted along the steps of one pin and one unpin."""

from __future__ import annotations

from pinlab.lab import face


def costs(name: str) -> tuple[dict[str, int], dict[str, int], bool | None, bool | None, int]:
    cost = face.cost(face.load_design(name))
    return (
        dict(cost.pin),
        dict(cost.unpin),
        cost.gup_fast,
        cost.irq_unpin,
        cost.struct_page_bytes,
    )


def test_untracked_pays_one_atomic_for_the_reference_and_one_to_drop_it() -> None:
    pin, unpin, *_ = costs("untracked")
    assert pin == {"atomic_rmw": 1, "locks": 0, "allocations": 0, "page_table_walks": 1}
    assert unpin == {"atomic_rmw": 1, "locks": 0, "allocations": 0, "page_table_walks": 0}


def test_the_bias_costs_nothing_more() -> None:
    assert costs("refcount-bias") == costs("untracked")


def test_a_pin_as_a_mapping_costs_one_more_atomic() -> None:
    pin, unpin, fast, irq, size = costs("mapcount-v1")
    assert (pin["atomic_rmw"], unpin["atomic_rmw"]) == (2, 2)
    assert (fast, irq, size) == (True, True, 0)


def test_a_fake_vma_sleeps_so_it_has_no_fast_path_and_no_unpin_in_interrupts() -> None:
    pin, _, fast, irq, _ = costs("fake-vma")
    assert (fast, irq) == (False, False)
    assert pin["allocations"] == 1
    assert pin["locks"] > 0


def test_a_new_field_costs_bytes_and_the_lru_words_a_lock() -> None:
    assert costs("page-counter")[-1] > 0
    assert costs("lru-counter-october")[0]["locks"] == 1


def test_hardware_that_faults_takes_no_pin_in_gup_fast() -> None:
    _, _, fast, irq, _ = costs("mmu-notifier")
    assert (fast, irq) == (False, True)

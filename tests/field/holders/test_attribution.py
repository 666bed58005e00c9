"""Claims joined with a census made by hand: exact, unexplained, overcount, weak."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pinlab.field.census import COLUMNS, Census, Folios, Totals
from pinlab.field.holders.attribution import Walked, join, with_glimpses
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extent, Extents
from pinlab.report.who_schema import joined

ME = (Owner(1, "me", 3),)


def census(rows: list[tuple[int, int, int]]) -> Census:
    """Folios as (first frame, order, pins)."""
    columns = {name: np.zeros(len(rows), dtype) for name, dtype in COLUMNS.items()}
    for at, (pfn, order, pins) in enumerate(sorted(rows)):
        columns["pfn"][at], columns["order"][at], columns["pins"][at] = pfn, order, pins
    totals = Totals(
        scanned=0, unreadable=0, false_positives=0, vanished=0, acquired=None, released=None
    )
    return Census("synthetic", 0.0, 0.0, Folios(**columns), totals)


def claims(*extents: Extents, weak: bool = False, references: bool = False) -> Walked:
    made = [Claim("k", "d", ME, each, weak=weak, references=references) for each in extents]
    return Walked(tuple(made), (), 0)


def test_small_and_large_folios_are_explained() -> None:
    # One pin for a whole huge page, and three of its pages pinned apart.
    held = claims(Extents([(10, 1, 1), (512, 512, 1)]), Extents([(600, 3, 3)]))
    found = join(census([(10, 0, 1), (512, 9, 4)]), held)

    assert found.agrees
    assert found.explained.tolist() == [1, 4]
    assert [share.found for share in found.shares] == [2, 3]


def test_a_pin_that_nobody_claims_has_an_unknown_holder() -> None:
    found = join(census([(10, 0, 2), (11, 0, 1)]), claims(Extents([(10, 1, 1)])))

    assert not found.agrees
    assert found.unexplained.tolist() == [1, 1]


def test_claims_beyond_the_pins_are_an_overcount() -> None:
    held = claims(Extents([(10, 1, 2), (99, 1, 1)]))
    found = join(census([(10, 0, 1)]), held)

    assert not found.agrees
    assert found.overcount.tolist() == [1]
    assert found.missing == 1


def test_weak_claims_explain_what_is_left_and_never_accuse() -> None:
    strong, weak = (
        claims(Extents([(10, 1, 1)])),
        claims(Extents([(10, 1, 5), (99, 1, 1)]), weak=True),
    )
    found = join(census([(10, 0, 3)]), Walked(weak.claims + strong.claims, (), 0))

    assert found.agrees
    assert (found.explained.tolist(), found.weakly.tolist()) == ([1], [2])
    assert [(share.found, share.missing) for share in found.shares] == [(2, 0), (1, 0)]


def test_a_weak_claim_that_explains_nothing_is_not_told() -> None:
    assert join(census([]), claims(Extents([(10, 1, 5)]), weak=True)).shares == ()


def test_plain_references_are_no_pins() -> None:
    found = join(census([]), claims(Extents([(10, 1, 1)]), references=True))

    assert found.agrees
    assert found.shares[0].found == 1


def test_a_folio_that_changed_while_it_was_read_accuses_nobody() -> None:
    taken = census([(10, 0, 1)])
    taken.folios.confidence[:] = 3

    assert join(taken, claims()).agrees


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=8))
def test_every_pin_is_explained_once(spans: list[tuple[int, int]]) -> None:
    """Of any claims, a census of just these pins is explained; one pin more is found."""
    held = [Extents([(first, 1, 1) for first in range(at, at + n)]) for at, n in spans]
    counts: dict[int, int] = {}
    for each in held:
        for pfn in each.each_frame().tolist():
            counts[pfn] = counts.get(pfn, 0) + 1
    rows = [(pfn, 0, count) for pfn, count in counts.items()]

    assert join(census(rows), claims(*held)).agrees
    if rows:
        pfn, order, pins = rows[0]
        more = join(census([(pfn, order, pins + 1), *rows[1:]]), claims(*held))
        assert int(more.unexplained.sum()) == 1
        less = join(census([(pfn, order, pins - 1), *rows[1:]]), claims(*held))
        assert int(less.overcount.sum()) + less.missing == 1


def test_extents_of_neighbours_are_told_as_one() -> None:
    assert joined(Extents([(1, 1, 1), (2, 1, 1), (4, 1, 1), (512, 512, 1)])) == [
        Extent(1, 2, 2),
        Extent(4, 1, 1),
        Extent(512, 512, 1),
    ]


def test_spans_are_every_frame_once() -> None:
    spans = Extents.of_spans(np.array([5, 9], np.uint64), np.array([2, 3], np.uint64))

    assert spans.pfn.tolist() == [5, 6, 9, 10, 11]
    assert spans.covers(10) and not spans.covers(7)


def test_only_what_differs_each_time_is_wrong() -> None:
    """Two looks: frame 10 is unexplained in both, 11 in the first, 12 claimed and gone in one."""
    first = join(census([(10, 0, 1), (11, 0, 1)]), claims())
    second = join(census([(10, 0, 1), (13, 0, 1)]), claims(Extents([(12, 1, 1)])))
    lasting = first.disputed() & second.disputed()
    found = second.only(lasting)

    assert lasting == {("unexplained", 10)}
    assert found.settled.tolist() == [True, False]
    assert not found.agrees
    assert [(share.missing, share.passing) for share in found.shares] == [(0, 1)]
    assert second.only(frozenset()).agrees


def test_who_came_and_went_is_named() -> None:
    """Frame 10 has pins in both looks, and a holder in the first alone."""
    first = join(census([(10, 0, 1)]), claims(Extents([(10, 1, 1)])))
    second = join(census([(10, 0, 1)]), claims()).only(frozenset())
    glimpsed = [share.claim for share in first.shares]
    (share,) = with_glimpses(second, glimpsed).shares
    assert share.is_passing and share.claim.owners == ME
    certain = join(census([(10, 0, 1)]), claims())
    assert not with_glimpses(certain, glimpsed).shares, "pins of a stranger are no passing ones"
    assert not with_glimpses(first, glimpsed).shares[1:], "nor is what is there"


def test_a_frame_that_is_held_twice_is_one() -> None:
    assert Extents([(5, 1, 1), (5, 1, 1), (6, 1, 3)]).frames == 2
    assert Extents([(512, 512, 1), (513, 1, 1)]).frames == 512
    assert Extents().frames == 0


def test_folios_that_are_only_referenced_are_not_called_pinned() -> None:
    sums = census([(10, 0, 1), (12, 0, 0), (16, 2, 3)]).sums
    assert (sums.pinned, sums.pinned_pages, sums.pages) == (2, 5, 6)

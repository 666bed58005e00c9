"""Which orders of steps a violation needs. Judged by hand, and by runs drawn at random."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pinlab.lab import asked, build, design, face
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.film import Film, Order
from pinlab.lab.film.races import PROGRESS, STOPPED, TOO_MANY, Search, why
from pinlab.lab.language.program import System
from pinlab.objectives.failures import FAILURES
from tests.lab.film.films import FIVE, film


def system(found: Film) -> System:
    it, trace = design.load(found.trace.design), found.trace
    where = asked.named(it, trace.scenario)
    judged = (trace.objective,) if trace.objective in where.judges else ()
    return build.system(it, where, face.probe(it).known, judged)


def said(found: Film) -> list[tuple[str, str]]:
    """The needed orders, as who does what before who does what."""
    assert found.why is not None
    steps = {step.number: f"{step.actor}: {step.source}" for step in found.trace.steps}
    return [(steps[it.before], steps[it.after]) for it in found.why.needed]


def test_buffers_of_a_pinned_page() -> None:
    """The pin is taken before the page is write-protected; its holder looks whether the page is
    dirty once it is clean. Nothing else of 34 steps has to be where it is."""
    protects = "reclaim: ptep_get_and_clear(vma.pte[page_index(page)])  # ptep_clear_flush"
    assert said(film(*FIVE[1])) == [
        ("driver: if READ_ONCE(vma.pte[index]) != pte:", protects),
        (
            "reclaim: if test_and_clear_bit(page.PG_dirty):",
            "driver: if holder_dirties(page) and not test_bit(page.PG_dirty):",
        ),
    ]


def test_an_order_may_matter_though_somebody_writes_in_between() -> None:
    """Fsync counts the page up itself between the pin and the detector's question."""
    assert said(film("skip", "I4", "direct-io-fsync")) == [
        (
            "read: pte = READ_ONCE(vma.pte[index])",
            "fsync: ptep_get_and_clear(vma.pte[page_index(page)])  # ptep_clear_flush",
        ),
        (
            "read: return atomic_add_unless(page._refcount, GUP_PIN_COUNTING_BIAS, 0)",
            "fsync: return atomic_read(page._refcount) >= GUP_PIN_COUNTING_BIAS",
        ),
    ]


def test_what_follows_from_another_order_is_not_told() -> None:
    """Each actor's own steps keep their order."""
    for which in FIVE:
        found = film(*which)
        assert found.why is not None
        actors = [step.actor for step in found.trace.steps]
        for one in found.why.needed:
            for other in found.why.needed:
                alike = actors[one.before - 1] == actors[other.before - 1]
                alike &= actors[one.after - 1] == actors[other.after - 1]
                looser = one.before <= other.before and other.after <= one.after
                assert one == other or not (alike and looser)


def test_a_torn_write_needs_its_store_behind_the_copy() -> None:
    assert said(film(*FIVE[0]))[-1] == (
        "fsync: image = 1 + READ_ONCE(page.data)",
        "device: WRITE_ONCE(page.data, DEVICE_DATA)",
    )


def test_the_last_chance_is_known() -> None:
    """From the frame before it somebody can finish without harm, and from that behind it nobody."""
    for which in FIVE:
        found = film(*which)
        assert found.why is not None and found.why.chance is not None
        good = [_ends_well(found, number) for number in (found.why.chance - 1, found.why.chance)]
        assert good == [True, False], which


def _ends_well(found: Film, number: int) -> bool:
    """Whether one can finish without the violation after so many steps: all states, by hand."""
    run, trace = Interpreter(system(found)), found.trace
    state, step = run.replay(trace.moves[:number])
    if step is not None and _violates(trace.objective, step):
        return False
    seen, todo = {state}, [state]
    while todo:
        state = todo.pop()
        if run.finished(state):
            return True
        for move in run.moves(state):
            after = run.step(state, move)
            if after.state is None or after.state in seen or _violates(trace.objective, after):
                continue
            seen.add(after.state)
            todo.append(after.state)
    return False


def _violates(objective: str, step: object) -> bool:
    failure = getattr(step, "failure", None)
    return objective in getattr(step, "violated", ()) or (
        failure is not None and FAILURES[failure.kind] == objective
    )


@pytest.mark.parametrize("which", FIVE, ids=" ".join)
def test_runs_at_random_agree(which: tuple[str, str, str]) -> None:
    """No run that has them the other way round violates the objective."""
    found = film(*which)
    assert found.why is not None and not found.why.unknown
    chance = random.Random(27)
    for order in found.why.needed:
        turned = Turned(found, order)
        assert not any(turned.run_violates(chance) for _ in range(100))


class Turned:
    """Runs that take the second step of an order before the first."""

    def __init__(self, found: Film, order: Order) -> None:
        moves = found.trace.moves
        self.objective = found.trace.objective
        self.run = run = Interpreter(system(found))
        self.start, _ = run.replay(moves[: order.before - 1])
        self.held, self.other = moves[order.before - 1].actor, moves[order.after - 1].actor
        before = [run.replay(moves[:number])[0] for number in range(order.after)]
        self.place = run.pc(before[-1], self.other)
        self.times = sum(
            moves[number].actor == self.other and run.pc(before[number], self.other) == self.place
            for number in range(order.before, order.after)
        )

    def run_violates(self, chance: random.Random) -> bool:
        """Whether one that is drawn at random violates the objective."""
        run, state, left = self.run, self.start, self.times
        while True:
            able = [it for it in run.moves(state) if left == 0 or it.actor != self.held]
            if not able:
                return False
            move = chance.choice(able)
            is_second = move.actor == self.other and run.pc(state, self.other) == self.place
            left -= left > 0 and is_second
            step = run.step(state, move)
            if _violates(self.objective, step):
                return True
            if step.state is None:
                return False
            state = step.state


@pytest.mark.slow
def test_of_a_weak_memory_model_a_store_counts_when_it_leaves_its_buffer() -> None:
    """GUP-fast looks at the entry again before the cleared one has left fsync's buffer; its own
    increment waits while the detector reads the count."""
    it = design.load("mapcount-v1")
    found = face.check(it, ("direct-io-fsync",), ("I13",), memory_model="arm64", ways=True)
    shown = face.film(it, found.ways[0].trace())
    orders = [(first.partition(": ")[2], names) for first, names in _first_and_cells(shown)]
    assert ("if READ_ONCE(vma.pte[index]) != pte:", ("Vma1.pte[0]",)) in orders
    assert not any(":" in name for _, names in orders for name in names)
    told = " ".join(note for step in shown.trace.steps for note in step.notes)
    assert "read's store is still in its buffer" in told


def _first_and_cells(found: Film) -> list[tuple[str, tuple[str, ...]]]:
    assert found.why is not None
    firsts = (first for first, _ in said(found))
    return list(zip(firsts, (it.cells for it in found.why.needed), strict=True))


def test_where_something_can_never_happen_no_order_is_asked_for() -> None:
    found = film("block", "I12", "longterm-fsync")
    assert found.why is not None and found.why.unknown == PROGRESS
    assert not found.why.needed and found.why.chance is None


def test_a_question_that_is_too_large_is_not_answered() -> None:
    """What was answered before stays; the last chance is not known."""
    found = film(*FIVE[0])
    it = why(system(found), found.trace, most=50)
    assert it.unknown == TOO_MANY and it.chance is None and it.states == 50
    assert found.why is not None
    assert set(it.needed) <= set(found.why.needed)


def test_a_search_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "ends_well", stop)
    found = film(*FIVE[0])
    whole = found.why
    stopped = why(system(found), found.trace)
    assert whole is not None
    assert (stopped.needed, stopped.free) == (whole.needed, whole.free)
    assert (stopped.chance, stopped.unknown) == (None, STOPPED)


def test_no_steps_no_orders() -> None:
    found = film(*FIVE[0])
    nothing = replace(found.trace, steps=(), moves=())
    assert why(system(found), nothing).needed == ()

"""What there is between the steps of a counterexample."""

from __future__ import annotations

import pytest

from pinlab.lab.film import COUNT, FLAG, LOCK, Film
from pinlab.lab.film.frames import listing
from tests.lab.film.films import FIVE, film


@pytest.fixture(params=FIVE, ids=" ".join)
def found(request: pytest.FixtureRequest) -> Film:
    return film(*request.param)


def test_a_frame_is_the_one_before_and_what_the_step_changes(found: Film) -> None:
    names = [cell.name for cell in found.cells]
    for step, before, after in zip(found.trace.steps, found.frames, found.frames[1:], strict=False):
        now = dict(zip(names, before.values, strict=True))
        for name, old, new in step.changes:
            assert now[name] == old
            now[name] = new
        assert tuple(now.values()) == after.values
        assert dict(step.reads).items() <= dict(zip(names, before.values, strict=True)).items()


def test_there_is_one_frame_more_than_steps(found: Film) -> None:
    assert len(found.frames) == len(found.trace.steps) + 1 == len(found.places) + 1


def test_each_line_is_in_its_function(found: Film) -> None:
    for step, place in zip(found.trace.steps, found.places, strict=True):
        there = found.listings[place]
        assert (there.function, there.file) == (step.function, step.file)
        assert there.lines[0].lstrip().startswith(f"def {step.function}(")
        assert there.lines[step.line - there.first].strip() == step.source


def test_all_of_a_page_is_drawn() -> None:
    kinds = {it.field: it.kind for it in film(*FIVE[0]).cells if it.owner == "Page1"}
    assert (kinds["_refcount"], kinds["_mapcount"]) == (COUNT, COUNT)
    assert (kinds["PG_dirty"], kinds["PG_locked"]) == (FLAG, LOCK)
    assert "data" in kinds and "PageBuddy" in kinds


def test_what_nobody_touches_is_not_drawn() -> None:
    names = {it.name for it in film(*FIVE[0]).cells}
    assert "disk[3]" not in names and "Page4.data" not in names and "Vma1.pte[1]" not in names


def test_who_waits_for_a_lock_is_told() -> None:
    """The driver cannot take the lock that reclaim has."""
    found = film("untracked", "I3", "put-dirty-reclaim")
    waits = [(n, it) for n, frame in enumerate(found.frames) for it in frame.waiting]
    assert waits
    for number, it in waits:
        values = dict(zip((c.name for c in found.cells), found.frames[number].values, strict=True))
        assert it.actor in found.trace.actors
        assert it.cells and all(values[name] != "free" for name in it.cells)


def test_the_automaton_is_told_where_it_stands() -> None:
    found = film(*FIVE[0])
    assert found.automaton is not None and found.page == 1
    told = [frame.automaton for frame in found.frames]
    assert told[0] == "idle" and told[-1] == "writing"
    step = told.index("writing")
    assert ("wb_start", 1) in found.trace.steps[step - 1].events


def test_a_function_that_is_gone_is_its_line() -> None:
    there = listing(__file__, "no_such_function", 1)
    assert there.lines == ('"""What there is between the steps of a counterexample."""',)

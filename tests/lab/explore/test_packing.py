"""Values survive packing; ranges hold what they promise."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pinlab.lab.explore.initial import pack
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.meaning import Failed
from pinlab.lab.explore.packing import WORD, layout
from pinlab.lab.explore.ranges import Ranges, TooWide
from pinlab.lab.explore.result import Move
from pinlab.lab.explore.squeeze import FROM_SHIFT, FROM_WORD, MASK, TO_SHIFT, TO_WORD, squeeze
from pinlab.lab.language.program import Check, Halt, System, Var

from .programs import actors, node, program
from .random_programs import systems


@st.composite
def variables(draw: st.DrawFn) -> tuple[Var, ...]:
    found = []
    for i in range(draw(st.integers(1, 8))):
        lo = draw(st.integers(-5, 5))
        span = draw(st.integers(0, 10) | st.integers(0, (1 << 62) - 1))
        found.append(Var(f"v{i}", lo, lo + span, draw(st.integers(1, 70))))
    return tuple(found)


@given(variables(), st.randoms(use_true_random=False))
def test_no_two_values_share_a_bit(shared: tuple[Var, ...], random: object) -> None:
    place = layout(program([node(to=Halt())], shared=shared))
    used: set[tuple[int, int]] = set()
    for field in place.vars:
        for i in range(field.length):
            word, shift = field.at(i)
            bits = {(word, shift + b) for b in range(field.width)}
            assert shift + field.width <= WORD
            assert 0 <= word < place.shared_words or not bits
            assert not bits & used
            used |= bits


@given(variables(), st.data())
def test_values_survive(shared: tuple[Var, ...], data: st.DataObject) -> None:
    values = {
        v.name: tuple(data.draw(st.integers(v.lo, v.hi)) for _ in range(v.length)) for v in shared
    }
    it = System(program([node(to=Halt())], shared=shared), actors(1), values)
    place = layout(it.program)
    run = Interpreter(it)
    words = pack(it, place, run.places.frames, run.initial())
    for v, field in zip(it.program.vars[1:], place.vars[1:], strict=True):
        assert tuple(field.get(words, i) for i in range(v.length)) == values[v.name]


@given(systems())
def test_squeezing_loses_nothing(it: System) -> None:
    """Every state that is reached comes back from its squeezed form."""
    run = Interpreter(it)
    place = layout(it.program)
    first = pack(it, place, run.places.frames, run.initial())
    how = squeeze(it, place, first)
    todo, seen = [run.initial()], {run.initial()}
    while todo and len(seen) < 50:
        state = todo.pop()
        words = pack(it, place, run.places.frames, state)
        small = [0] * how.words
        back = [int(word) for word in how.constant]
        for run_ in how.runs.tolist():
            mask = run_[MASK] % (1 << WORD)
            bits = int(words[run_[FROM_WORD]]) >> run_[FROM_SHIFT] & mask
            small[run_[TO_WORD]] |= bits << run_[TO_SHIFT]
            assert run_[TO_SHIFT] + mask.bit_length() <= WORD
            back[run_[FROM_WORD]] |= bits << run_[FROM_SHIFT]
        assert np.array_equal(np.array(back, np.uint64), words)
        stored = how.squeezed(np.array([words, words]))
        assert stored.tolist() == [small, small]
        assert np.array_equal(how.unsqueezed(stored), [words, words])
        for move in run.moves(state):
            after = run.step(state, move).state
            if after is not None and after not in seen:
                seen.add(after)
                todo.append(after)


@given(systems())
def test_values_lie_in_their_ranges(it: System) -> None:
    run = Interpreter(it)
    ranges = Ranges(layout(it.program), max(node.choices for node in it.program.nodes))
    state = list(run.initial())
    for n in it.program.nodes:
        for test in [op.test for op in n.ops if isinstance(op, Check)]:
            try:
                lo, hi = ranges.of(test)
            except TooWide:
                continue
            for actor in range(len(it.actors)):
                try:
                    work = run.work(state, Move(actor))
                    value = run.meanings.value(test)(work)
                except (Failed, KeyError):  # it fails, or the actor has no such slot
                    continue
                assert lo <= value <= hi

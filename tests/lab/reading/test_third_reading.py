"""The compiler keeps what Python itself reads in a source."""

from __future__ import annotations

import ast
import gc
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import hypothesis
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pinlab.lab.language import compile, kernel, lower
from pinlab.lab.language.blocks import Call, Fork, Jump, Return
from pinlab.lab.language.builder import Builder
from pinlab.lab.language.expressions import Expressions
from pinlab.lab.language.program import Check, Failure
from pinlab.lab.language.source import LanguageError
from pinlab.lab.language.values import Value
from tests.lab.reading import compare, primitives, source, state
from tests.lab.reading.random_sources import (
    RandomSource,
    designed_source,
    interrupted_source,
    random_source,
)
from tests.lab.reading.schedules import TooMany
from tests.lab.wrong_answers.test_dropped import _inline_as_it_was

FAST, FEW, CHUNK = 200, 70, 1_000
"""Sources: of the fast tests; of those with a design or a handler; of one slow test."""

SLOW, ALL = 7, 100
"""Slow tests: those that CI has time for, and all, which are 100,000 sources."""

SLOWLY = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)

NATIVE_EVERY = 40
"""One source in so many is given to the native explorer too: a new program takes it 50 ms."""


@pytest.fixture(autouse=True, scope="module")
def _collected_rarely() -> Iterator[None]:
    """Trees are many objects and hold no cycles: to look for some takes a quarter of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    yield
    gc.set_threshold(*before)


def compared(drawn: RandomSource, label: str = "") -> bool:
    """Compare one source; False if it was refused or is too large. Raises AssertionError."""
    try:
        compare.check(drawn, label)
    except (LanguageError, TooMany):
        return False
    return True


def sources(shrinking: bool) -> st.SearchStrategy[RandomSource]:
    """Sources of one or two threads. If one is to shrink until nothing more can be left out of a
    difference, every choice in it is one of hypothesis's, which takes as long as to compare it."""
    return st.builds(random_source, st.randoms(use_true_random=not shrinking), st.integers(1, 2))


def drawn_from(seed: int) -> RandomSource:
    return random_source(Random(seed), 1 + seed % 2)


# ---------------------------------------------------------------------------- the comparison


@settings(max_examples=FAST, deadline=None, derandomize=True, suppress_health_check=SLOWLY)
@given(sources(shrinking=True))
def test_the_compiler_keeps_what_python_reads(drawn: RandomSource) -> None:
    assume(compared(drawn))


@pytest.mark.parametrize(
    "chunk",
    [pytest.param(i, marks=pytest.mark.slow) for i in range(SLOW)]
    + [pytest.param(i, marks=pytest.mark.exhaustive) for i in range(SLOW, ALL)],
)
def test_the_compiler_keeps_what_python_reads_in_many(chunk: int) -> None:
    counts = Counter[bool]()

    @hypothesis.seed(chunk)
    @settings(max_examples=CHUNK, deadline=None, database=None, suppress_health_check=SLOWLY)
    @given(sources(shrinking=False))
    def keeps(drawn: RandomSource) -> None:
        done = compared(drawn)
        counts[done] += 1
        if done and counts[done] % NATIVE_EVERY == 0:
            compare.check_explorers(drawn)
        assume(done)

    keeps()
    print(f"seed {chunk}: {counts[True]} sources compared, {counts[False]} refused or too large")
    assert counts[True] >= CHUNK > 50 * counts[False], "too many sources are refused"


@pytest.mark.parametrize(
    "draw", [designed_source, pytest.param(interrupted_source, marks=pytest.mark.slow)]
)
def test_the_compiler_keeps_what_python_reads_with(draw: Callable[[Random], RandomSource]) -> None:
    count = sum(compared(draw(Random(seed)), f"seed {seed}") for seed in range(FEW))
    assert count >= FEW * 0.9, "too many sources are refused"
    for seed in range(0, FEW, NATIVE_EVERY):
        compare.check_explorers(draw(Random(seed)))


def test_both_explorers_find_the_same() -> None:
    for seed in range(0, FAST, NATIVE_EVERY):
        compare.check_explorers(drawn_from(seed))


# ------------------------------------------------------------------- what the sources contain

PRIMITIVES = {
    name
    for name, it in vars(kernel).items()
    if inspect.isfunction(it) and "_primitive(" in inspect.getsource(it) and name != "_primitive"
}


def test_the_reading_knows_every_primitive() -> None:
    known = [primitives.AT_ONCE, primitives.STEPS, primitives.WAITS]
    known += [primitives.REQUESTS, primitives.TWO_STEPS, primitives.NOW]
    assert {name for table in known for name in table} == PRIMITIVES


def test_random_sources_have_every_construct() -> None:
    seen: set[str] = set()
    for seed in range(FAST):
        for node in ast.walk(ast.parse(drawn_from(seed).functions)):
            name = node.func if isinstance(node, ast.Call) else None
            seen.add(name.id if isinstance(name, ast.Name) else type(node).__name__)
    assert seen >= PRIMITIVES | {"cast", "bool", "int"} | {it.__name__ for it in CONSTRUCTS}


CONSTRUCTS = (
    *(ast.If, ast.IfExp, ast.BoolOp, ast.And, ast.Or, ast.Not, ast.USub, ast.Compare, ast.Pass),
    *(ast.For, ast.While, ast.Break, ast.Continue, ast.Return, ast.Assert),
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Subscript, ast.Attribute),
    *(ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift),
    *(ast.BitAnd, ast.BitOr, ast.BitXor, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
    *(ast.Is, ast.IsNot),
)


# ------------------------------------------------------------------------- its independence

ALLOWED = {"pinlab.lab.language.kernel", "pinlab.lab.language.functions"}


@pytest.mark.parametrize("module", [source, state, primitives])
def test_the_reading_shares_the_declarations_with_the_compiler_and_nothing_else(
    module: object,
) -> None:
    file = Path(inspect.getfile(module))  # type: ignore[arg-type]
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    ours = {name for name in imported if name.startswith(("pinlab", "tests"))}
    here = {it.__name__ for it in (source, state, primitives)}
    assert ours <= ALLOWED | here


# -------------------------------------------------------------------- what it would have found


def first_difference(seeds: int) -> str:
    """What the comparison says of the first source with a difference; "" if there is none."""
    for seed in range(seeds):
        try:
            compared(drawn_from(seed), f"seed {seed}")
        except AssertionError as different:
            return str(different)
    return ""


def nothing(*arguments: object) -> None:
    """In the place of a check."""


def end_as_it_was(self: Builder, next_: Jump | Fork | Call | Return) -> None:
    if self.block.next is None:
        self.block.next = next_


def check_as_it_was(self: Builder, test: Value, kind: str, message: str) -> None:
    if test.constant is None or not test.constant:
        self.emit(Check(test.expr, Failure(kind, message)))


def with_calls(self: Expressions, node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) for inner in ast.walk(node))


ROW_1 = (
    (Expressions, "inline", _inline_as_it_was),
    (Builder, "must_be_open", nothing),
    (Builder, "end", end_as_it_was),
    (lower.Lowerer, "nothing_dropped", nothing),
    (compile, "check_locals", nothing),
)
"""A condition in a @pure function cuts off what follows its call."""

ROW_5 = ((lower, "_unread", lambda name, value: name),)
"""A local set by the primitive that reads it is set before it is read."""

ROW_6 = ((Expressions, "has_effects", with_calls),)
"""What a condition without calls need not look at is looked at."""

ROW_7 = ((Builder, "check", check_as_it_was),)
"""What is amiss in an awaited condition is looked for before the wait."""


@pytest.mark.parametrize("damage", [ROW_1, ROW_5, ROW_6, ROW_7], ids=["1", "5", "6", "7"])
def test_what_was_once_compiled_wrong_is_found(
    monkeypatch: pytest.MonkeyPatch, damage: tuple[tuple[object, str, object], ...]
) -> None:
    for where, name, damaged in damage:
        monkeypatch.setattr(where, name, damaged)
    assert "the compiler and Python disagree: seed" in first_difference(4 * FAST)

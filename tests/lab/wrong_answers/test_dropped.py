"""Code that was once cut off without a word: a broken design *held* because of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pinlab.lab.language.blocks import Block, Jump, Return
from pinlab.lab.language.builder import Builder, Malformed, Unit
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.expressions import Expressions, _Inline
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    KernelFunction,
    bounded,
    kernel,
    model_function,
    pure,
    u3,
    u5,
)
from pinlab.lab.language.program import Const, SetLocal
from pinlab.lab.language.source import LanguageError, source_of
from pinlab.lab.language.values import Value
from pinlab.lab.linux.types import pte_dirty, pte_write
from tests.lab.language.files import module_of
from tests.lab.language.solo import failures, outcomes, system

c = bounded(0, 7)
d = bounded(0, 7)
entry = bounded(0, 31)
out = bounded(0, 31)


# ------------------------------------------------- 1: a @pure body with "and" that contains a call


@pure
def is_one(a: int) -> bool:
    return a == 1


@pure
def both_one(a: int, b: int) -> bool:
    return is_one(a) and is_one(b)


@pure
def pick(a: int, b: int) -> int:
    return a if is_one(b) else b


@pure
def pte_clean_writable(pte: u5) -> bool:
    return pte_write(pte) and not pte_dirty(pte)


@kernel
def meets_a_bug() -> None:
    pte: u5 = READ_ONCE(entry)
    if pte_clean_writable(pte):
        WRITE_ONCE(out, 1)
    WRITE_ONCE(out, 2)
    assert READ_ONCE(out) == 3


@kernel
def goes_on_after_a_condition() -> None:
    a: u3 = READ_ONCE(c)
    if both_one(a, 1):
        WRITE_ONCE(out, 3)
    else:
        WRITE_ONCE(out, 4)
    WRITE_ONCE(d, 7)


@kernel
def goes_on_after_a_value() -> None:
    a: u3 = READ_ONCE(c)
    WRITE_ONCE(out, pick(6, a) + both_one(a, a))
    WRITE_ONCE(d, 7)


def test_1_what_follows_a_pure_condition_is_run() -> None:
    assert failures(system(meets_a_bug)) == {"bug"}


@pytest.mark.parametrize(("before", "first", "second"), [(0, 4, 0), (1, 3, 7), (2, 4, 2)])
def test_1_a_pure_function_with_a_condition_cuts_nothing_off(
    before: int, first: int, second: int
) -> None:
    one = system(goes_on_after_a_condition, c=before)
    two = system(goes_on_after_a_value, c=before)
    assert (outcomes(one, "out"), outcomes(one, "d")) == ({first}, {7})
    assert (outcomes(two, "out"), outcomes(two, "d")) == ({second}, {7})


def _inline_as_it_was(self: Expressions, node: ast.Call, function: KernelFunction) -> Value:
    source = source_of(function)
    body = source.tree.body[-1]
    assert isinstance(body, ast.Return)
    assert body.value is not None
    names = [parameter.arg for parameter in source.tree.args.args]
    values = dict(zip(names, map(self.expression, node.args), strict=True))
    return _Inline(self, source, values).expression(body.value)


@pytest.mark.parametrize("function", [meets_a_bug, goes_on_after_a_value])
def test_1_put_back_is_found_by_the_compiler_itself(
    monkeypatch: pytest.MonkeyPatch, function: KernelFunction
) -> None:
    monkeypatch.setattr(Expressions, "inline", _inline_as_it_was)
    with pytest.raises(Malformed, match=r"test_dropped.py:\d+: .* a block that ended"):
        compile_program([function])


# ------------------------------------------------------------------- what a pass may rely upon


def test_a_block_is_ended_once_and_takes_nothing_afterwards() -> None:
    builder = Builder(Unit({}), "f", source_of(model_function(meets_a_bug)), {}, {})
    builder.end(Return())
    with pytest.raises(Malformed, match="a second end"):
        builder.end(Jump(Block(1)))
    with pytest.raises(Malformed, match="something is added"):
        builder.emit(SetLocal(0, Const(1)))


HEAD = """from __future__ import annotations
from pinlab.lab.language.kernel import *
NEVER = False
c = bounded(0, 7)
out = bounded(0, 255)
@kernel
def f() -> None:
"""

DEAD = [
    "    return\n    WRITE_ONCE(c, 1)",
    "    while True:\n        break\n        WRITE_ONCE(c, 1)",
    "    while True:\n        continue\n        WRITE_ONCE(c, 1)",
    "    if READ_ONCE(c):\n        return\n    else:\n        return\n    WRITE_ONCE(c, 1)",
]


@pytest.mark.parametrize("body", DEAD)
def test_a_statement_that_is_never_reached_is_refused_with_its_line(
    tmp_path: Path, body: str
) -> None:
    module = module_of(tmp_path, HEAD + body)
    with pytest.raises(LanguageError, match="nothing ever comes here") as refused:
        compile_program([module.f])
    assert refused.value.line == (HEAD + body).count("\n") + 1


def test_what_a_test_decides_at_compile_time_is_left_out(tmp_path: Path) -> None:
    body = "    if NEVER:\n        WRITE_ONCE(c, 1)\n        return\n    WRITE_ONCE(out, 1)"
    assert outcomes(system(module_of(tmp_path, HEAD + body).f), "out") == {1}

"""Odd Python that was once read as something else, found by somebody who tried to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import design, face
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.source import LanguageError
from pinlab.lab.linux import types
from pinlab.lab.orders import _asking
from tests.lab.language.files import module_of
from tests.lab.language.solo import failures, outcomes, system

HEAD = """from __future__ import annotations
from pinlab.lab.language.kernel import *
from pinlab.lab.language import kernel as K
from pinlab.lab.language.kernel import atomic_dec as atomic_inc, atomic_inc as atomic_dec
c = bounded(0, 7)
ref = refcount(7)
limit = 0
@pure
def acts_first(n: u3) -> u3:
    atomic_inc(c)
    return n
@pure
def above(n: u3, *, limit: u3 = 3) -> bool:
    return n > limit
@kernel
def acts() -> None:
    WRITE_ONCE(c, acts_first(1))
@kernel
def keyword_only() -> None:
    WRITE_ONCE(c, above(1))
@kernel
def swapped() -> None:
    atomic_inc(c)
@kernel
def dotted() -> None:
    K.atomic_inc(c)
@kernel
def subtracts_less_than_nothing() -> None:
    atomic_sub(-1, ref)
"""


def test_the_first_statement_of_a_pure_function_is_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match="one `return` of an expression"):
        compile_program([module_of(tmp_path, HEAD).acts])


def test_a_pure_function_has_plain_parameters(tmp_path: Path) -> None:
    with pytest.raises(LanguageError, match="write plain parameters"):
        compile_program([module_of(tmp_path, HEAD).keyword_only])


def test_a_primitive_is_known_by_what_it_is_not_by_what_it_is_called(tmp_path: Path) -> None:
    module = module_of(tmp_path, HEAD)
    assert outcomes(system(module.swapped, c=3), "c") == {2}
    it = system(module.dotted, c=3)
    assert outcomes(it, "c") == {4}
    assert "atomic_inc" in {node.primitive for node in it.program.nodes}


def test_a_negative_amount_raises_no_reference_count(tmp_path: Path) -> None:
    assert failures(system(module_of(tmp_path, HEAD).subtracts_less_than_nothing)) == {"bug"}


def test_three_functions_of_one_name_are_three(tmp_path: Path) -> None:
    parts = [module_of(tmp_path, ONE.format(amount=n), f"m{n}") for n in (1, 2, 4)]
    for part in parts:
        part.step.__module__ = "the_same"
    module = module_of(tmp_path, ALL)
    vars(module).update({f"step{n}": part.step for n, part in zip((1, 2, 4), parts, strict=True)})
    assert outcomes(system(module.run), "total") == {7}


ONE = """from __future__ import annotations
from pinlab.lab.language.kernel import *
@kernel
def step() -> u3:
    return {amount}
"""
ALL = """from __future__ import annotations
from pinlab.lab.language.kernel import *
total = bounded(0, 31)
@kernel
def run() -> None:
    WRITE_ONCE(total, step1() + step2() + step4())
"""

DESIGN = '''"""odd: {what}"""

import functools

from pinlab.lab.language.kernel import *
from pinlab.lab.linux.types import Page

BASE = "bounce"

{text}
'''

ODD = {
    "another decorator": (
        "@functools.cache\n@kernel\ndef page_pinned(page: Page) -> bool:\n    return False",
        "@kernel stands alone",
    ),
    "in a class": (
        "class Mine:\n    @kernel\n    def page_pinned(page: Page) -> bool:\n        return False",
        r"Mine.page_pinned replaces nothing",
    ),
    "a plain function": ("def answer(page: Page) -> bool:\n    return False", "plain function"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_replaces_nothing_is_refused(tmp_path: Path, what: str) -> None:
    text, says = ODD[what]
    path = tmp_path / "odd.py"
    path.write_text(DESIGN.format(what=what, text=text))
    with pytest.raises(UsageError, match=says):
        design.load(str(path))


def test_who_asks_for_its_cpu_under_another_name_asks(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    text = (
        "from pinlab.lab.language import kernel as K\nwhere = K.smp_processor_id\n"
        "seen = array(7, 0, 1)\n\n\n@kernel\ndef mkclean_begin(page: Page) -> None:\n"
        "    WRITE_ONCE(seen[where()], 1)"
    )
    path.write_text(DESIGN.format(what="another name", text=text))
    assert _asking(design.load(str(path))) == {"mkclean_begin"}


def test_a_design_leaves_the_model_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(types.Page, "_refcount", types.Page._refcount)  # put back afterwards
    path = tmp_path / "odd.py"
    path.write_text(DESIGN.format(what="x", text="Page._refcount = atomic(-8, 31)"))
    with pytest.raises(UsageError, match="changes _refcount of Page: a design"):
        design.load(str(path))


def test_two_designs_of_one_name_are_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "bounce.py"
    path.write_text('"""bounce: another"""\nBASE = "untracked"\n')
    with pytest.raises(UsageError, match="two designs are called bounce"):
        face.compare((str(path), "bounce"))

"""What a designer may write by mistake is refused in a sentence, never in a traceback."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import design, face

HEAD = '''"""A design."""
from __future__ import annotations
from pinlab.lab.language.kernel import *
from pinlab.lab.linux import types
from pinlab.lab.linux.design import SKIP, WRITE
from pinlab.lab.linux.types import Page
BASE = "refcount-bias"
'''

WRITEBACK = """
@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    {}
    return SKIP
"""

MISTAKES = {
    "calls-itself": (
        "@pure\ndef twice(n: u3) -> u3:\n    return twice(n)\n"
        + WRITEBACK.format("x: u3 = twice(1)"),
        "twice calls itself",
    ),
    "is-true": (
        WRITEBACK.format("if sync is True:\n        return WRITE"),
        "write `==`: only NULL",
    ),
    "unknown-type": (WRITEBACK.format("x: types.Pgae = NULL"), "annotation: .*Pgae"),
    "index": (WRITEBACK.format("x: Page[0] = NULL"), "annotation: "),
    "division": (WRITEBACK.format("x: 1 / 0 = 1"), "annotation: division by zero"),
    "deep": (
        WRITEBACK.format(
            "if sync == 0:\n        pass\n"
            + "".join(f"    elif sync == {i}:\n        pass\n" for i in range(2_000))
        ),
        "nested too deeply",
    ),
    "kernel-twice": ("@kernel\n@kernel\ndef grab_page(p: Page) -> None: ...", "stands alone"),
    "kernel-of-class": ("@kernel\nclass A: ...", "stands alone above a plain `def`"),
    "text-as-bound": ("limit = bounded('0', 3)", "'0' is no bound"),
    "fraction-as-bound": ("limit = bounded(0, 1.5)", "1.5 is no bound"),
    "wide-bound": ("limit = bounded(0, 2**63)", "is no bound: write an integer of at most"),
    "bytes-as-text": ("mine = per_page(0, 1, bytes='4')", "bytes='4': write how many bytes"),
    "bytes-below-zero": ("mine = per_page(0, 1, bytes=-40)", "bytes=-40: write how many"),
    "base-of-a-number": ("BASE = 5", "BASE = 5: write the name of a design"),
    "base-of-a-list": ("BASE = ['skip']", "write the name of a design"),
    "base-of-itself": ("BASE = __file__", "BASE names this very file"),
    "exit": ("import sys\nsys.exit()", "cannot be imported: SystemExit"),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mistake.py"
    file.write_text(HEAD + text)
    with pytest.raises(UsageError, match=told):
        face.load_design(str(file))


def test_two_parameters_of_one_type_do_not_change_places(tmp_path: Path) -> None:
    file = tmp_path / "swapped.py"
    swapped = "@kernel\ndef mkclean_end(page: Page, cleaned: u3, mapped: u3) -> None:\n    pass\n"
    file.write_text(HEAD + swapped)
    with pytest.raises(UsageError, match=r"declared \(page: Page, mapped: u3, cleaned: u3"):
        face.load_design(str(file))


def test_a_file_name_may_have_a_plus_in_it(tmp_path: Path) -> None:
    file = tmp_path / "c++" / "mine.py"
    file.parent.mkdir()
    file.write_text(HEAD + WRITEBACK.format("pass"))
    assert design.load(str(file)).name == "mine"


@pytest.mark.parametrize(
    "data",
    [codecs.BOM_UTF8 + HEAD.encode(), b"# coding: latin-1\n# \xe9\n" + HEAD.encode()],
    ids=["a byte order mark", "Latin-1"],
)
def test_a_file_is_decoded_as_python_decodes_it(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(data + WRITEBACK.format("pass").encode())
    assert face.load_design(str(file)).own.keys() == {"writeback_pinned"}


@pytest.mark.parametrize(
    ("name", "told"), [("{}", "is a directory: give one .py file"), ("__init__", "no design")]
)
def test_what_is_no_design_is_said(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        design.load(name.format(tmp_path))


def test_a_nul_byte_is_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes(HEAD.encode() + b"\0")
    with pytest.raises(UsageError, match="contains a NUL byte"):
        design.load(str(file))


def test_bases_that_go_round_in_a_circle(tmp_path: Path) -> None:
    for name, base in (("one", "other"), ("other", "one")):
        head = HEAD.replace('"refcount-bias"', repr(str(tmp_path / f"{base}.py")))
        (tmp_path / f"{name}.py").write_text(head)
    with pytest.raises(UsageError, match=r"circle: .*one.py -> .*other.py -> .*one.py"):
        design.load(str(tmp_path / "one.py"))

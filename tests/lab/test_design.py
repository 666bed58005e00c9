"""Designs: found by place, loaded from anywhere, combined, and refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import design, face
from pinlab.lab.worlds import LINUX_4_20 as MODEL

K = "from pinlab.lab.language.kernel import *; from pinlab.lab.language.kernel import Annotated\n"
HEAD = "from pinlab.lab.language.kernel import *\nfrom pinlab.lab.linux.types import Page\n"


def test_every_design_of_the_package_loads_and_says_what_it_is() -> None:
    for name in design.names():
        it = design.load(name)
        assert it.summary.startswith(name), f"{name}: the docstring begins with the name"
        assert set(it.replaced) <= MODEL.functions.keys()


def test_detectors_come_before_policies() -> None:
    kinds = [design.load(name).kind for name in design.names()]
    assert kinds == sorted(kinds)
    assert {"detector", "policy"} == set(kinds)


def test_a_policy_has_the_hooks_of_the_detector_it_builds_on() -> None:
    bounce, bias = design.load("bounce"), design.load("refcount-bias")
    assert bounce.replaced["grab_page"] is bias.replaced["grab_page"]
    assert "writeback_pinned" in bounce.own


def test_a_policy_goes_with_any_detector() -> None:
    both = design.load("page-counter+bounce")
    assert both.replaced["grab_page"] is design.load("page-counter").replaced["grab_page"]
    assert both.replaced["writeback_pinned"] is design.load("bounce").replaced["writeback_pinned"]
    assert both.fields == design.load("page-counter").fields
    assert sum(both.fields.values()) > 0


@pytest.mark.parametrize("name", ["bounce+", "+bounce", "+"])
def test_a_combination_with_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"write a design on either side of each \+"):
        design.load(name)


def test_a_file_that_is_no_utf_8_is_refused_as_that(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(UsageError, match=r"latin\.py is not UTF-8 text"):
        design.load(str(tmp_path / "latin.py"))


def test_a_design_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my_design.py"
    path.write_text(
        f'"""my-design: says no."""\n{HEAD}@kernel\ndef page_pinned(page: Page) -> bool:\n'
        "    return False\n"
    )
    it = face.load_design(str(path))
    assert (it.name, it.kind, list(it.replaced)) == ("my-design", "detector", ["page_pinned"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def f(:\n", "syntax"),
        ("import nothing_of_this_name\n", "cannot be imported"),
        ("x = 1\n", "replaces no function of the model"),
        (f"{HEAD}@kernel\ndef page_pinned(page: Page) -> bool:\n    return [1]\n", "tuple"),
        (f"{HEAD}@kernel\ndef page_pinned(page) -> bool:\n    return True\n", "write it so"),
        (f"{HEAD}@kernel\ndef page_pinned() -> bool:\n    return True\n", "page_pinned"),
        (f"{HEAD}@kernel\ndef page_pinned(page: Page) -> None:\n    return\n", "page_pinned"),
        (
            f"{HEAD}@kernel\ndef page_pined(page: Page) -> bool:\n    return True\n"
            "@kernel\ndef release_page(page: Page) -> None:\n    return\n",
            "did you mean page_pinned?",
        ),
        (f'{HEAD}BASE = "nothing"\n', "there is no design"),
        (f"{K}pins = per_page(3, 1, 4)\n", "bad.py:2: no integer lies in [3, 1]: write the lower"),
        (f"{K}pins = bounded(3, 1)\n", "bad.py:2: no integer lies in [3, 1]"),
        (f"{K}pins = atomic(3, 1)\n", "bad.py:2: no integer lies in [3, 1]"),
        (f"{K}pins = refcount(-1)\n", "bad.py:2: no integer lies in [0, -1]"),
        (f"{K}u = Range(3, 1)\n", "bad.py:2: no integer lies in [3, 1]"),
        (f"{K}\npins = array(0, 0, 1)\n", "bad.py:3: an array of 0 elements"),
        (f"{K}pins = array(2, 1, 0)\n", "bad.py:2: no integer lies in [1, 0]"),
        (f"{K}class Box(Struct, count=0):\n    pass\n", "bad.py:2: Box has 0 instances"),
        (
            f"from __future__ import annotations\n{HEAD}{K}@kernel\n"
            "def page_pinned(page: Page) -> bool:\n    n: Annotated[int, Range(3, 1)] = 3\n"
            "    return n == 3\n",
            "annotation: no integer lies in [3, 1]",
        ),
        (
            f"from __future__ import annotations\n{HEAD}{K}@kernel\n"
            "def page_pinned(page: Annotated[int, Range(3, 1)]) -> bool:\n    return True\n",
            "annotation: no integer lies in [3, 1]",
        ),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, body: str, says: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(body)
    with pytest.raises(UsageError) as refused:
        face.load_design(str(path))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bouncy", "did you mean bounce?"),
        ("no/such/file.py", "there is no file"),
        ("refcount-bias+nothing", "there is no design"),
        ("", "there is no design"),
        ("..", "there is no design"),
    ],
)
def test_a_bad_name_is_refused_in_one_sentence(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        face.load_design(name)


def test_a_file_is_read_as_it_is_now_whatever_python_has_kept(tmp_path: Path) -> None:
    """Python's bytecode is told apart by the second and the size of its source."""
    path = tmp_path / "quick.py"
    text = f"{HEAD}@kernel\ndef page_pinned(page: Page) -> bool:\n    return {{}}\n"
    seen = []
    for value in ("True ", "False"):
        path.write_text(text.format(value))
        os.utime(path, (1, 1))
        done = subprocess.run(
            [sys.executable, "-c", SHOW_SOURCE, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        seen.append(done.stdout.strip())
    assert seen == ["True", "False"]
    assert not (tmp_path / "__pycache__").exists()


SHOW_SOURCE = """
import sys
from pinlab.lab import design
function = design.load(sys.argv[1]).replaced["page_pinned"].function
print(function.__code__.co_consts[-1])
"""

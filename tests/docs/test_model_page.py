"""docs/model-7.2.md says what the docstrings say, and each of them names what it stands for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tools import model_page

from pinlab.lab.catalogue import Described, described
from tests.audit.sources import unpacked

LAB = {"ghost", "device", "tasks"}
"""Files of the model that stand for none of the kernel."""


def test_the_page_is_what_the_docstrings_say() -> None:
    assert model_page.written() == model_page.generated(), "run python -m tools.model_page"


def test_every_function_names_the_kernels() -> None:
    without = [
        it.__name__
        for it, says in model_page.every()
        if it.role == "kernel" and it.__module__.rpartition(".")[2] not in LAB and not says.kernel
    ]
    assert not without, "begin the docstring with: path/file.c name(): ..."


def test_what_is_left_out_is_said_once_and_last() -> None:
    for it, says in model_page.every():
        text = f"{says.says} {says.left_out}".lower()
        assert "left out:" not in text, it.__name__


def test_a_docstring_is_read() -> None:
    found = described(
        """mm/swapfile.c folio_free_swap(), freeable(), mm/swap_state.c
        del(): out of it; folio_put() last. Left out:
        clusters; a full device.
        """
    )
    assert found == Described(
        (
            ("mm/swapfile.c", "folio_free_swap"),
            ("mm/swapfile.c", "freeable"),
            ("mm/swap_state.c", "del"),
        ),
        "out of it; folio_put() last",
        "clusters; a full device",
    )
    assert described("mm/gup.c gup_put_folio().").kernel == (("mm/gup.c", "gup_put_folio"),)
    assert described("fsync(2).") == Described((), "fsync(2)", "")


@pytest.mark.slow
def test_the_kernel_has_what_a_docstring_names(tmp_path: Path) -> None:
    named = sorted({each for _, says in model_page.every() for each in says.kernel})
    files = tuple(sorted({file for file, _ in named}))
    with unpacked("7.2", tmp_path, files) as root:
        text = {file: (root / file).read_text() for file in files}
    assert len(named) > 150
    for file, name in named:
        defined = rf"^#define {name}\(|^(?![\s#])[^;{{}}]*?\b{name}\s*\([^;{{}}]*\{{"
        assert re.search(defined, text[file], re.MULTILINE), f"{file} {name}"

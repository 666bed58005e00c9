"""How the source of a model function is found and read."""

from __future__ import annotations

import ast
import os
import runpy
from pathlib import Path

import pytest

from pinlab.lab.language.functions import BadDeclaration, KernelFunction, model_function
from pinlab.lab.language.source import LanguageError, source_of

TEXT = """\
from __future__ import annotations
from pinlab.lab.language.kernel import *

@kernel
def twice(n: u3) -> int:
    return n * {times}
"""


def read(file: Path, times: int) -> str:
    """What stands in the file's function, once the file has this content."""
    file.write_text(TEXT.format(times=times))
    os.utime(file, (times, times))
    (only,) = source_of(model_function(runpy.run_path(str(file))["twice"])).tree.body
    return ast.unparse(only)


def test_a_file_is_read_again_once_it_was_edited(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    assert [read(file, times) for times in (2, 3)] == ["return n * 2", "return n * 3"]


@pytest.mark.parametrize("it", [Path, lambda: None], ids=["class", "lambda"])
def test_only_a_plain_def_is_a_model_function(it: type) -> None:
    with pytest.raises((BadDeclaration, LanguageError), match="plain `def`"):
        source_of(KernelFunction(it, "kernel"))

"""The compiler keeps what Python's own reading of a source keeps."""

from __future__ import annotations

from random import Random

import pytest

from tests.lab.reading.compare import check
from tests.lab.reading.random_sources import random_source


@pytest.mark.parametrize("threads", [1, 2])
def test_python_reads_what_the_compiler_reads(threads: int) -> None:
    source = random_source(Random(threads), threads)
    check(source)

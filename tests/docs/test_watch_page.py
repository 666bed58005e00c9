"""The commands of docs/watch.md, run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.live.test_hold_command import COMMAND

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs" / "watch.md"
ENDLESS = {"watch": ["--for", "2"], "record": ["--for", "2"]}


def commands() -> list[list[str]]:
    return [
        shlex.split(line.removeprefix("# pinlab "))
        for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]


@pytest.mark.slow
def test_the_walk(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("the walk needs root")
    found = commands()
    assert [words[0] for words in found][:4] == ["witness", "watch", "record", "judge"]
    for words in found:
        extra = ENDLESS.get(words[0], [])
        done = subprocess.run(
            [*COMMAND, *words, *extra], capture_output=True, text=True, timeout=90, cwd=tmp_path
        )
        assert done.returncode in (0, 1, 3), (words, done.stderr)
        assert "Traceback" not in done.stderr
        if done.returncode == 3 and words[0] == "witness":
            pytest.skip(done.stderr)

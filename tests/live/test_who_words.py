"""What `pinlab who` says of targets of this machine that nobody pins, or that are not there."""

from __future__ import annotations

import pytest

from pinlab.cli._app import run
from pinlab.field.memory.live import LiveReader

pytestmark = pytest.mark.live
Capture = pytest.CaptureFixture[str]


def test_a_frame_behind_the_last_is_refused(live: LiveReader, capsys: Capture) -> None:
    end = live.ranges()[-1].end
    for frame in (end, 0xFFFFFFFFFF):
        assert run(["who", f"{frame:#x}"]) == 2
        said = capsys.readouterr()
        assert said.err == f"pinlab: there is no frame {frame:#x}: the last one is {end - 1:#x}\n"
    assert run(["who", f"{end - 1:#x}"]) != 2

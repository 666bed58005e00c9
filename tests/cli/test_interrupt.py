"""Ctrl-C ends a check or a comparison: what was found so far, status 3, no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WORDS = [sys.executable, "-c", "import sys; from pinlab.cli import main; sys.exit(main())"]


def test_ctrl_c_ends_a_comparison_and_all_its_workers() -> None:
    process = subprocess.Popen(
        [*WORDS, "compare"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text():  # until it has workers, which takes longer on a busy machine
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Stopped early: interrupted" in out
    assert "Traceback" not in err
    assert process.returncode == 3
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError("a worker is left")


def test_ctrl_c_ends_a_check_with_what_it_found() -> None:
    process = subprocess.Popen(
        [*WORDS, "check", "untracked", "--verbose", "--engine", "interpreter"],  # takes minutes
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("anon-fork  I5: violated in 46 steps")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "violated in 46 steps" in rows["I5"]
    assert "unknown: stopped: interrupted" in rows["I9"]  # its scenario was not begun
    assert "Stopped early: interrupted." in out
    assert "Traceback" not in err
    assert process.returncode == 3

"""Ctrl-C ends a comparison cleanly: the figures so far, status 3, no process left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

WORDS = [sys.executable, "-c", "import sys; from pinlab.cli import main; sys.exit(main())"]


def test_ctrl_c_ends_a_comparison_and_all_its_workers() -> None:
    process = subprocess.Popen(
        [*WORDS, "compare"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(2)  # long enough to be exploring, far too short to be done
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

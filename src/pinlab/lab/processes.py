"""Processes that work for a command, and the end of it by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children


@contextmanager
def ctrl_c_is_ours() -> Iterator[None]:
    """Processes started within the block never see Ctrl-C; this one sees it when the block ends.

    A worker that is hit before it has begun would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_workers() -> None:
    """End all that was started and still works."""
    for worker in active_children():
        worker.terminate()

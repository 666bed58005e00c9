"""Waiting until somebody says it is enough: Enter, Ctrl-C, SIGTERM, SIGHUP, or a time."""

from __future__ import annotations

import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Told(BaseException):
    """A signal said that it is enough. No Exception, so that nothing on the way takes it."""


@contextmanager
def signals() -> Iterator[None]:
    """Within the block SIGTERM, SIGHUP and Ctrl-C unwind it, once, and end it quietly."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        _ignore()
        raise Told

    before = [(number, signal.signal(number, stop)) for number in NUMBERS]
    try:
        yield
    except Told:
        return
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def asked_to_end(doing: str) -> Iterator[Callable[[], bool]]:
    """Within the block SIGTERM, SIGHUP and Ctrl-C interrupt nothing; it says whether one came.

    For what must not stop half way: records that were read and not yet judged would be lost. From
    when that is so is told on standard error, as a script has to know from when nothing is missed.
    """
    came = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True

    before = [(number, signal.signal(number, note)) for number in NUMBERS]
    try:
        print(f"pinlab: {doing}; Ctrl-C ends it", file=sys.stderr, flush=True)
        yield lambda: came
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _ignore() -> None:
    """From here on things are cleared away, which a second signal must not stop."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def until_told(seconds: float | None) -> None:
    """Wait for Enter on standard input, or for `seconds`; afterwards signals are ignored.

    The end of the input is not Enter: somebody started us with it closed.
    """
    _wait(seconds)
    _ignore()


def _wait(seconds: float | None) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        with suppress(OSError, ValueError):  # a file or /dev/null: nobody will press Enter
            selector.register(sys.stdin, selectors.EVENT_READ)
        while deadline is None or time.monotonic() < deadline:
            left = None if deadline is None else deadline - time.monotonic()
            if not selector.get_map():
                time.sleep(3600 if left is None else max(left, 0))
            elif selector.select(left):
                if sys.stdin.readline():
                    return
                selector.unregister(sys.stdin)

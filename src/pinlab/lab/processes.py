"""Processes that work for a command, and the end of it by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any, Final, TypeVar

from pinlab.garbage import uncollected

T = TypeVar("T")
R = TypeVar("R")

LOOK: Final = 0.2
"""Seconds after which Ctrl-C is looked for, at the latest."""


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


_work: Callable[[Any], Any] | None = None
_items: Sequence[Any] = ()


def in_processes(
    work: Callable[[T], R], items: Sequence[T], jobs: int, chunk: int = 1
) -> Generator[R, None, None]:
    """What `work` gives for each item, in their order. The processes have both by being forked:
    functions of the model cannot be sent to them. Closed, or left by Ctrl-C, it ends them."""
    global _work, _items
    if not items:
        return
    _work, _items = work, items
    count = len(items)
    chunks = [range(at, min(at + chunk, count)) for at in range(0, count, chunk)]
    with ProcessPoolExecutor(min(jobs, len(chunks)), get_context("fork")) as pool:
        try:
            with ctrl_c_is_ours():
                futures = [pool.submit(_done, each) for each in chunks]
            for future in futures:
                yield from future.result()
        except BaseException:  # Ctrl-C, here or in who asks
            pool.shutdown(wait=False, cancel_futures=True)
            end_workers()
            raise


def as_finished(
    work: Callable[[T], R], items: Sequence[T], jobs: int
) -> Generator[tuple[int, R], None, None]:
    """The same, as each is finished: the number of the item, and what `work` gives for it."""
    global _work, _items
    _work, _items = work, items
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        try:
            with ctrl_c_is_ours():
                numbers = range(len(items))
                pending = {pool.submit(_done, range(at, at + 1)): at for at in numbers}
            while pending:
                ready, _ = wait(pending, timeout=LOOK, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield pending.pop(future), future.result()[0]
        except BaseException:  # Ctrl-C, here or in who asks
            pool.shutdown(wait=False, cancel_futures=True)
            end_workers()
            raise


@uncollected()
def _done(numbers: range) -> list[Any]:
    assert _work is not None
    return [_work(_items[number]) for number in numbers]

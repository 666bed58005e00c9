"""The Ray cluster that a command works on, if it is asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pinlab.cli._extras import lacking
from pinlab.cli._lab import lab
from pinlab.errors import UsageError


@contextmanager
def cluster(command: str, address: str | None, jobs: int | None) -> Iterator[Any]:
    """The cluster at an address; None if none is asked for. Raises UsageError."""
    if address is None:
        yield None
        return
    if jobs is not None:
        raise UsageError(
            "--jobs is for this machine and --ray for a cluster: leave one of them out"
        )
    with ExitStack() as ending:
        try:
            there = ending.enter_context(lab().cluster(address))
        except ModuleNotFoundError as error:
            if (sentence := lacking(f"{command} --ray", error)) is None:
                raise
            raise sentence from None
        yield there

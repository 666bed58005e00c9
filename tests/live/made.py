"""Every kind of holder that a small program can make here, and what should be found of it.

The table of docs/holders.md (`python -m tools.holders_page`) and the live tests are made of this.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from pinlab.field.holders.claim import Claim
from tests.live.throttle import throttled


@dataclass(frozen=True, slots=True)
class Program:
    """A way to hold pages."""

    module: str
    """Of tests/live/programs/."""
    way: str
    what: str
    """In words, for the table."""
    kind: str
    detail: str
    """How the claims on it begin: the walker, and which of several."""
    counted_as: str
    """`pins`, `references` or `nothing`."""
    mapped: str = "there"
    """What should be said of its memory; empty: nothing is sure."""
    within: Callable[[], AbstractContextManager[list[str]]] = lambda: nullcontext([])
    """What must be there meanwhile, and the arguments that tell of it."""


PROGRAMS = (
    Program("rings", "no_mmap", "rings in memory of the process", "io_uring", "", "pins"),
    Program("rings", "provided", "a ring of provided buffers", "io_uring", "provided", "pins"),
    Program("rings", "region", "a region for waiting", "io_uring", "waiting region", "pins"),
    Program("rings", "request", "a buffer only a request has", "io_uring", "buffer of", "pins"),
    Program("rings", "ring_fd", "a ring without descriptor", "io_uring", "buffer", "pins"),
    Program("rings", "mapped", "a ring that is only mapped", "io_uring", "buffer", "pins"),
    Program("direct", "read", "a read a cgroup throttles", "bio", "READ", "pins", within=throttled),
    Program(
        "direct",
        "fixed",
        "a buffer only direct I/O has",
        "io_uring",
        "buffer of",
        "pins",
        within=throttled,
    ),
    Program("rings", "in_flight", "a pipe in a message unread", "pipe", "vms", "references"),
    Program("rings", "file_table", "a pipe in a ring's file table", "pipe", "vms", "references"),
    Program("sockets", "zero_copy", "MSG_ZEROCOPY", "socket", "zero-copy send", "references", ""),
    Program("sockets", "send_file", "sendfile to a socket", "socket", "splice", "references", ""),
    Program("aio", "ring", "a ring of io_setup", "aio", "ring", "references"),
    Program("aio", "moved", "such a ring after mremap", "aio", "ring", "references"),
    Program("aio", "unmapped", "such a ring after munmap", "aio", "ring", "references", "unmapped"),
    Program("moving", "dropped", "MADV_DONTNEED, then used", "io_uring", "buffer", "pins", "stale"),
    Program("moving", "partly", "MADV_DONTNEED of a page", "io_uring", "buffer", "pins", "stale"),
    Program("moving", "moved", "mremap", "io_uring", "buffer", "pins", "elsewhere"),
    Program("moving", "unmapped", "munmap", "io_uring", "buffer", "pins", "unmapped"),
    Program("moving", "orphaned", "fork; the parent ended", "io_uring", "buffer", "pins", "stale"),
    Program("moving", "inherited", "a parent's ring", "io_uring", "buffer", "pins"),
)

OWN = (
    Program("own", "perf", "the buffer of a perf event", "", "", "nothing"),
    Program("own", "packet", "the rings of a packet socket", "", "", "nothing"),
)
"""What maps the kernel's own pages and holds nothing."""


@dataclass(frozen=True, slots=True)
class Made:
    """A program that holds."""

    pid: int
    count: int
    """How often pages should be held; 0: as often as their counts say."""


@contextmanager
def running(program: Program, *before: str) -> Iterator[Made]:
    """The program, started by the command `before`, while it holds. Raises RuntimeError with what
    it said if it does not."""
    module = f"tests.live.programs.{program.module}"
    pipe = subprocess.PIPE
    # A program whose I/O is held back ends only when it is let through.
    with ExitStack() as ended, program.within() as arguments:
        words = [*before, sys.executable, "-m", module, program.way, *arguments]
        child = ended.enter_context(subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True))
        try:
            assert child.stdout is not None and child.stderr is not None
            line = child.stdout.readline()
            if not line:
                raise RuntimeError(child.stderr.read().strip().splitlines()[-1])
            told = json.loads(line)
            yield Made(told["pid"], told["count"])
        finally:
            child.kill()


def of(claims: Iterable[Claim], program: Program, made: Made) -> list[Claim]:
    """The claims that are a program's."""
    return [
        claim
        for claim in claims
        if claim.kind == program.kind
        and claim.detail.startswith(program.detail)
        and any(owner.pid == made.pid for owner in claim.owners)
    ]

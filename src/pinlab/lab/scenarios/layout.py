"""The initial states of the first scenarios, by the names that they had before there were words."""

from __future__ import annotations

from pinlab.lab.scenarios.state import Initial, state


def file_mapped(*, second_mapping: bool = False, pages: int = 1) -> Initial:
    """A file with one or two dirty pages, mapped writable by the first process and, if asked for,
    by the second one too. The disk still has the old data."""
    two, rw2 = "+two" if pages == 2 else "", "+rw2" if second_mapping else ""
    return dict(state(f"dirty+buffers{two} rw{rw2}").values)


def with_private() -> Initial:
    """The first process also has page 0 of the file in a private mapping, read-only."""
    return dict(state("dirty+buffers rw+private").values)


def anonymous(*, child: bool = False) -> Initial:
    """One anonymous page, frame 3, mapped writable by the first process or, after a fork, read-only
    by both. Frame 4 is free."""
    return dict(state("anon+forked" if child else "anon").values)


def dax_file() -> Initial:
    """A file of one DAX page, mapped by the first process: one reference, no mapcount."""
    return dict(state("dax rw").values)

"""What an audit hands out: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pinlab.audit.api import Family
from pinlab.audit.era import Era


class Verdict(StrEnum):
    """What is known of a site, or of one path on which it lets go."""

    wrong = "wrong"
    """Let go by the rules of another family than it was taken by."""
    unknown = "unknown"
    """Nobody was seen to let go of what is kept, or who it was cannot be told."""
    unconverted = "unconverted"
    """A plain reference, let go as one: legal, and invisible to folio_maybe_dma_pinned()."""
    by_flag = "by flag"
    """Both families, chosen at run time."""
    caller = "caller"
    """A wrapper that hands the pages to its caller: judged there."""
    nothing_held = "nothing held"
    """It asks for no reference, or for memory that is not a user's."""
    right = "right"
    """Taken and let go by one family, FOLL_PIN."""


class Dirtying(StrEnum):
    """How a path tells the file system that its pages were written."""

    locked = "locked"
    """By a function that takes the page lock itself."""
    lock_seen = "lock seen"
    """By set_page_dirty() or the like, in a function that takes the page lock."""
    lock_not_seen = "lock not seen"
    """By set_page_dirty() or the like, in a function that does not; its caller may."""
    raw = "raw flag"
    """By PG_dirty alone: no tag in the mapping, no buffers."""
    by_flag = "by flag"
    """By an argument that says at run time whether."""
    never = "not seen"


class Moment(StrEnum):
    """When a path dirties, seen from its release."""

    before = "before the release"
    with_it = "with the release"
    after = "after the release"
    elsewhere = "in another function"


@dataclass(frozen=True, slots=True)
class Dirtied:
    """A place where pages of a site are dirtied."""

    file: str
    function: str
    line: int
    call: str
    how: Dirtying
    moment: Moment


@dataclass(frozen=True, slots=True)
class Path:
    """One release that pages of a site come to."""

    file: str
    function: str
    line: int
    release: str
    family: Family
    verdict: Verdict
    when: str
    """The conditions around it, as they are written; "" if there is none."""
    by_way_of: tuple[str, ...]
    """What the pages went through on the way, as `structure.member` or a function's name."""
    dirty: Dirtied | None


class Rule(StrEnum):
    """What a site breaks beside the family of its release; the value names the rule for tools."""

    no_lock = "dirty-without-lock"
    after = "dirty-after-release"
    never = "never-dirty"
    raw = "dirty-by-raw-flag"
    long_lived = "long-lived-without-longterm"
    longterm_get = "longterm-without-pin"


RULES: dict[Rule, str] = {
    Rule.no_lock: (
        "set_page_dirty() wants the page lock, or the file's buffers may be freed under it; "
        "set_page_dirty_lock() takes it (mm/page-writeback.c)"
    ),
    Rule.after: (
        "a page is dirtied while it is pinned: after the release it may have been written back, "
        "truncated or reused (Documentation/core-api/pin_user_pages.rst)"
    ),
    Rule.never: (
        "whoever lets a device write a page dirties it before the release, or reclaim drops what "
        "was written (Documentation/core-api/pin_user_pages.rst)"
    ),
    Rule.raw: (
        "PG_dirty alone tells neither the mapping's tags nor the file system's buffers, so "
        "writeback does not find the page (mm/page-writeback.c)"
    ),
    Rule.long_lived: (
        "pages kept beyond a system call are taken with FOLL_LONGTERM, or they stay in CMA, "
        "ZONE_MOVABLE and DAX files (Documentation/core-api/pin_user_pages.rst)"
    ),
    Rule.longterm_get: (
        "FOLL_LONGTERM is for pins only (mm/gup.c; 447f3e45c18a forbids it for FOLL_GET)"
    ),
}
"""The kernel's rule that each hazard breaks."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """A rule that a site breaks, and where."""

    rule: Rule
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Site:
    """A call that acquires."""

    file: str
    function: str
    line: int
    call: str
    family: Family
    flags: tuple[str, ...]
    """As resolved; `~FOLL_WRITE` where it depends, `?` where something stays unknown."""
    pages: str
    """The argument that receives them, as it is written."""
    verdict: Verdict
    why: str
    paths: tuple[Path, ...]
    hazards: tuple[Hazard, ...]
    dirty: Dirtying
    """The worst that was seen on any path."""

    @property
    def subsystem(self) -> str:
        """The folder, two levels deep at most."""
        return "/".join(self.file.split("/")[:-1][:2])


@dataclass(frozen=True, slots=True)
class Orphan:
    """A release of pages that no site of the tree was seen to lead to, in a folder that pins."""

    file: str
    function: str
    line: int
    release: str
    dirtied: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything about a tree."""

    tree: str
    release: str
    """VERSION.PATCHLEVEL.SUBLEVEL of its Makefile; "" if it has none."""
    era: Era
    files: int
    parsed: int
    left_out: Mapping[str, int]
    sites: tuple[Site, ...]
    orphans: tuple[Orphan, ...]
    notes: tuple[str, ...]
    """What of the tree was not there that verdicts ask for."""

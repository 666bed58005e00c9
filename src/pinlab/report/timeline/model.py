"""What a timeline is made of: tracks, and spans, marks and samples on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pinlab.objectives.verdict import Verdict

Args = Mapping[str, str | int | bool]

IO = "I/O"
"""The argument of an event that names the track of its I/O."""


class Group(StrEnum):
    """What a track stands for."""

    FOLIO = "folio"
    IO = "I/O"


class Kind(StrEnum):
    """What a span shows."""

    PIN = "pin"
    WRITEBACK = "writeback"
    DIRTY = "dirty"


class MarkKind(StrEnum):
    """What a mark shows: an event that takes no time, events lost, or a violation."""

    EVENT = "event"
    LOST = "lost"
    VIOLATION = "violation"


@dataclass(frozen=True, slots=True)
class Track:
    """A row of the picture. `inode` is the file of a folio that has one."""

    name: str
    group: Group
    detail: str = ""
    inode: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasts, from `start` to `end` in nanoseconds.

    `lane` keeps spans of one track that overlap apart. `cut` says which end the recording does
    not have: "start", "end" or nothing.
    """

    track: int
    kind: Kind
    name: str
    start: int
    end: int
    args: Args = field(default_factory=dict)
    lane: int = 0
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens at one instant. `track` is None if it concerns all.

    `ios` are the tracks of the I/O that took part in a violation.
    """

    track: int | None
    kind: MarkKind
    name: str
    at: int
    args: Args = field(default_factory=dict)
    ios: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """How many pins a folio had from `at` on."""

    track: int
    at: int
    pins: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A judged violation: the row of the recording that completes it, and what it breaks.

    `evidence` are the rows that make it up.
    """

    row: int
    objective: str
    claim: str = ""
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """A picture of events, in the order of time. Times are nanoseconds since `start`.

    `notes` is what a reader must know: events lost, spans whose ends are not in the recording.
    `verdicts` are objectives by name and what was judged of them: no mark is not yet *holds*.
    """

    title: str
    tracks: tuple[Track, ...]
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    samples: tuple[Sample, ...]
    length: int
    events: int
    start: int = 0
    notes: tuple[str, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def violations(self) -> tuple[Mark, ...]:
        """The marks of violations."""
        return tuple(mark for mark in self.marks if mark.kind is MarkKind.VIOLATION)

    @property
    def accused(self) -> frozenset[int]:
        """The tracks of folios with violations, and of the I/O that took part in these."""
        found = {mark.track for mark in self.violations if mark.track is not None}
        return frozenset(found.union(*(mark.ios for mark in self.violations)))

    def keep(self, tracks: Sequence[int]) -> Timeline:
        """Only these tracks, in this order, with what is on them and what concerns all."""
        new = {old: number for number, old in enumerate(tracks)}
        return replace(
            self,
            tracks=tuple(self.tracks[track] for track in tracks),
            spans=tuple(replace(s, track=new[s.track]) for s in self.spans if s.track in new),
            samples=tuple(replace(s, track=new[s.track]) for s in self.samples if s.track in new),
            marks=tuple(_moved(m, new) for m in self.marks if m.track is None or m.track in new),
        )


def _moved(mark: Mark, new: Mapping[int, int]) -> Mark:
    track = None if mark.track is None else new[mark.track]
    return replace(mark, track=track, ios=tuple(new[io] for io in mark.ios if io in new))

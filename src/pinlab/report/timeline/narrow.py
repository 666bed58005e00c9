"""Less of a timeline: one file, or as much as a page can hold. What is left out is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pinlab.errors import UsageError
from pinlab.report.timeline.model import IO, Group, Mark, Sample, Span, Timeline

MOST = 250_000
"""Spans, marks and samples of a page: some 50 MB, which a browser opens in two seconds."""


def of_inode(timeline: Timeline, inode: int) -> Timeline:
    """Only the folios of one file, and the I/O that they are part of. Raises UsageError."""
    folios = {number for number, track in enumerate(timeline.tracks) if track.inode == inode}
    if not folios:
        raise UsageError(f"{timeline.title} has no folio of inode {inode}")
    shown: list[Span | Mark] = [*timeline.spans, *timeline.marks]
    ios = {each.args.get(IO) for each in shown if each.track in folios}
    part = {n for n, t in enumerate(timeline.tracks) if t.group is Group.IO and t.name in ios}
    note = f"only folios of inode {inode} and their I/O are drawn"
    if elsewhere := sum(mark.track not in folios for mark in timeline.violations):
        note += f"; {elsewhere:,} of the violations are elsewhere"
    return _keep(timeline, folios | part, note)


def at_most(timeline: Timeline, most: int = MOST) -> Timeline:
    """All that is accused, and of the other tracks, in their order, those that fit.

    A track is there whole or not at all, so that nothing on it is missing.
    """
    things: list[Span | Mark | Sample] = [*timeline.spans, *timeline.marks, *timeline.samples]
    weights = Counter(each.track for each in things)
    kept = set(timeline.accused)
    room = most - sum(weights[track] for track in kept)
    for track in range(len(timeline.tracks)):
        if track not in kept and weights[track] <= room:
            kept.add(track)
            room -= weights[track]
    missing = len(timeline.tracks) - len(kept)
    if not missing:
        return timeline
    return _keep(
        timeline,
        kept,
        f"{missing:,} of {len(timeline.tracks):,} tracks are left out, which are too many for a "
        "page; no violation is on them (--inode shows those of one file, the .json has all)",
    )


def _keep(timeline: Timeline, tracks: set[int], note: str) -> Timeline:
    return replace(timeline.keep(sorted(tracks)), notes=(*timeline.notes, note))

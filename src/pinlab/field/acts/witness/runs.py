"""A scene played many times on one file system, and how often each thing was seen.

A new file for each run. What is counted is chance, and different on another machine: it is
reported and nothing is concluded from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.witness.evidence import Look, Moment
from pinlab.field.acts.witness.scene import Hazard, Scene, covers, play
from pinlab.field.acts.witness.scratch import scratch
from pinlab.field.errors import FieldError
from pinlab.objectives.events import Event

FRAMES = 6
"""Functions of a stack that tell one way from another."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What was there at one moment of the scene: in how many of `runs` runs."""

    moment: Moment
    runs: int
    dirty: int
    """Runs in which a page was PG_dirty."""
    differing: int
    """Runs in which the disk had other bytes of a page than memory."""


@dataclass(frozen=True, slots=True, order=True)
class Course:
    """What the second fsync did to a page, by the events between the looks around it."""

    redirtied: int
    """How often the page was made dirty."""
    written: int
    """How often its writeback was begun."""
    kept: bool
    """Whether the disk had what was in memory then, and the page was clean."""
    by: tuple[str, ...]
    """The ways on which it was made dirty, each from the innermost function outwards."""


@dataclass(slots=True)
class Series:
    """The runs that were played to their end."""

    hazard: Hazard
    file_system: FileSystem
    control: bool
    asked: int
    scenes: list[Scene] = field(default_factory=list)
    ended: str = ""
    """Why there are fewer runs than were asked for."""

    @property
    def reproduced(self) -> int:
        """Runs in which the hazard was seen."""
        return sum(scene.reproduced for scene in self.scenes)

    @property
    def broken(self) -> int:
        """Runs in which an fsync returned 0 and a page was dirty or not on the disk."""
        return sum(bool(scene.broken) for scene in self.scenes)

    @property
    def rates(self) -> list[Rate]:
        """What was there, moment by moment."""
        looks: dict[Moment, list[Look]] = {}
        for scene in self.scenes:
            for moment, look in scene.looks.items():
                looks.setdefault(moment, []).append(look)
        return [
            Rate(
                moment,
                len(each),
                sum(bool(look.dirty) for look in each),
                sum(bool(look.differing) for look in each),
            )
            for moment, each in looks.items()
        ]

    @property
    def courses(self) -> Counter[Course]:
        """How many pages of all runs each course was taken with."""
        return Counter(course for scene in self.scenes for course in _courses(scene))

    @property
    def shown(self) -> int:
        """The run that shows most: a broken fsync, else the hazard, else the first; from 0."""
        for number, scene in enumerate(self.scenes):
            if scene.broken:
                return number
        return next((n for n, scene in enumerate(self.scenes) if scene.reproduced), 0)


def _courses(scene: Scene) -> Iterator[Course]:
    look = scene.looks.get(Moment.SECOND_FSYNC)
    if look is None:
        return
    assert scene.meta is not None
    stacks = scene.meta.stacks
    rows = scene.during(look.moment)
    for page in look.pages:
        ours = [row for row in rows if covers(row, page.pfn)]
        seen = Counter(row.kind for row in ours)
        dirtied = [row.stack_id for row in ours if row.kind is Event.DIRTY]
        ways = {" < ".join(stacks[each][:FRAMES]) for each in dirtied if each is not None}
        counts = seen[Event.DIRTY], seen[Event.WRITEBACK_START]
        yield Course(*counts, page.kept, tuple(sorted(ways)))


def repeat(series: Series) -> Generator[Scene]:
    """Play what is asked for; each run as it is over, when `series` has it.

    Raises FieldError if not even one can be played; a later failure ends the series.
    """
    try:
        with scratch(series.file_system) as disk:
            for _ in range(series.asked):
                scene = play(series.hazard, disk, control=series.control)
                series.scenes.append(scene)
                yield scene
    except (FieldError, OSError) as error:
        series.ended = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if not series.scenes:
            where = f"{series.hazard} cannot be shown on {series.file_system}"
            raise FieldError(f"{where}: {series.ended}") from error

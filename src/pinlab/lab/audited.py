"""An audit that knows whether it was asked, and of what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from pinlab.lab.explore.result import Audit

LENGTH = 12
"""Of what tells two states apart: of a million states two are alike once in five hundred times."""

Values = Mapping[str, Sequence[int]]


class Audited:
    """An audit that remembers of which states it was asked. Where nobody ever finishes nothing can
    be said; and who ends otherwise does something else.

    `start` is what the scenario begins with: an end is told by what is otherwise then, so that it
    is the same whatever else a program declares. `about` tells the audit from any other one; empty
    if nothing does.
    """

    def __init__(self, audit: Audit, start: Values, about: str = "") -> None:
        self.audit = audit
        self.start = start
        self.about = about
        self._ends: set[str] = set()

    def __call__(self, values: Values) -> Iterable[str]:
        """What is wrong in a state at rest."""
        now = {name: [int(it) for it in values[name]] for name in sorted(values)}
        said = [(name, it) for name, it in now.items() if it != self._began(name, len(it))]
        self._ends.add(hashlib.sha256(repr(said).encode()).hexdigest()[:LENGTH])
        return self.audit(values)

    def _began(self, name: str, length: int) -> list[int]:
        return list(self.start.get(name, [0] * length))

    @property
    def was_asked(self) -> bool:
        """Whether any state was at rest."""
        return bool(self._ends)

    @property
    def ends(self) -> frozenset[str]:
        """What tells each of the states at rest from any other one."""
        return frozenset(self._ends)

    def remember(self, ends: Iterable[str]) -> None:
        """It was asked before, of these states."""
        self._ends = set(ends)

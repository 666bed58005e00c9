"""An audit that knows whether it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pinlab.lab.explore.result import Audit

Values = Mapping[str, Sequence[int]]


class Audited:
    """An audit that knows whether it was ever asked: of a scenario in which nobody ever finishes
    nothing can be said. `about` tells it from any other one; empty if nothing does."""

    def __init__(self, audit: Audit, about: str = "") -> None:
        self.audit = audit
        self.about = about
        self.was_asked = False

    def __call__(self, values: Values) -> Iterable[str]:
        """What is wrong in a state at rest."""
        self.was_asked = True
        return self.audit(values)

"""An audit that knows whether it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pinlab.lab.explore.result import Audit

Values = Mapping[str, Sequence[int]]


class Audited:
    """An audit that knows whether it was ever asked: of a scenario in which nobody ever finishes
    nothing can be said."""

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.was_asked = False

    def __call__(self, values: Values) -> Iterable[str]:
        """What is wrong in a state at rest."""
        self.was_asked = True
        return self.audit(values)

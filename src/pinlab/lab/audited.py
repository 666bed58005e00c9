"""An audit that knows whether it was asked, and of what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from pinlab.lab.explore.result import Audit

Values = Mapping[str, Sequence[int]]


class Audited:
    """An audit that remembers of which states it was asked. Where nobody ever finishes nothing can
    be said; and who ends otherwise does something else.

    `about` tells it from any other audit; empty if nothing does.
    """

    def __init__(self, audit: Audit, about: str = "") -> None:
        self.audit = audit
        self.about = about
        self._asked: set[bytes] = set()
        self._ends: str | None = None

    def __call__(self, values: Values) -> Iterable[str]:
        """What is wrong in a state at rest."""
        said = repr([(name, [int(it) for it in values[name]]) for name in sorted(values)])
        self._asked.add(hashlib.sha256(said.encode()).digest()[:16])
        return self.audit(values)

    @property
    def was_asked(self) -> bool:
        """Whether any state was at rest."""
        return bool(self.ends)

    @property
    def ends(self) -> str:
        """What tells the states at rest of one exploration from those of another; empty if there
        were none."""
        if self._ends is not None:
            return self._ends
        return hashlib.sha256(b"".join(sorted(self._asked))).hexdigest()[:16] * bool(self._asked)

    def remember(self, ends: str) -> None:
        """It was asked before, and these were the states."""
        self._ends = ends

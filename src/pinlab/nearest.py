"""What somebody may have meant who misspelt a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST = 12
"""Names that are listed if none is near."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or what there is: "did you mean fsync?"."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]}?"
    more = ", ..." if len(names) > MOST else ""
    return f"there are {', '.join(names[:MOST])}{more}" if names else "there are none"

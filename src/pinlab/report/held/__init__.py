"""Who holds how much memory, as a page: bars, the largest first, and a table to filter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A holder, or whose memory it is: how many bytes, and what is said of it beside its name.

    `before` are the bytes that it had in an earlier census; None if there is none.
    """

    name: str
    size: int
    said: str
    before: int | None = None

    @property
    def weight(self) -> int:
        """What it is ordered by: its bytes, or how many more there are than before."""
        return self.size if self.before is None else self.size - self.before


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a page has. A row has as many values as there are columns; of a number, what it is to
    be sorted by and how it is written."""

    title: str
    summary: str
    notes: tuple[str, ...]
    bars: tuple[Bar, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str | tuple[int, str], ...], ...]
    left_out: int = 0
    bad: bool = False

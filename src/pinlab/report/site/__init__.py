"""The table of designs and objectives as pages, or as one: what is known of each design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinlab.lab.film import Film
from pinlab.lab.results import Cost, Difference, Info, Known, Row, Swept


@dataclass(frozen=True, slots=True)
class Subject:
    """A design as it is shown: its verdicts, what it costs and replaces, and by objective the film
    of a shortest counterexample. Of a patch also what it changes, in the scenarios and in every
    pair of operations."""

    info: Info
    rows: tuple[Row, ...]
    cost: Cost | None
    known: Known
    films: Mapping[str, Film]
    difference: Difference | None = None
    swept: Swept | None = None

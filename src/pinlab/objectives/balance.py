"""An objective of the third kind: what must be so when everybody has finished."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Balance:
    """In every state in which every task that has to finish has finished, the books balance.

    What is in the books is the model's to say (lab/books.py). An event stream cannot judge it: it
    does not say when nobody is half-way through something.
    """

    name: str
    claim: str
    source: str

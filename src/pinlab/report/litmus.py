"""What litmus tests may come to, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from rich.box import SIMPLE
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import LitmusAnswer, LitmusResult


class LitmusModelJson(TypedDict):
    """The answer under one memory model."""

    model: str
    possible: bool | None
    always: bool | None
    states: int


class LitmusJson(TypedDict):
    """`pinlab litmus --json`."""

    schema: Literal["pinlab.litmus/1"]
    test: str
    file: str
    quantifier: str
    models: list[LitmusModelJson]


def table(found: Sequence[LitmusResult]) -> RenderableType:
    """A row for each test: what is asked for, under each model, in herd7's words."""
    shown = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("test", overflow="fold")
    for answer in found[0].answers if found else ():
        shown.add_column(answer.model)
        shown.add_column("states", justify="right", style="dim")
    for each in found:
        cells: list[Text | str] = []
        for answer in each.answers:
            cells += [_word(answer), f"{answer.states:,}"]
        shown.add_row(each.test, *cells)
    return shown


def _word(answer: LitmusAnswer) -> Text:
    if answer.possible is None:
        return Text("unknown", style="yellow")
    if not answer.possible:
        return Text("never")
    return Text("always" if answer.always else "sometimes", style="bold")


def json(found: LitmusResult) -> LitmusJson:
    """The answer as "pinlab.litmus/1"."""
    return {
        "schema": "pinlab.litmus/1",
        "test": found.test,
        "file": found.file,
        "quantifier": found.quantifier,
        "models": [
            {
                "model": answer.model,
                "possible": answer.possible,
                "always": answer.always,
                "states": answer.states,
            }
            for answer in found.answers
        ],
    }

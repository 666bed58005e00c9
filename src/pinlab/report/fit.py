"""What looks different where there is less room: it is rendered when its width is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Fitted:
    """`render(columns)` makes what is shown in so many columns."""

    render: Callable[[int], RenderableType]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.render(options.max_width)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that is cut into blocks: its heading and a cell for each row."""

    heading: str
    cells: tuple[Text, ...]
    justify: Literal["left", "right"] = "left"

    @property
    def width(self) -> int:
        """Columns of the terminal that the widest cell takes."""
        return max(cell_len(self.heading), *(cell.cell_len for cell in self.cells), 0)


def in_blocks(first: Column, others: Sequence[Column]) -> Fitted:
    """A table whose rows are never cut: what does not fit beside follows below, in a further
    table that begins with the column `first` again."""

    def render(columns: int) -> RenderableType:
        room = _room(first, columns)
        return Group(*(_block(first, block, room) for block in _blocks(first, others, room)))

    return Fitted(render)


GAP = 2
"""Columns between two columns of a table."""


def _room(first: Column, columns: int) -> int:
    """What is left beside `first`, which is folded if it is a long path."""
    return max(columns - first.width - GAP - 1, columns // 2)


def _blocks(first: Column, others: Sequence[Column], room: int) -> list[list[Column]]:
    """As many of `others` as fit beside `first`, then as many of the rest, and so on."""
    blocks: list[list[Column]] = [[]]
    for column in others:
        taken = sum(before.width + GAP for before in blocks[-1])
        if blocks[-1] and taken + column.width + GAP > room:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def _block(first: Column, others: Sequence[Column], room: int) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first.heading, overflow="fold")
    for column in others:
        width = min(column.width, room - GAP)
        table.add_column(column.heading, justify=column.justify, width=width, overflow="fold")
    for cells in zip(first.cells, *(column.cells for column in others), strict=True):
        table.add_row(*cells)
    return table

"""What every command does with its terminal: results on standard output, progress beside it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pinlab.lab.results import Activity, OnActivity
from pinlab.names import harmless
from pinlab.report import answer

PIPE_WIDTH = 160
"""Columns when standard output is no terminal and nobody says how many there are."""


_NOT_SHOWN = re.compile(r"[^\x20-\x7e\n]")


class Screen(Console):
    """A terminal, or what stands for one. Nothing that is shown gets to command it."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich has it, with escapes for all that is text and no letter."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=harmless(segment.text))


def is_read_by_a_program() -> bool:
    """Whether standard output is no terminal."""
    return not Screen().is_terminal


def show(result: RenderableType, *, crop: bool = True) -> None:
    """Print to standard output, in colour if that is a terminal. Without `crop` what may not be
    folded is longer than a line."""
    console = Screen()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(result, crop=crop)


def show_json(value: Mapping[str, object]) -> None:
    """Print one JSON object to standard output, and nothing else: a line for each of its values,
    and for each element of a list, of which there may be half a million: an iterator is one
    that is never in memory as a whole."""
    before = "{\n"
    for key, each in value.items():
        sys.stdout.write(f"{before}  {_json(key)}: ")
        before = ",\n"
        if isinstance(each, list | tuple | Iterator):
            inner = "[\n    "
            for element in each:
                sys.stdout.write(f"{inner}{_json(element)}")
                inner = ",\n    "
            sys.stdout.write("[]" if inner[0] == "[" else "\n  ]")
        else:
            sys.stdout.write(_json(each))
    sys.stdout.write("\n}\n" if value else "{}\n")


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _json(value: object) -> str:
    text = _encode(value)
    return text if text.isascii() and text.isprintable() else _NOT_SHOWN.sub(_in_json, text)


def _in_json(found: re.Match[str]) -> str:
    letter = found[0]
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


@contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what is being done, if that is a terminal."""
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(what) as status:
        yield status.update


@contextmanager
def progress(verbose: bool = False) -> Iterator[OnActivity | None]:
    """Verdicts on standard error as they come, if that is a terminal or with `verbose`.

    On a terminal there is a line of figures below them.
    """
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield partial(_print, console) if verbose else None
        return
    with console.status("starting") as status:

        def both(activity: Activity) -> None:
            _print(console, activity)
            status.update(describe(activity))

        yield both


def _print(console: Console, activity: Activity) -> None:
    if activity.rows:
        title = activity.scenario or activity.design
        console.print(answer.finished(title, activity.rows), soft_wrap=True)


def describe(activity: Activity) -> str:
    """An activity in one line."""
    line = f"{activity.done}/{activity.total}  {activity.design}, {activity.scenario}"
    if (at := activity.progress) is not None:
        rate = at.states / at.seconds if at.seconds > 0 else 0.0
        line += (
            f": {at.states:,} states, {at.frontier:,} in the frontier, depth {at.depth}, "
            f"{rate:,.0f} states/s, {at.memory_bytes / 2**20:,.0f} MiB"
        )
    return line

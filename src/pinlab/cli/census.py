"""`pinlab census`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.live import Live

from pinlab import output
from pinlab.cli import _options as options
from pinlab.cli._extras import needed_by
from pinlab.cli._show import Screen, show, show_json
from pinlab.errors import UsageError
from pinlab.field.census import census as take
from pinlab.field.census.meant import meant
from pinlab.field.census.place import Placed, place
from pinlab.field.census.select_folios import Sort, select_folios
from pinlab.field.errors import ReaderError
from pinlab.field.holders.target import process_of, require_process
from pinlab.field.layout.page import page_layout
from pinlab.field.memory import choose
from pinlab.field.memory.reader import Reader
from pinlab.names import printable
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import census_schema as schema
from pinlab.report import census_table as table
from pinlab.report.held import page as held
from pinlab.report.held import sheets

LIMIT = 40

CoreOption = Annotated[
    Path | None,
    typer.Option("--core", metavar="FILE", help="A kernel dump instead of this machine."),
]
GuestOption = Annotated[
    Path | None,
    typer.Option("--guest", metavar="SOCKET", help="A QEMU guest, by its QMP socket."),
]


def census(
    core: CoreOption = None,
    guest: GuestOption = None,
    open_: Annotated[
        Path | None,
        typer.Option("--open", metavar="FILE", help="A census saved before.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", metavar="FILE", help="Also write it, as Parquet.", show_default=False
        ),
    ] = None,
    sort: Annotated[Sort, typer.Option("--sort", help="Counts come largest first.")] = Sort.pfn,
    over: Annotated[
        int | None,
        typer.Option(
            "--over",
            metavar="N",
            min=0,
            help="Only folios of more than N pins.",
            show_default=False,
        ),
    ] = None,
    unexplained: Annotated[
        bool, typer.Option("--unexplained", help="Only with references that nobody explains.")
    ] = False,
    references: Annotated[
        bool,
        typer.Option(
            "--references",
            help="Folios with references that nobody explains, pinned or not.",
        ),
    ] = False,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="PATH", help="Only pages of this file.", show_default=False),
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(
            "--process",
            metavar="PID",
            min=1,
            help="Only memory that this process maps.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many folios; 0 shows all.")
    ] = LIMIT,
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            metavar="SECONDS",
            help="Show it anew every so many seconds, until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="For scripts: status 1 if any such folio is pinned.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Show and save addresses of kernel structures.")
    ] = False,
    page: options.OutputOption = None,
    json: options.JsonOption = False,
) -> int:
    """List every pinned folio of this machine: pins, references, and whose memory it is.

    Status 0 once it is taken; with --check 1 if a folio of those asked for is pinned, or has such
    references, and 3 if that is not certain; 3 if the memory cannot be read.
    """
    options.require_one_source(core=core, guest=guest, open=open_)
    if watch is not None and (json or open_ is not None or core is not None):
        raise UsageError("--watch goes with neither --json nor a source that does not change")
    options.require_page(page, json, watch)
    if watch is not None:
        options.time_of(watch, "--watch", options.SHORTEST)
    if save is not None or open_ is not None:
        # It needs Arrow, which is better said before a census is taken.
        with needed_by("census --open" if save is None else "census --save"):
            from pinlab.field.census import snapshot
    if save is not None:
        _require_parquet(save)
    if process is not None and not (core or guest or open_):
        require_process("live", process)
        process = process_of(process)
    of_file = None if file is None else _of(file, own=not (core or guest or open_))

    def chosen(whole: Placed) -> Placed:
        return select_folios(
            whole,
            over=over,
            unexplained=unexplained,
            references=references,
            file=of_file,
            pid=process,
            sort=sort,
        )

    if open_ is not None:
        whole = snapshot.load(open_)
    else:
        try:
            reader = choose.choose(core, guest)
        except ReaderError as error:
            raise _with_count(error, own=not (core or guest)) from None
        with reader:
            if watch is not None:
                return _watch(reader, chosen, watch, limit, raw, references)
            whole = place(reader, take(reader, references=references))
    if save is not None:
        snapshot.save(whole, save, raw=raw)
    shown = chosen(whole)
    if page is not None:
        output.write_text(page, held.html(sheets.census(shown, whole.census)))
        typer.echo(f"{page}: {table.headline(whole.census).plain}")
    elif json:
        show_json(schema.census(shown, whole.census, raw=raw))
    else:
        show(table.census(shown, whole.census, limit=limit, raw=raw))
    return _status(shown) if check else EXIT_HOLDS


def _require_parquet(save: Path) -> None:
    """Raise UsageError if a census cannot be saved there, or would be what its name says not."""
    if save.suffix in (".csv", ".html", ".json", ".txt"):
        raise UsageError(f"--save writes Parquet, not {save.suffix[1:]}: name it .parquet")
    output.check(save)


def _status(shown: Placed) -> int:
    if not len(shown):
        return EXIT_HOLDS
    sums = shown.census.sums
    return EXIT_VIOLATED if sums.low + sums.unstable < len(shown) else EXIT_UNKNOWN


def _of(name: str, *, own: bool) -> Callable[[Placed], NDArray[np.bool_]]:
    """Which folios are of the file that was named; of another machine its name is all we have."""
    if not name:
        raise UsageError("--file got an empty name: give the path of a file")
    if own:
        return meant(Path(name)).rows
    names = (name, os.path.abspath(name), f"{os.path.abspath(name)} (deleted)")
    wanted = {printable(each) for each in names}

    def rows(placed: Placed) -> NDArray[np.bool_]:
        paths = (file and file.path and printable(file.path) for file in placed.files)
        return np.array([path in wanted for path in paths], np.bool_)

    return rows


def _with_count(error: ReaderError, *, own: bool) -> ReaderError:
    """The error, and the one thing that everybody may know."""
    if not own:
        return error
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return error
    counters = dict(line.split() for line in text.splitlines())
    try:
        pins = int(counters["nr_foll_pin_acquired"]) - int(counters["nr_foll_pin_released"])
    except KeyError:
        return error
    words = "pin is" if pins == 1 else "pins are"
    return ReaderError(f"{error} (by /proc/vmstat {pins:,} {words} held, but not by whom)")


def _watch(
    reader: Reader,
    chosen: Callable[[Placed], Placed],
    seconds: float,
    limit: int,
    raw: bool,
    references: bool,
) -> int:
    layout = page_layout(reader.btf)

    def once() -> tuple[Placed, Placed]:
        whole = place(reader, take(reader, layout, references=references))
        return chosen(whole), whole

    console = Screen()
    try:
        if not console.is_terminal:
            while True:
                shown, whole = once()
                sys.stdout.write(f"{table.taken(whole.census)}  ")
                show(table.census(shown, whole.census, limit=limit, raw=raw))
                sys.stdout.flush()
                time.sleep(seconds)
        with Live(console=console, auto_refresh=False, screen=False) as live:
            while True:
                shown, whole = once()
                live.update(table.census(shown, whole.census, limit=limit, raw=raw), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        return EXIT_HOLDS

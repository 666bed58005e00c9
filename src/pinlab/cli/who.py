"""`pinlab who`."""

from __future__ import annotations

import pwd
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live

from pinlab import output
from pinlab.cli import _options as options
from pinlab.cli._show import Screen, show, show_json
from pinlab.cli.census import CoreOption, GuestOption
from pinlab.errors import UsageError
from pinlab.field.census.meant import pipe_at
from pinlab.field.errors import ReaderError
from pinlab.field.holders import fdinfo
from pinlab.field.holders.attribution import Share, Walked, attribute
from pinlab.field.holders.charges import memlock
from pinlab.field.holders.select_holders import Order, Selection, select_holders
from pinlab.field.holders.target import (
    Answer,
    NoProcessError,
    Sort,
    Target,
    of_thread,
    parse,
    require_process,
)
from pinlab.field.holders.target import answer as answer_for
from pinlab.field.holders.uses import uses
from pinlab.field.holders.walker import load
from pinlab.field.machine import groups
from pinlab.field.memory import choose
from pinlab.field.memory.reader import Reader
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import memlock as report
from pinlab.report import who_schema as schema
from pinlab.report import who_table as table
from pinlab.report.held import page as held
from pinlab.report.held import sheets
from pinlab.report.units import counted

LARGEST_UID = (1 << 32) - 2
"""The one above says "no user" to the kernel."""


def _kinds(incomplete: str) -> list[str]:
    return [name for name in load() if name.startswith(incomplete)]


def who(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH|PID|PFN",
            help="A file or pipe, a process (12345), or a frame (0x1a2b3c, pfn:1715004).",
            show_default=False,
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is pinned.")] = False,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            metavar="NAME",
            help="What is counted against the RLIMIT_MEMLOCK of a user.",
            show_default=False,
        ),
    ] = None,
    cgroup: Annotated[
        str | None,
        typer.Option(
            "--cgroup",
            metavar="CGROUP",
            help="Of all processes of a cgroup, by its folder or its name.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="I/O on a block device, and pages of its files; also by a mount point.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Show only holders of this kind.",
            show_default=False,
            autocompletion=_kinds,
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(
            "--over", metavar="SIZE", help="Only holders of more than this.", show_default=False
        ),
    ] = None,
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Only holders of pages that their process no longer has."),
    ] = False,
    references: Annotated[
        bool,
        typer.Option(
            "--references", help="Also plain references, and of folios that are not pinned."
        ),
    ] = False,
    sort: Annotated[
        Order | None, typer.Option("--sort", help="Largest first.", show_default="kind")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Lines shown; 0 shows all.")] = 40,
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            metavar="SECONDS",
            help="Show it anew every so many seconds, until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    core: CoreOption = None,
    guest: GuestOption = None,
    page: options.OutputOption = None,
    json: options.JsonOption = False,
) -> int:
    """Say who holds the pins: process, descriptor, address range, and where it is accounted.

    Status 0 if every pin, and every reference asked for, has a holder, 1 if one has none, if a
    holder claims what is not there or its process has other pages there now (stale), 3 if that
    cannot be told, or if of a holder no process was found.
    """
    _require_one(target, user, cgroup, device, all_)
    options.require_one_source(core=core, guest=guest)
    if user is not None:
        refused = {
            "--kind": kind,
            "--over": over,
            "--stale": stale or None,
            "--references": references or None,
            "--sort": sort,
            "--watch": watch,
            "--output": page,
        }
        _require_none(refused, "--user, which lists all that its limit counts, largest first")
        return _memlock(user, core, guest, limit, json)
    options.require_page(page, json, watch)
    if watch is not None and (json or core is not None):
        raise UsageError("--watch goes with neither --json nor a source that does not change")
    if watch is not None:
        options.time_of(watch, "--watch", options.SHORTEST)
    own = core is None and guest is None
    if not own and (cgroup is not None or device is not None):
        raise UsageError("--cgroup and --device are of this machine: of a dump ask for --all")
    wanted = _target(target, cgroup, device)
    if wanted.sort is Sort.process and core is None and guest is None:
        _require_process(wanted.number)
        wanted = of_thread(wanted)
    if wanted.path is not None and core is None and guest is None:
        pipe_at(wanted.path)  # refuses what is not there before everything is walked
    least = 0 if over is None else options.parse_size(over, "--over")
    selection = Selection(kind, least, stale, sort or Order.kind)

    def chosen(reader: Reader) -> Answer:
        found = answer_for(reader, attribute(reader, references=references), wanted)
        return select_holders(found, selection)

    def picture() -> RenderableType:
        return table.who(chosen(reader), limit=limit, selection=selection)

    try:
        reader = choose.choose(core, guest)
    except ReaderError as error:
        if core is not None or guest is not None or page is not None:
            raise
        return _weak(wanted, str(error), selection, references, limit, watch, json)
    with reader:
        if watch is not None:
            return _watch(picture, watch)
        found = chosen(reader)
        used = None if found.pins or found.is_held else uses(reader, wanted)
    if page is not None:
        output.write_text(page, held.html(sheets.who(found)))
        typer.echo(f"{page}: {counted(len(found.shares), 'holder')}")
    elif json:
        show_json(schema.who(found, used))
    else:
        show(table.who(found, used, limit=limit, selection=selection))
    return _status(found)


def _require_one(
    target: str | None, user: str | None, cgroup: str | None, device: str | None, all_: bool
) -> None:
    """Raise UsageError unless one thing is asked about."""
    words = {"--user": user, "--cgroup": cgroup, "--device": device, "--all": all_ or None}
    said = [] if target is None else [repr(target)]
    said += [name for name, value in words.items() if value is not None]
    if not said:
        raise UsageError(
            "say whose pins: a file, a process, a frame (0x...), --user, --cgroup, --device, "
            "or --all"
        )
    if len(said) > 1:
        raise UsageError(f"only one thing can be asked about at a time, not {' and '.join(said)}")


def _require_process(pid: int) -> None:
    """Raise UsageError if there is no such process; FieldError as `require_process`."""
    try:
        require_process("live", pid)
    except NoProcessError:
        raise UsageError(
            f"there is no process {pid}; a frame is written {pid:#x}, a file ./{pid}"
        ) from None


def _require_none(values: Mapping[str, object], what: str) -> None:
    """Raise UsageError if any of these options is given."""
    given = [name for name, value in values.items() if value is not None]
    if given:
        verb = "does" if len(given) == 1 else "do"
        raise UsageError(f"{' and '.join(given)} {verb} not go with {what}: leave it out")


def _watch(picture: Callable[[], RenderableType], seconds: float) -> int:
    """A table that is drawn anew; one below the other if standard output is no terminal."""
    console = Screen()
    try:
        if not console.is_terminal:
            while True:
                show(picture())
                time.sleep(seconds)
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(picture(), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        return EXIT_HOLDS


def _target(target: str | None, cgroup: str | None, device: str | None) -> Target:
    if cgroup is not None:
        return Target(Sort.cgroup, name=cgroup, processes=groups.cgroup(cgroup))
    if device is not None:
        return Target(Sort.device, name=device, device=groups.block_device(device))
    return Target(Sort.everything) if target is None else parse(target)


def _memlock(user: str, core: Path | None, guest: Path | None, limit: int, json: bool) -> int:
    """What a user has locked; of another machine the user is a number."""
    name, uid = _user(user, own=core is None and guest is None)
    with choose.choose(core, guest) as reader:
        found = memlock(reader, uid)
    if json:
        show_json(report.as_json(found, name))
    else:
        show(report.as_table(found, name, limit))
    if found.found == found.counted:
        return EXIT_HOLDS
    return EXIT_VIOLATED if found.settled else EXIT_UNKNOWN


def _user(user: str, *, own: bool) -> tuple[str, int]:
    """The name and the number of a user, who may be named by either. Raises UsageError."""
    if not user:
        raise UsageError("--user got an empty name: give a user's name or its uid")
    if re.fullmatch(r"[+-]?[0-9]+", user):
        uid = int(user) if len(user) < len(str(LARGEST_UID)) + 2 else -1
        if not 0 <= uid <= LARGEST_UID:
            raise UsageError(f"{user} is no uid: they go from 0 to {LARGEST_UID}")
        with suppress(KeyError):
            return (pwd.getpwuid(uid).pw_name if own else str(uid)), uid
        return str(uid), uid
    if not own:
        raise UsageError(
            f"{user!r} cannot be looked up: a dump or a guest is read without its names of users; "
            "give the uid, a number"
        )
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise UsageError(f"there is no user {user!r}; a number is taken for a uid") from None
    return entry.pw_name, entry.pw_uid


def _status(found: Answer) -> int:
    strangers = found.attribution.asked_references and found.strangers
    if found.overcount or found.unexplained or found.stale or strangers:
        return EXIT_VIOLATED
    nobody = any(not share.claim.owners for share in found.shares)
    return EXIT_UNKNOWN if found.unsure or nobody else EXIT_HOLDS


def _weak(
    target: Target,
    why: str,
    selection: Selection,
    references: bool,
    limit: int,
    watch: float | None,
    json: bool,
) -> int:
    """What can be said without kernel memory, which decides nothing."""
    if target.sort not in (Sort.everything, Sort.process):
        raise ReaderError(f"{why}; without that only --all or a process can be asked about")
    if references:
        raise ReaderError(f"{why}; without that nothing is known of plain references")

    def walked() -> Walked:
        found = fdinfo.walk(pid=target.number if target.sort is Sort.process else None)
        shares = selection.of(Share(each, each.extents.total, 0) for each in found.claims)
        return replace(found, claims=tuple(share.claim for share in shares))

    def picture() -> RenderableType:
        return table.weak(walked(), why, limit=limit, selection=selection)

    if watch is not None:
        _watch(picture, watch)
    elif json:
        show_json(schema.weak(walked(), str(target)))
    else:
        show(picture())
    return EXIT_UNKNOWN

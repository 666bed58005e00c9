"""`pinlab audit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json import dumps
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Group, RenderableType

from pinlab import output
from pinlab.audit.audit import audit as run
from pinlab.audit.compare import Changes, compare
from pinlab.audit.mapcount.audit import mapcounts
from pinlab.audit.mapcount.effects import Effect
from pinlab.audit.mapcount.scheme import Counters, Pages, Scheme
from pinlab.audit.results import Audit, Site, Verdict
from pinlab.cli import _options as options
from pinlab.cli._show import doing, is_read_by_a_program, show, show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import audit_schema as schema
from pinlab.report import audit_table as table
from pinlab.report import sarif

LIMIT = 40


def audit(
    tree: Annotated[
        Path,
        typer.Argument(metavar="TREE", help="A kernel's source: a folder, or a tar of it."),
    ],
    new: Annotated[
        Path | None,
        typer.Argument(
            metavar="[NEW]",
            help="A second tree: show what changed from the first to it.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="FILE[:FUNCTION]",
            help="Only sites there, each in detail.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="WORD",
            help="Only sites of this verdict (wrong, by-flag), or readers of this effect.",
            show_default=False,
        ),
    ] = None,
    mapcount: Annotated[
        bool,
        typer.Option(
            "--mapcount",
            help="Instead: who reads a mapcount, and what a pin that counts as one would do to it.",
        ),
    ] = False,
    pins: Annotated[
        str | None,
        typer.Option(
            "--pins",
            metavar="PAGES,COUNTERS",
            help="With --mapcount: the scheme, of file or all pages, in both counters or mapcount; "
            "file,both unless said.",
            show_default=False,
        ),
    ] = None,
    to_sarif: Annotated[
        Path | None,
        typer.Option(
            "--sarif",
            metavar="FILE",
            help="Also write it as SARIF, for tools of code review.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many sites; 0 shows all.")
    ] = LIMIT,
    json: options.JsonOption = False,
) -> int:
    """Audit a kernel's source: who pins, and who lets go how; or who trusts a mapcount.

    Status 1 if a site that is shown is wrong, or a reader would be; 3 if one is unknown; else 0.
    Of two trees: 1 if a site that was right is not any more, or one is wrong now that was not or
    is new; 3 if one that changed is unknown.
    """
    if to_sarif is not None:
        output.check(to_sarif)
    if pins is not None and not mapcount:
        raise UsageError("--pins goes with --mapcount, whose scheme it says")
    if mapcount and new is not None:
        raise UsageError("--mapcount goes with one tree; ask for each of the two by itself")
    if mapcount:
        return _mapcount(tree, _scheme(pins or "file,both"), at, only, limit, json, to_sarif)
    verdict = None if only is None else _verdict(only)
    with doing("looking for files of C") as tell:
        found = run(tree, tell)
        later = None if new is None else run(new, tell)
    if later is not None:
        return _changes(compare(found, later), at, verdict, limit, json, to_sarif)
    shown = _chosen(found, at, verdict)
    _write(to_sarif, sarif.sites, shown)
    if json:
        show_json(schema.audit(found, shown))
    elif at is not None and shown:
        show(Group(*(table.detail(each) for each in shown)))
    elif verdict is None:
        _show(table.overview, found, limit)
    else:
        _show(table.sites, found, limit, shown)
    if not found.sites:
        return EXIT_UNKNOWN
    verdicts = {each.verdict for each in shown}
    if Verdict.wrong in verdicts:
        return EXIT_VIOLATED
    return EXIT_UNKNOWN if Verdict.unknown in verdicts else EXIT_HOLDS


Shown = TypeVar("Shown")


def _show(
    render: Callable[..., RenderableType], found: object, limit: int, *shown: Sequence[object]
) -> None:
    """A table for a person, a line for each thing found for a program."""
    lines = is_read_by_a_program()
    show(render(found, *shown, limit=limit, lines=lines), crop=not lines)


def _write(
    path: Path | None, render: Callable[[Sequence[Shown]], sarif.Json], shown: Sequence[Shown]
) -> None:
    if path is not None:
        output.write_text(path, dumps(render(shown), indent=1) + "\n")


def _changes(
    found: Changes,
    at: str | None,
    verdict: Verdict | None,
    limit: int,
    json: bool,
    to_sarif: Path | None,
) -> int:
    shown = [
        each
        for each in found.changes
        if _is_at(at, each.site.file, each.site.function, each.site.line)
        and verdict in (None, each.site.verdict)
    ]
    _write(to_sarif, sarif.changes, shown)
    if json:
        show_json(schema.changes(found, shown))
    elif at is not None and shown:
        show(Group(*(table.detail(each.site) for each in shown)))
    else:
        _show(table.changes, found, limit, shown)
    if any(each.is_worse for each in shown):
        return EXIT_VIOLATED
    unknown = any(each.after and each.after.verdict is Verdict.unknown for each in shown)
    return EXIT_UNKNOWN if unknown else EXIT_HOLDS


def _mapcount(
    tree: Path,
    scheme: Scheme,
    at: str | None,
    only: str | None,
    limit: int,
    json: bool,
    to_sarif: Path | None,
) -> int:
    effect = None if only is None else _effect(only)
    with doing("looking for files of C") as tell:
        found = mapcounts(tree, scheme, tell)
    shown = [
        each
        for each in found.readers
        if _is_at(at, each.file, each.function, each.line) and effect in (None, each.effect)
    ]
    if at is not None and not shown:
        raise UsageError(f"no reader of a mapcount is at {at}; say a file from the tree's top")
    _write(to_sarif, sarif.readers, shown)
    if json:
        show_json(schema.mapcounts(found, shown))
    else:
        odd = [each for each in shown if each.is_wrong or each.effect is Effect.unknown]
        _show(table.readers, found, limit, shown if at or effect else odd)
    if not found.readers:
        return EXIT_UNKNOWN
    if any(each.is_wrong for each in shown):
        return EXIT_VIOLATED
    unknown = any(each.effect is Effect.unknown for each in shown)
    return EXIT_UNKNOWN if unknown else EXIT_HOLDS


def _scheme(text: str) -> Scheme:
    pages, _, counters = text.partition(",")
    try:
        return Scheme(Pages(pages), Counters(counters or "both"))
    except ValueError:
        raise UsageError(
            f"--pins {text!r} is no scheme; write file or all, a comma, and both or mapcount"
        ) from None


def _verdict(text: str) -> Verdict:
    for each in Verdict:
        if text.replace("-", " ") == each.value:
            return each
    names = ", ".join(each.value.replace(" ", "-") for each in Verdict)
    raise UsageError(f"--only {text!r} is no verdict of a site; write one of: {names}")


def _effect(text: str) -> Effect:
    for each in Effect:
        if text.replace("-", " ") == each.value:
            return each
    names = ", ".join(each.value.replace(" ", "-") for each in Effect)
    raise UsageError(f"--only {text!r} is no effect on a reader; write one of: {names}")


def _is_at(at: str | None, file: str, function: str, line: int) -> bool:
    """Whether a place is meant: a file, a folder, and within it a function or a line."""
    if at is None:
        return True
    path, _, within = at.removeprefix("./").rstrip("/").partition(":")
    there = file == path or file.startswith(f"{path}/")
    return there and within in ("", function, str(line))


def _chosen(found: Audit, at: str | None, only: Verdict | None) -> Sequence[Site]:
    here = [each for each in found.sites if _is_at(at, each.file, each.function, each.line)]
    if at is not None and not here:
        raise UsageError(
            f"no site is at {at}; say a file from the top of the tree, and a function of it if "
            "there are several: net/rds/rdma.c:rds_pin_pages"
        )
    return [each for each in here if only in (None, each.verdict)]

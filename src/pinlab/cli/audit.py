"""`pinlab audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group

from pinlab.audit.audit import audit as run
from pinlab.audit.results import Audit, Site, Verdict
from pinlab.cli import _options as options
from pinlab.cli._show import Screen, show, show_json
from pinlab.errors import UsageError
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, EXIT_VIOLATED
from pinlab.report import audit_schema as schema
from pinlab.report import audit_table as table

LIMIT = 40


def audit(
    tree: Annotated[
        Path,
        typer.Argument(metavar="TREE", help="A kernel's source: a folder, or a tar of it."),
    ],
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
        Verdict | None,
        typer.Option("--only", help="Only sites of this verdict.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many sites; 0 shows all.")
    ] = LIMIT,
    json: options.JsonOption = False,
) -> int:
    """Audit a kernel's source: who pins, and who lets go how.

    Status 1 if a site that is shown is wrong, 3 if one is unknown, 0 otherwise.
    """
    with _progress() as tell:
        found = run(tree, tell)
    shown = _chosen(found, at, only)
    if json:
        show_json(schema.audit(found, shown))
    elif at is not None:
        show(Group(*(table.detail(each) for each in shown)))
    else:
        show(table.sites(found, shown, limit=limit))
    verdicts = {each.verdict for each in shown}
    if Verdict.wrong in verdicts:
        return EXIT_VIOLATED
    return EXIT_UNKNOWN if Verdict.unknown in verdicts else EXIT_HOLDS


def _chosen(found: Audit, at: str | None, only: Verdict | None) -> Sequence[Site]:
    file, _, function = (at or "").partition(":")
    here = [
        each
        for each in found.sites
        if at is None or (each.file == file and function in ("", each.function))
    ]
    if at is not None and not here:
        raise UsageError(
            f"no site is at {at}; say a file from the top of the tree, and a function of it if "
            "there are several: net/rds/rdma.c:rds_pin_pages"
        )
    return [each for each in here if only in (None, each.verdict)]


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("looking for files of C") as status:
        yield status.update

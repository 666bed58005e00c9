"""`pinlab report`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pinlab import output as asked_for
from pinlab.cli import _options as options
from pinlab.cli._lab import lab
from pinlab.cli._show import doing, progress
from pinlab.errors import UsageError
from pinlab.lab.explore.result import Limits
from pinlab.lab.film import Film
from pinlab.lab.results import Comparison, Row, Wanted
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, Outcome
from pinlab.report.page.shell import GENERATOR
from pinlab.report.site import Subject, pages
from pinlab.report.units import counted


def report(
    designs: options.DesignsArgument = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="A folder, which is made if it is not there; or FILE.html, all in one page.",
        ),
    ] = Path("pinlab-report"),
    world: options.WorldOption = None,
    max_states: options.MaxStatesOption = None,
    timeout: options.TimeoutOption = None,
    memory: options.MemoryOption = None,
    verbose: options.VerboseOption = False,
) -> int:
    """Write what is known of designs as pages: verdicts beside costs, each counterexample to play.

    Of a patch it says first what differs from what it builds on. What the whole sweep and other
    memory models say is in it if they were asked before. Statuses are those of `compare`.
    """
    if designs and world is not None:
        raise UsageError("--world says whose designs are shown if none is named: leave it out")
    single = output.suffix == ".html"
    if not single:
        _require_folder(output)
    asked_for.check(output if single else output / "index.html" if output.is_dir() else output)
    limits = options.limits(max_states, timeout, memory)
    home = lab().load_world(world)
    names = tuple(designs or (info.name for info in lab().designs(home)))
    subjects = {name: lab().load_design(name) for name in names}
    with progress(verbose) as on_progress:
        compared = lab().compare(names, world=home, limits=limits, on_progress=on_progress)
    if compared.stopped:
        typer.echo(f"Nothing is written: {compared.stopped}.")
        return EXIT_UNKNOWN
    films = _films(subjects, compared, limits)
    shown = [_subject(it, compared, films, limits) for it in subjects.values()]
    said = f"{counted(len(shown), 'design')}, {counted(len(films), 'counterexample')}"
    if single:
        asked_for.write_text(output, pages.single(shown))
        typer.echo(f"{output}: {said}")
    else:
        _write(output, pages.folder(shown))
        typer.echo(f"{output / 'index.html'}: {said} to play")
    return EXIT_HOLDS


def _require_folder(output: Path) -> None:
    """Raise UsageError for what is no folder, or one in which somebody else's pages are."""
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file: name a folder, or FILE.html for one page")
    if output.suffix and not output.is_dir():
        raise UsageError(f"cannot tell what {output} is to be: name a folder, or FILE.html")
    first = output / "index.html"
    if first.is_file() and not _is_ours(first):
        raise UsageError(f"{first} is not of pinlab: name another folder")


def _films(
    subjects: Mapping[str, Any], compared: Comparison, limits: Limits
) -> dict[tuple[str, str], Film]:
    """The films of what is violated, by design and objective: the shortest counterexample each."""
    nearest: dict[tuple[str, str], Row] = {}
    for row in compared.rows:
        if row.verdict.outcome is Outcome.VIOLATED:
            before = nearest.setdefault((row.design, row.objective), row)
            if (row.steps or 0) < (before.steps or 0):
                nearest[row.design, row.objective] = row
    by_name = {it.name: it for it in subjects.values()}
    wanted = [(by_name[row.design], row.objective, row.scenario) for row in nearest.values()]
    with doing("counterexamples") as say:
        found = lab().films(
            wanted,
            limits=limits,
            on_done=lambda done, total: say(f"counterexamples: {done} of {total}"),
        )
    return {key: film for key, film in zip(nearest, found, strict=True) if film is not None}


def _subject(
    it: Any, compared: Comparison, films: Mapping[tuple[str, str], Film], limits: Limits
) -> Subject:
    difference = swept = None
    base = lab().base(it)
    if base is not None:
        before, after = lab().check(base, limits=limits), lab().check(it, limits=limits)
        difference = lab().difference(it, before, after)
        if lab().brought(it)["functions"]:
            with doing("every pair of operations that comes to what it replaces"):
                swept = lab().sweep(it, Wanted(), limits=limits)
    return Subject(
        info=lab().described(it),
        rows=tuple(row for row in compared.rows if row.design == it.name),
        cost=next((cost for cost in compared.costs if cost.design == it.name), None),
        known=lab().known(it),
        films={objective: film for (name, objective), film in films.items() if name == it.name},
        difference=difference,
        swept=swept,
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """All files of the folder, the first page last, so that it never leads to what is not there;
    then what an earlier report led to and this one does not is taken away."""
    before = _pages(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    for name in sorted(files, key=lambda name: name == "index.html"):
        asked_for.write_text(folder / name, files[name])
    for name in before - files.keys():
        if _is_ours(folder / name):
            (folder / name).unlink()


def _pages(folder: Path) -> set[str]:
    """The files that the first page of an earlier report leads to."""
    first = folder / "index.html"
    text = first.read_text("utf-8", errors="replace") if first.is_file() else ""
    return set(re.findall(r'href="([\w.-]+\.html)"', text))


def _is_ours(page: Path) -> bool:
    return page.is_file() and GENERATOR in page.read_text("utf-8", errors="replace")

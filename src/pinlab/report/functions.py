"""Functions of the model as text: one with its source, all by kernel file, those of a diff.

Commands that are printed name the world that was asked for; None: none was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from pinlab.lab.results import Function, Touched, TouchedFunction

LAB_ALONE = "of the lab alone"


def function(it: Function, world: str | None = None) -> RenderableType:
    """One function: where it is, its source, who calls what."""
    first, _ = it.lines[0]
    parts: list[RenderableType] = [
        Text(f"{it.name}  lab/{it.file}:{first}  {_kernel(it)}", style="bold"),
        Syntax(
            "\n".join(line for _, line in it.lines),
            "python",
            line_numbers=True,
            start_line=first,
            background_color="default",
            theme="ansi_dark",
        ),
    ]
    for title, names in (
        ("called by", it.callers),
        ("calls", it.calls),
        ("scenarios that can come to it", it.scenarios),
        ("designs that replace it", it.designs),
    ):
        parts.append(Text.assemble((f"{title}: ", "bold"), ", ".join(names) or "none"))
    parts.append(
        Text(f"\n`{_show(it.name, world)} --patch > patch.py` writes a file that replaces it.")
    )
    return Group(*parts)


def listing(functions: Sequence[Function], world: str | None = None) -> RenderableType:
    """All functions, by kernel file."""
    files: dict[str, list[str]] = {}
    for it in functions:
        files.setdefault(", ".join(it.kernel) or LAB_ALONE, []).append(it.name)
    parts: list[RenderableType] = []
    for file, names in files.items():
        parts += [Text(file, style="bold"), _names(names)]
    parts.append(Text(f"`{_show('FUNCTION', world)}` has its source, and who calls it."))
    return Group(*parts)


def touched(found: Touched, world: str | None = None) -> RenderableType:
    """The functions that a diff touches, those of the model first, and what to run next."""
    below = ["bounce"] if world is None else []
    parts: list[RenderableType] = []
    for each in found.functions:
        if each.model:
            words = Text.assemble(f"{each.file}: ", (each.name, "bold"), "  -> ")
            parts.append(words.append(", ".join(each.model)))
    missing = [each for each in found.functions if not each.model]
    if missing:
        parts.append(Text("Not in the model under these names:", style="bold yellow"))
        parts += [Text(_missing(each)) for each in missing]
    for file, hunks in found.unnamed:
        where = "1 hunk changes lines" if hunks == 1 else f"{hunks:,} hunks change lines"
        nobody = f"{file}: {where} of which the diff names no function (diff -p does)."
        parts.append(Text(nobody, style="yellow"))
    names = list(dict.fromkeys(name for each in found.functions for name in each.model))
    if not found.functions:
        parts.append(Text("The diff names no function of C that it changes."))
    elif names:
        parts.append(Text("\nNext, for each:", style="bold"))
        parts += [Text(f"  {_show(name, world)} --patch > {name}.py") for name in names]
        files = "+".join([*below, *(f"./{name}.py" for name in names)])
        parts.append(Text("then change them as the diff does, and"))
        parts.append(Text(f"  pinlab check {files}", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _show(function: str, world: str | None) -> str:
    return f"pinlab show {function}" + (f" --world {world}" if world else "")


def _missing(each: TouchedFunction) -> str:
    if not each.named_in:
        return f"  {each.file}: {each.name}, of which nothing is known"
    return f"  {each.file}: {each.name}; of it speak {', '.join(each.named_in)}"


def _kernel(it: Function) -> str:
    if not it.kernel:
        return LAB_ALONE
    also = f" ({', '.join(it.stands_for)})" if it.stands_for else ""
    return f"{', '.join(it.kernel)}{also}, {it.version}"


def _names(names: Iterable[str]) -> RenderableType:
    return Padding(Text("  ".join(names)), (0, 0, 1, 2), expand=False)

"""Functions of the model as text: one with its source, all by kernel file, those of a diff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from pinlab.lab.results import Function, Touched

LAB_ALONE = "of the lab alone"


def function(it: Function) -> RenderableType:
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
        Text(f"\n`pinlab show {it.name} --patch > patch.py` writes a file that replaces it.")
    )
    return Group(*parts)


def listing(functions: Sequence[Function]) -> RenderableType:
    """All functions, by kernel file."""
    files: dict[str, list[str]] = {}
    for it in functions:
        files.setdefault(", ".join(it.kernel) or LAB_ALONE, []).append(it.name)
    parts: list[RenderableType] = []
    for file, names in files.items():
        parts += [Text(file, style="bold"), _names(names)]
    parts.append(Text("`pinlab show FUNCTION` has its source, and who calls it."))
    return Group(*parts)


def touched(found: Touched) -> RenderableType:
    """The functions that a diff touches, those of the model first, and what to run next."""
    parts: list[RenderableType] = []
    for each in found.functions:
        if each.model:
            words = Text.assemble(f"{each.file}: ", (each.name, "bold"), "  -> ")
            parts.append(words.append(", ".join(each.model)))
    missing = [each for each in found.functions if not each.model]
    if missing:
        parts.append(Text("Not in the model, so nothing is known of them:", style="bold yellow"))
        parts += [Text(f"  {each.file}: {each.name}") for each in missing]
    names = list(dict.fromkeys(name for each in found.functions for name in each.model))
    if not found.functions:
        parts.append(Text("The diff touches no function of C."))
    elif names:
        parts.append(Text("\nNext, for each:", style="bold"))
        parts += [Text(f"  pinlab show {name} --patch > {name}.py") for name in names]
        files = "+".join(["bounce", *(f"./{name}.py" for name in names)])
        parts.append(Text(f"then change them as the diff does, and\n  pinlab check {files}"))
    return Group(*parts)


def _kernel(it: Function) -> str:
    if not it.kernel:
        return LAB_ALONE
    also = f" ({', '.join(it.stands_for)})" if it.stands_for else ""
    return f"{', '.join(it.kernel)}{also}, {it.version}"


def _names(names: Iterable[str]) -> RenderableType:
    return Padding(Text("  ".join(names)), (0, 0, 1, 2), expand=False)

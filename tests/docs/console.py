"""Runs a page of the documentation as its reader would, and compares what it promises.

Three kinds of fenced blocks are followed, in their order; all others are only read:

* `python` or `text` after a line `<!-- file: NAME -->`: the file is written.
* `diff` after a line `<!-- change: NAME -->`: the file is changed; what the hunk shows must be in
  it exactly once.
* `console`: lines that begin with `$ ` are run by bash, all of a block in one shell; what follows
  is their output, standard error included. `...` stands for anything, in a line or, alone on it,
  for any number of lines. A command must end with status 0, unless `$ echo $?` follows and says
  what it ends with.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = "100"
"""The width of the terminal in which the pages were written."""

ROOT = Path(__file__).parents[2]

END = "\x1e"
"""Printed after each command, with its status."""


@dataclass(frozen=True)
class Block:
    """A fenced block that is to be followed. `name` is the file it is about."""

    kind: str
    name: str
    line: int
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the output that the page promises."""

    line: int
    command: str
    output: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page that are to be followed, in order."""
    lines = page.splitlines()
    marker = ""
    at = 0
    while at < len(lines):
        fence = re.fullmatch(r"```(\w*)", lines[at])
        if fence is None:
            marker = lines[at] if lines[at].strip() else marker
            at += 1
            continue
        end = lines.index("```", at + 1)
        text = "".join(line + "\n" for line in lines[at + 1 : end])
        about = re.fullmatch(r"<!-- (file|change): (\S+) -->", marker)
        kind = {"python": "file", "text": "file", "diff": "change"}.get(fence[1], fence[1])
        if kind == "console":
            yield Block(kind, "", at + 1, text)
        elif about is not None and about[1] == kind:
            yield Block(kind, about[2], at + 1, text)
        marker = ""
        at = end + 1


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(number, line.removeprefix("$ "), ""))
        elif found:
            last = found[-1]
            found[-1] = Command(last.line, last.command, last.output + line + "\n")
    return found


def changed(text: str, diff: str) -> str:
    """`text` after the hunks of `diff`, which begin with `@@`. Raises ValueError."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = [line or " " for line in hunk.splitlines()]
        before = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
        after = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
        if text.count(before) != 1:
            raise ValueError(f"found {text.count(before)} times, not once:\n{before}")
        text = text.replace(before, after)
    return text


def matches(expected: str, actual: str) -> bool:
    """Whether `actual` is `expected`, whose `...` stand for anything."""
    parts: list[str] = []
    for line in _clean(expected):
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.split("..."))) + r"\n")
    return re.fullmatch("".join(parts), "".join(line + "\n" for line in _clean(actual))) is not None


def _clean(text: str) -> list[str]:
    """The lines, without blanks at their ends, and without empty ones around them."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").splitlines()


def run(block: Block, folder: Path) -> list[str]:
    """Run a console block in `folder`; what differs from the page, in words."""
    script = "".join(
        f"{c.command}\nstatus=$?; printf '{END}%d{END}' $status; (exit $status)\n"
        for c in commands(block)
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            "COLUMNS": COLUMNS,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PINLAB": str(ROOT),
            "NO_COLOR": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    parts = done.stdout.split(END)
    outputs, statuses = parts[0:-1:2], parts[1::2]
    wrong: list[str] = []
    asked = [c.command == "echo $?" for c in commands(block)]
    for i, command in enumerate(commands(block)):
        where = f"line {command.line}: $ {command.command}"
        if not matches(command.output, outputs[i]):
            wrong.append(f"{where}\nthe page says\n{command.output}\nbut it prints\n{outputs[i]}")
        said = i + 1 < len(asked) and asked[i + 1]
        if statuses[i] != "0" and not said:
            wrong.append(f"{where}\nends with status {statuses[i]}:\n{outputs[i]}")
    return wrong


def follow(page: str, folder: Path) -> list[str]:
    """Do all that `page` says in the empty `folder`; what differs, in words."""
    wrong: list[str] = []
    for block in blocks(page):
        match block.kind:
            case "file":
                (folder / block.name).write_text(block.text, encoding="utf-8")
            case "change":
                path = folder / block.name
                path.write_text(changed(path.read_text("utf-8"), block.text), encoding="utf-8")
            case _:
                wrong += run(block, folder)
    return wrong

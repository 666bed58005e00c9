"""Writes the table of docs/findings/sweep.md: per design the smallest combinations that break it.

    python -m tools.sweep_page               sweep all designs (minutes) and rewrite the table
    python -m tools.sweep_page FILE.json     the same from what `pinlab sweep --json` printed

The reasons below the table are by hand. tests/lab/test_sweep_page.py holds rows to a fresh sweep.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pinlab.lab import design
from pinlab.objectives import order

PAGE = Path(__file__).parents[1] / "docs" / "findings" / "sweep.md"
BEGIN = "<!-- smallest: begin (python -m tools.sweep_page) -->"
END = "<!-- smallest: end -->"


def rows(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line per objective, combination and state that is the smallest of some designs."""
    lines: dict[tuple[str, str, str, str], list[str]] = {}
    for row in found:
        if row["verdict"] == "violated":
            how = f" ({row['reason']})" if row["reason"] and row["objective"] == "I16" else ""
            where = (row["objective"], f"`{', '.join(row['operations'])}`{how}", row["state"])
            lines.setdefault((*where, ""), []).append(f"{row['design']} {row['steps']}")
    for objective, operations, state, _ in sorted(lines, key=lambda key: (order(key[0]), key)):
        names = ", ".join(sorted(lines[objective, operations, state, ""]))
        yield f"| {objective} | {operations} | `{state}` | {names} |"


def table(found: Iterable[Mapping[str, Any]]) -> str:
    """The table, between its marks."""
    head = ["| objective | smallest combination | from | broken by, in how many steps |"]
    return "\n".join([BEGIN, *head, "|---|---|---|---|", *rows(found), END])


def _swept() -> Mapping[str, Any]:
    command = [sys.executable, "-c", "from pinlab.cli import main; main()", "sweep", "--json"]
    done = subprocess.run([*command, *design.names()], stdout=subprocess.PIPE, check=False)
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Rewrite the table."""
    found = json.loads(Path(sys.argv[1]).read_text()) if sys.argv[1:] else _swept()
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + table(found["rows"]) + after)
    print(PAGE)


if __name__ == "__main__":
    main()

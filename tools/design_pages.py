"""Writes the generated parts of docs/designs/ and of the README from a comparison.

The prose around them is by hand.

    python -m tools.design_pages             explore all designs and rewrite the parts
    python -m tools.design_pages FILE.json   the same from what `pinlab compare --json` printed

tests/docs/test_design_pages.py fails if a page disagrees with a fresh exploration.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pinlab.objectives import order
from tools import weak_page

README = Path(__file__).parents[1] / "README.md"
PAGES = README.parent / "docs" / "designs"
INDEX = "README.md"

FIRST = ("O1", "O2", "O3", "I3", "I4", "I12", "I13", "I13b")
"""The objectives that the README shows; the index of the pages has all."""

COLUMNS = ("pin, unpin", "struct page", "GUP-fast", "IRQ unpin")

BEGIN = "<!-- verdicts: begin (python -m tools.design_pages) -->"
END = "<!-- verdicts: end -->"

Row = Mapping[str, Any]
Comparison = Mapping[str, Any]
"""An object of the schema pinlab.compare/1."""

COSTS = {
    "atomic_rmw": "atomic read-modify-writes",
    "locks": "locks",
    "allocations": "allocations",
    "page_table_walks": "page table walks",
}


def designs(comparison: Comparison) -> list[str]:
    """The designs compared, in their order."""
    return list(dict.fromkeys(row["design"] for row in comparison["rows"]))


def part(comparison: Comparison, name: str) -> str:
    """The generated part of the page of design `name`."""
    rows = [row for row in comparison["rows"] if row["design"] == name]
    cost = next(cost for cost in comparison["costs"] if cost["design"] == name)
    return "\n".join([*_summary(rows), "", *_cost(cost), "", *_scenarios(rows)])


def overview(comparison: Comparison) -> str:
    """The generated part of the index: every design against every objective."""
    objectives = _objectives(comparison["rows"])
    lines = [
        "| design | " + " | ".join(objectives) + " |",
        "|---" * (1 + len(objectives)) + "|",
    ]
    for name in designs(comparison):
        own = [row for row in comparison["rows"] if row["design"] == name]
        cells = [_cell([row for row in own if row["objective"] == o]) for o in objectives]
        lines.append(f"| [{name}]({name}.md) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def front(comparison: Comparison) -> str:
    """The generated part of the README: the first objectives, and what it costs."""
    yes = {True: "yes", False: "no", None: "?"}
    lines = [
        f"| design | {' | '.join(FIRST)} | order | {' | '.join(COLUMNS)} |",
        "|---" * (2 + len(FIRST) + len(COLUMNS)) + "|",
    ]
    needs = weak_page.needs(weak_page.written())
    for cost in comparison["costs"]:
        name = cost["design"]
        own = [row for row in comparison["rows"] if row["design"] == name]
        cells = [_cell([row for row in own if row["objective"] == o]) for o in FIRST]
        cells.append(needs.get(name, ""))
        pin, unpin = (_short(cost[side]) for side in ("pin", "unpin"))
        cells += [f"{pin}; {unpin}", f"+{cost['struct_page_bytes']} B"]
        cells += [yes[cost["gup_fast"]], yes[cost["irq_unpin"]]]
        lines.append(f"| [{name}](docs/designs/{name}.md) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _short(counts: Mapping[str, int]) -> str:
    words = {"atomic_rmw": "rmw", "locks": "lock", "allocations": "alloc"}
    found = [f"{counts[kind]} {word}" for kind, word in words.items() if counts[kind]]
    return " ".join(found) or "0"


def updated(page: str, generated: str) -> str:
    """`page` with its generated part replaced. Raises ValueError without markers."""
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"a page needs one part between {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{generated}\n{END}", page)


def pages(comparison: Comparison) -> dict[Path, str]:
    """The generated part of every page that must exist."""
    found = {PAGES / f"{name}.md": part(comparison, name) for name in designs(comparison)}
    return {README: front(comparison), PAGES / INDEX: overview(comparison), **found}


def _objectives(rows: Iterable[Row]) -> list[str]:
    return sorted({row["objective"] for row in rows}, key=order)


def _cell(rows: list[Row]) -> str:
    """What several verdicts on one objective come to: the shortest violation, else unknown."""
    if not rows:
        return "-"
    steps = [row["steps"] for row in rows if row["verdict"] == "violated"]
    if steps:
        return f"✗ {min(steps)}"
    return "holds" if all(row["verdict"] == "holds" for row in rows) else "?"


def _summary(rows: list[Row]) -> list[str]:
    objectives = _objectives(rows)
    cells = [_cell([row for row in rows if row["objective"] == o]) for o in objectives]
    return [
        "| " + " | ".join(objectives) + " |",
        "|---" * len(objectives) + "|",
        "| " + " | ".join(cells) + " |",
    ]


def _cost(cost: Mapping[str, Any]) -> list[str]:
    def counted(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{counts[kind]} {words}" for kind, words in COSTS.items())

    yes = {True: "yes", False: "no", None: "not explored"}
    return [
        "| one pin | one unpin | added to struct page | pin in GUP-fast | unpin in an interrupt |",
        "|---|---|---|---|---|",
        f"| {counted(cost['pin'])} | {counted(cost['unpin'])} | {cost['struct_page_bytes']} bytes "
        f"| {yes[cost['gup_fast']]} | {yes[cost['irq_unpin']]} |",
    ]


def _scenarios(rows: list[Row]) -> list[str]:
    lines = ["| scenario | holds | violated (steps) | unknown | bounds |", "|---|---|---|---|---|"]
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        own = sorted(
            (row for row in rows if row["scenario"] == scenario),
            key=lambda r: order(r["objective"]),
        )
        holds = " ".join(row["objective"] for row in own if row["verdict"] == "holds")
        broken = [row for row in own if row["verdict"] == "violated"]
        violated = ", ".join(f"{row['objective']} ({row['steps']})" for row in broken)
        open_ = [row for row in own if row["verdict"] not in ("holds", "violated")]
        unknown = " ".join(row["objective"] for row in open_)
        if open_:
            unknown += ": " + "; ".join(dict.fromkeys(row["reason"] for row in open_))
        bounds = own[0]["bounds"]
        lines.append(f"| {scenario} | {holds} | {violated} | {unknown} | {bounds} |")
    return lines


def main(arguments: list[str]) -> None:
    """Rewrite the pages."""
    if arguments:
        text = Path(arguments[0]).read_text(encoding="utf-8")
    else:
        command = [str(Path(sys.executable).parent / "pinlab"), "compare", "--json"]
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    for path, generated in pages(json.loads(text)).items():
        page = path.read_text("utf-8") if path.exists() else f"# {path.stem}\n\n{BEGIN}\n{END}\n"
        path.write_text(updated(page, generated), encoding="utf-8")
        print(path.relative_to(README.parent))


if __name__ == "__main__":
    main(sys.argv[1:])

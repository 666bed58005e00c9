"""Writes the table of docs/weak-memory.md: the verdicts that a memory model changes.

    python -m tools.weak_page                     compare all designs under each: half an hour
    python -m tools.weak_page SC.json X86.json ARM.json
                                                  the same from what `pinlab compare --json
                                                  --memory-model ...` printed

tools/design_pages.py takes the README's column from it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinlab.lab.weak import NAMES
from pinlab.objectives import order

PAGE = Path(__file__).parents[1] / "docs" / "weak-memory.md"
BEGIN = "<!-- changed: begin (python -m tools.weak_page) -->"
END = "<!-- changed: end -->"
HEAD = ("objective", "design", "scenarios", *NAMES)

Comparison = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """An objective of a design whose verdict differs between models in some scenarios: what it is
    under each, in the order of NAMES, as the table says it."""

    objective: str
    design: str
    scenarios: tuple[str, ...]
    verdicts: tuple[str, ...]

    @property
    def needs(self) -> str:
        """The weakest order under which it is not violated; empty if it is nowhere known to be."""
        violated = [verdict.startswith("✗") for verdict in self.verdicts]
        if not any(violated) or violated[0]:
            return ""
        return "sc" if violated[1] else "x86"


def changed(comparisons: Sequence[Comparison]) -> list[Changed]:
    """What differs between comparisons, one under each model. Scenarios in which it differs alike
    are one line, with the shortest counterexamples."""
    rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for comparison in comparisons:
        for row in comparison["rows"]:
            rows.setdefault((row["objective"], row["design"], row["scenario"]), []).append(row)
    alike: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, list[Mapping[str, Any]]]]] = {}
    for (objective, design, scenario), each in rows.items():
        verdicts = tuple(row["verdict"] for row in each)
        if len(set(verdicts)) > 1:
            alike.setdefault((objective, design, verdicts), []).append((scenario, each))
    found = [
        Changed(objective, design, tuple(name for name, _ in same), tuple(_said(same)))
        for (objective, design, _), same in alike.items()
    ]
    return sorted(found, key=lambda it: (order(it.objective), it.design, it.scenarios))


def _said(same: list[tuple[str, list[Mapping[str, Any]]]]) -> Iterator[str]:
    for rows in zip(*(rows for _, rows in same), strict=True):
        steps = [row["steps"] for row in rows if row["steps"] is not None]
        words = {"holds": "holds", "unknown": "?", "inconclusive": "?"}
        yield f"✗ {min(steps)}" if steps else words[rows[0]["verdict"]]


def table(found: Iterable[Changed]) -> str:
    """The table, between its marks."""
    lines = [BEGIN, f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for it in found:
        cells = (it.objective, it.design, ", ".join(it.scenarios), *it.verdicts)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, END])


def written() -> list[Changed]:
    """What the page has."""
    _, _, rest = PAGE.read_text().partition(BEGIN)
    lines = rest.partition(END)[0].strip().splitlines()[2:]
    cells = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return [Changed(o, d, tuple(s.split(", ")), tuple(v)) for o, d, s, *v in cells]


def needs(found: Iterable[Changed]) -> dict[str, str]:
    """By design what the README says: of each objective the order that it needs."""
    said: dict[str, dict[str, str]] = {}
    for it in found:
        if it.needs:
            words = said.setdefault(it.design, {})
            words[it.objective] = "sc" if "sc" in (it.needs, words.get(it.objective)) else "x86"
    return {
        design: ", ".join(f"{name}: {words[name]}" for name in sorted(words, key=order))
        for design, words in said.items()
    }


def _compared(model: str) -> Comparison:
    command = [sys.executable, "-c", "from pinlab.cli import main; main()", "compare", "--json"]
    asked = ["--memory-model", model, "--max-states", "4000000"]
    done = subprocess.run([*command, *asked], stdout=subprocess.PIPE, check=False)
    found: Comparison = json.loads(done.stdout)
    return found


def main() -> None:
    """Rewrite the table."""
    files = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    found = changed(files or [_compared(model) for model in NAMES])
    text = PAGE.read_text()
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: table(found), text))
    print(PAGE)


if __name__ == "__main__":
    main()

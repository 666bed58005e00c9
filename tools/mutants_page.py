"""The score in docs/mutants.md, beside that of the standing scenarios, from `pinlab mutate --json`.

`python -m tools.mutants_page [FILE.json]`; without a file the mutants are hunted. The standing
scenarios are asked in the designs of DESIGNS, which takes its time the first time.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from pinlab.lab import build, face, worlds
from pinlab.lab import design as designs
from pinlab.lab.design import Design
from pinlab.lab.mutants import equivalent, score
from pinlab.lab.mutants.base import Asking, Question, asked
from pinlab.lab.mutants.hunt import hunt
from pinlab.lab.mutants.mutation import Mutant
from pinlab.lab.orders import orders
from pinlab.lab.processes import in_processes

PAGE: Final = Path(__file__).parents[1] / "docs" / "mutants.md"

DESIGNS: Final = ("untracked", "mapcount-v3")
"""Whose standing scenarios are asked: each takes minutes, and a second one notices few more."""

DRAWN: Final = 20
SEED: Final = 20181204
"""The draw is the same for everybody: the day on which the thread began."""

Named = tuple[str, str, str]
"""A mutant: function, kind, what."""


def main() -> None:
    """Rewrite what is between the marks."""
    found = json.loads(Path(sys.argv[1]).read_text()) if sys.argv[1:] else _hunted()
    mutants: list[Mapping[str, Any]] = found["mutants"]
    _require_no_refuted(mutants)
    by_hand = _by_hand()
    text = PAGE.read_text()
    for name, lines in (
        ("score", functions(mutants, by_hand)),
        ("survivors", survivors(mutants)),
        ("drawn", drawn(mutants)),
    ):
        text = _between(text, name, "\n".join(lines))
    PAGE.write_text(text)
    print(PAGE)


def _require_no_refuted(mutants: Sequence[Mapping[str, Any]]) -> None:
    """Reasons are of those that nothing notices."""
    reasons = equivalent.reasons(worlds.DEFAULT.name)
    killed = {(it["function"], it["kind"], it["what"]) for it in mutants if it["by"] is not None}
    if refuted := sorted(killed & reasons.keys()):
        raise SystemExit(f"these are noticed, so their reasons are wrong: {refuted}")


def _between(text: str, name: str, lines: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, there, rest = text.partition(begin)
    _, also, after = rest.partition(end)
    assert there and also, f"{PAGE} has no marks for {name}"
    return f"{before}{begin}\n{lines}\n{end}{after}"


def _hunted() -> Mapping[str, Any]:
    command = [sys.executable, "-c", "from pinlab.cli import main; main()", "mutate", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


# ------------------------------------------------------------------------- the standing scenarios


def _by_hand() -> frozenset[Named]:
    """The mutants that the standing scenarios notice."""
    home = worlds.load("4.20")
    left = list(score.chosen(designs.load(home.empty), ()))
    found: set[Named] = set()
    for name in DESIGNS:
        killed = set(_killed(designs.load(name), left))
        found |= {_named(it) for it in killed}
        left = [it for it in left if it not in killed]
        print(f"{name}: {len(killed)} of {len(killed) + len(left)}", file=sys.stderr)
    return frozenset(found)


def _named(it: Mutant) -> Named:
    return it.function, it.kind, it.what


def _killed(design: Design, wanted: Sequence[Mutant]) -> Iterator[Mutant]:
    asking = Asking(design, face.probe(design).known)
    jobs = os.cpu_count() or 1
    it = asked(asking, tuple(_questions(design)), jobs)
    assert it is not None
    code = build.program(design)
    reached = [
        mutant
        for mutant in wanted
        if mutant.function in code.digests and mutant.function not in design.replaced
    ]
    with closing(in_processes(partial(hunt, base=it), reached, jobs)) as hunts:
        for mutant, each in zip(reached, hunts, strict=True):
            if each.kill is not None:
                yield mutant


def _questions(design: Design) -> Iterator[Question]:
    for name, scenario in sorted(build.known(design).items()):
        if scenario.judges and not (scenario.probes or scenario.misuse or scenario.fault):
            for ordered in orders(design, scenario):
                yield Question((name,), "", ordered)


# --------------------------------------------------------------------------------------- the page


def functions(mutants: Sequence[Mapping[str, Any]], by_hand: frozenset[Named]) -> Iterator[str]:
    """A row per function, and one for all."""
    yield "| function | mutants | standing scenarios | killed | survived | equivalent |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name in sorted({it["function"] for it in mutants}):
        yield _row(f"`{name}`", [it for it in mutants if it["function"] == name], by_hand)
    for kind in dict.fromkeys(it["kind"] for it in mutants):
        yield _row(f"all `{kind}`", [it for it in mutants if it["kind"] == kind], by_hand)
    yield _row("**all**", mutants, by_hand)


def _row(head: str, own: Sequence[Mapping[str, Any]], by_hand: frozenset[Named]) -> str:
    standing = sum((it["function"], it["kind"], it["what"]) in by_hand for it in own)
    said = [it["status"] for it in own]
    counts = [said.count(status) or "" for status in ("killed", "survived", "equivalent")]
    return f"| {head} | {len(own)} | {standing or ''} | " + " | ".join(map(str, counts)) + " |"


def survivors(mutants: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is missing, by name."""
    for it in mutants:
        if it["status"] == "survived":
            yield f"- `{it['function']}`, {it['kind']}: `{it['what']}`"


def drawn(mutants: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Some of those that nothing can tell apart, drawn at random, and why."""
    there = [it for it in mutants if it["status"] == "equivalent"]
    chosen = random.Random(SEED).sample(range(len(there)), min(DRAWN, len(there)))
    for at, number in enumerate(sorted(chosen), 1):
        it = there[number]
        why = re.sub(r"\s+", " ", it["why"])
        yield f"{at}. `{it['function']}`, {it['kind']}: `{it['what']}`.\n   {why}"


if __name__ == "__main__":
    main()

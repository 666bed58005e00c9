"""Writes the generated parts of docs/holders.md from what this machine shows.

    python -m tools.holders_page          run the programs of tests/live/made.py; rewrite the table
    python -m tools.holders_page share    the share of references that is explained, when busy

Both need root and take seconds. The prose around them is by hand.
"""

from __future__ import annotations

import platform
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests.live.busy import busy
from tests.live.made import PROGRAMS, Program, of, running

from pinlab.field.census import Census, Confidence, Folios, Kind, census
from pinlab.field.census.counting import count as counted_as
from pinlab.field.census.place import place
from pinlab.field.census.reading import read
from pinlab.field.census.result import on_the_way
from pinlab.field.holders.attribution import Walked, attribute, join, walk
from pinlab.field.holders.frames import heads_of
from pinlab.field.holders.kernel import Kernel
from pinlab.field.layout.page import PIN_BIAS, page_layout
from pinlab.field.machine import syscalls
from pinlab.field.memory.live import LiveReader

PAGE = Path(__file__).parents[1] / "docs" / "holders.md"
TABLE, SHARE = "holders", "share"
SAMPLE = 100
"""Folios that are looked at."""
WARM = 5.0
"""Seconds until all of the load is under way."""


def begin(part: str) -> str:
    """The line before a generated part."""
    argument = "" if part == TABLE else f" {part}"
    return f"<!-- {part}: begin (python -m tools.holders_page{argument}) -->"


def end(part: str) -> str:
    """The line after it."""
    return f"<!-- {part}: end -->"


def row(live: LiveReader, program: Program) -> str:
    """A program's row of the table."""
    try:
        with running(program) as made:
            whole = attribute(live)
    except RuntimeError as error:
        return f"| {program.what} | {program.kind} | {program.counted_as} | | {error} | |"
    mine = of((share.claim for share in whole.shares), program, made)
    found = sum(claim.extents.total for claim in mine)
    expected = str(made.count) if made.count else "as its pages' counts say"
    how = ", ".join(sorted({str(claim.mapped) for claim in mine if claim.mapped})) or "?"
    words = (program.what, program.kind, program.counted_as, expected, str(found), how)
    return f"| {' | '.join(words)} |"


def table() -> str:
    """The table of holders that programs made here."""
    with LiveReader() as live:
        rows = [row(live, program) for program in PROGRAMS]
    head = ["| made here | holder | counted as | expected | found | mapped |"]
    head.append("|---|---|---|---|---|---|")
    return "\n".join([*head, *rows])


@dataclass(frozen=True)
class Share:
    """References to some folios, and by whom they are explained."""

    folios: int
    references: int
    books: int
    claims: int
    rest: Counter[str]

    def sentence(self, what: str) -> str:
        """In words."""
        known = self.books + self.claims
        text = f"{self.folios} {what}: {self.references:,} references, of which the kernel's books "
        text += f"explain {self.books:,} and holders {self.claims:,}: "
        text += f"{100 * known / self.references:.2f} %."
        kinds = ", ".join(f"{count:,} of {name}" for name, count in self.rest.most_common(5))
        return f"{text} The rest: {kinds}." if kinds else text


def share(live: LiveReader, taken: Census, walked: Walked) -> Share:
    """Who explains the references to the folios of a census. A pin of a small folio is 1,024."""
    whole, folios = join(taken, walked), taken.folios
    lru = next(bit for bit, name in taken.flag_names.items() if name == "lru")
    books = folios.expected + np.minimum(on_the_way(folios, lru), folios.unexplained)
    known = np.zeros(len(folios), np.int64) if whole.plain is None else whole.plain
    pins = np.minimum(whole.explained + whole.weakly, folios.pins)
    claims = np.minimum(known, taken.references) + pins * np.where(folios.order == 0, PIN_BIAS, 1)
    left = folios.refcount - books - claims
    rest: Counter[str] = Counter()
    for each, count in zip(place(live, taken).rows(), left.tolist(), strict=True):
        if count:
            rest[f"{each.kind.name.lower()} memory, {each.where}"] += count
    references, by_books, by_claims = (int(each.sum()) for each in (folios.refcount, books, claims))
    return Share(len(folios), references, by_books, by_claims, rest)


def some(folios: Folios, count: int, draw: random.Random) -> Folios:
    """So many of them, any."""
    rows = draw.sample(range(len(folios)), min(count, len(folios)))
    return folios.take(np.array(sorted(rows), np.intp))


def any_folios(live: LiveReader, count: int, draw: random.Random) -> Folios:
    """So many folios of processes and files, anywhere in memory."""
    kernel, layout = Kernel(live), page_layout(live.btf)
    ranges = live.ranges()
    frames = np.array(
        [draw.randrange(each.first, each.end) for each in ranges for _ in range(50 * count)],
        np.uint64,
    )
    heads = np.unique(heads_of(kernel, frames))
    parts = []
    for large in (False, True):
        counted = counted_as(read(live, layout, heads, large), layout, ())
        of_users = np.isin(counted.folios.kind, [Kind.ANON, Kind.FILE, Kind.KSM])
        parts.append(counted.folios.take(counted.valid & of_users))
    names = Folios.__dataclass_fields__
    both = {name: np.concatenate([getattr(each, name) for each in parts]) for name in names}
    return some(Folios(**both), count, draw)


def shares(seed: int) -> list[str]:
    """Two samples of a busy machine, in words."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, LiveReader() as live, busy(Path(folder)):
        time.sleep(WARM)
        syscalls.drain_batches()
        taken, walked = census(live, references=True), walk(live)
        same = taken.folios.confidence != Confidence.UNSTABLE
        held = replace(taken, folios=some(taken.folios.take(same), SAMPLE, draw))
        before = any_folios(live, SAMPLE, draw)
        return [
            share(live, replace(taken, folios=before), walk(live)).sentence(
                "folios of processes and files, any"
            ),
            share(live, held, walked).sentence("folios that are pinned or referenced beyond them"),
        ]


def put(part: str, text: str) -> None:
    """Replace a generated part of the page."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(begin(part))
    _, _, tail = rest.partition(end(part))
    PAGE.write_text(f"{head}{begin(part)}\n{text}\n{end(part)}{tail}", encoding="utf-8")


def main() -> None:
    """Rewrite what was asked for."""
    if sys.argv[1:] == [SHARE]:
        lines = [f"* {line}" for line in shares(seed=1)]
        put(SHARE, "\n".join([f"Linux {platform.release()}:", "", *lines]))
    else:
        put(TABLE, table())


if __name__ == "__main__":
    main()

"""Writes the generated parts of docs/audit.md and docs/mapcount.md from kernels' sources.

    python -m tools.audit_page FOLDER...     audit these kernels, oldest first; rewrite the parts

The prose around them is by hand. tests/audit/test_debian.py holds the counts of whole trees to
those of the page, as long as the release is the same.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pinlab.audit.audit import audit
from pinlab.audit.mapcount.audit import Mapcounts, mapcounts
from pinlab.audit.mapcount.effects import WRONG, Effect
from pinlab.audit.mapcount.scheme import Counters, Pages, Scheme
from pinlab.audit.results import Audit, Rule, Verdict

DOCS = Path(__file__).parents[1] / "docs"
SITES = DOCS / "audit.md"
READERS = DOCS / "mapcount.md"

SCHEMES = (
    Scheme(),
    Scheme(Pages.all, Counters.both),
    Scheme(Pages.file, Counters.mapcount),
)


def begin(part: str) -> str:
    """The line before a generated part."""
    return f"<!-- {part}: begin (python -m tools.audit_page) -->"


def end(part: str) -> str:
    """The line after it."""
    return f"<!-- {part}: end -->"


def row_of(found: Audit) -> str:
    """A kernel's row in the table of sites."""
    counted = Counter(each.verdict for each in found.sites)
    broken = Counter(each.rule for site in found.sites for each in site.hazards)
    cells = [
        found.release,
        f"{found.files:,}",
        str(len(found.sites)),
        *(str(counted[each]) for each in Verdict),
        *(str(broken[each]) for each in Rule),
    ]
    return _row(cells)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    return "\n".join([_row(heads), "|" + "---|" * len(heads), *rows])


def kernels(audits: Sequence[Audit]) -> str:
    """All kernels: how many sites of each verdict, how many hazards."""
    heads = ["kernel", "files of C", "sites", *(each.value for each in Verdict)]
    return _table([*heads, *(each.value for each in Rule)], map(row_of, audits))


def wrong(audits: Sequence[Audit]) -> str:
    """Every site that is wrong, of any kernel."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for found in audits:
        for site in found.sites:
            if site.verdict is Verdict.wrong:
                bad = next(each for each in site.paths if each.verdict is Verdict.wrong)
                text = f"{site.file}:{site.line}, {bad.release}() in {bad.file}:{bad.line}"
                rows.setdefault((site.file, site.function), {})[found.release] = text
    lines = []
    for (_, function), where in sorted(rows.items()):
        lines += [_row([function, release, text]) for release, text in where.items()]
    return _table(["function", "kernel", "taken, let go"], lines)


def hazards(found: Audit) -> str:
    """Every hazard of one kernel."""
    lines = {
        _row([each.rule.value, f"{site.file}:{site.line} {site.function}", each.text])
        for site in found.sites
        for each in site.hazards
    }
    return _table(["rule", "site", "what was seen"], sorted(lines))


def schemes(found: Sequence[Sequence[Mapcounts]]) -> str:
    """Per kernel and scheme: how many readers would be wrong, and how."""
    lines = []
    for several in found:
        for each in several:
            counted = Counter(reader.effect for reader in each.wrong)
            unknown = sum(reader.effect is Effect.unknown for reader in each.readers)
            cells = [each.release, str(each.scheme), str(len(each.readers)), str(len(each.wrong))]
            lines.append(_row([*cells, *(str(counted[effect]) for effect in WRONG), str(unknown)]))
    heads = ["kernel", "scheme", "readers", "would be wrong", *(each.value for each in WRONG)]
    return _table([*heads, "not known"], lines)


def blind(found: Mapcounts) -> str:
    """The readers that are blind to pins or never see zero, of one kernel."""
    lines = [
        _row(
            [
                each.effect.value,
                f"{each.file}:{each.line} {each.function}",
                each.decides.value,
                f"`{each.expression.replace('|', chr(92) + '|')}`",
            ]
        )
        for each in found.wrong
        if each.effect in (Effect.blind, Effect.never_zero)
    ]
    return _table(["a pin is to it", "reader", "decides", "expression"], lines)


def rewrite(page: Path, part: str, text: str) -> None:
    """Put a generated part into its place."""
    before = page.read_text()
    start, stop = before.index(begin(part)) + len(begin(part)), before.index(end(part))
    page.write_text(f"{before[:start]}\n{text}\n{before[stop:]}")


def main(folders: Sequence[str]) -> None:
    """Audit the kernels and rewrite the parts."""
    audits = [audit(Path(each)) for each in folders]
    found = [[mapcounts(Path(each), scheme) for scheme in SCHEMES] for each in folders]
    newest = next((each for each in audits if each.release.startswith("7.2.")), audits[-1])
    rewrite(SITES, "kernels", kernels(audits))
    rewrite(SITES, "wrong", wrong(audits))
    rewrite(SITES, "hazards", hazards(newest))
    rewrite(READERS, "schemes", schemes(found))
    rewrite(READERS, "oldest", blind(found[0][0]))
    rewrite(READERS, "newest", blind(found[audits.index(newest)][0]))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The pages: the matrix first, then each design, and each counterexample where it can be played.

A folder has a file for each of them. One file has the designs below the matrix and counterexamples
as figures, since a player is a page of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from string import Template

from pinlab.lab.results import Row
from pinlab.objectives import order
from pinlab.objectives.verdict import Outcome, Verdict, worst
from pinlab.report.page.shell import asset, page, table_script
from pinlab.report.player import figure
from pinlab.report.player import page as player
from pinlab.report.site import Subject, design
from pinlab.report.site.design import Links
from pinlab.report.table import counted, explored

TITLE = "pinlab: designs and objectives"

LEGEND = (
    "holds: no violation in any state of any scenario, within the bounds that the cell leads to. "
    "\u2717 N: violated, the shortest counterexample takes N steps (0: lost from the first state). "
    "?: unknown, not everything was explored. -: no scenario asks. Under sequential consistency."
)


def folder(subjects: Sequence[Subject]) -> dict[str, str]:
    """The files of a folder by name; index.html is where to begin."""
    names = _names(subjects)
    links = Links(
        design=lambda name: f"{names[name]}.html",
        race=lambda name, objective: f"{names[name]}-{objective}.html",
        home="index.html",
    )
    found = {"index.html": _page(TITLE, _matrix(subjects, links), scripted=True)}
    for it in subjects:
        body = "".join(design.sections(it, links))
        found[f"{names[it.info.name]}.html"] = _page(it.info.name, body)
        for objective, film in it.films.items():
            found[f"{names[it.info.name]}-{objective}.html"] = player.html(
                film, links.design(it.info.name)
            )
    return found


def single(subjects: Sequence[Subject]) -> str:
    """All of it in one file."""
    names = _names(subjects)
    links = Links(
        design=lambda name: f"#{names[name]}",
        race=lambda name, objective: f"#{names[name]}-{objective}",
        home="#matrix",
    )
    parts = [_matrix(subjects, links)]
    for it in subjects:
        parts += design.sections(it, links, beside_matrix=True)
        for objective, film in it.films.items():
            at = f"{names[it.info.name]}-{objective}"
            command = f"pinlab explain {it.info.path or it.info.name} {objective} -o race.html"
            parts.append(
                f'<figure id="{at}">{figure.svg(film)}<figcaption>To step through it: '
                f"<code>{escape(command)}</code></figcaption></figure>"
            )
    return _page(TITLE, "".join(parts), scripted=True)


def _page(title: str, body: str, *, scripted: bool = False) -> str:
    return page(
        title,
        body,
        style=asset(__package__, "site.css"),
        script=table_script() + asset(__package__, "matrix.js") if scripted else "",
    )


def _names(subjects: Sequence[Subject]) -> Mapping[str, str]:
    """What each design is called in addresses: no two alike."""
    found: dict[str, str] = {}
    for it in subjects:
        plain = re.sub(r"[^a-z0-9.]+", "-", it.info.name.lower()).strip("-.") or "design"
        taken = {"index", *found.values()}
        number = next(n for n in range(len(taken) + 1) if _numbered(plain, n) not in taken)
        found[it.info.name] = _numbered(plain, number)
    return found


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}.{number + 1}"


def _matrix(subjects: Sequence[Subject], links: Links) -> str:
    names = sorted({row.objective for it in subjects for row in it.rows}, key=order)
    heads = (
        "design",
        "kind",
        *names,
        "pin",
        "unpin",
        "struct page",
        "GUP-fast",
        "IRQ unpin",
        "states",
    )
    changed = "".join(design.changes(it, links) for it in subjects if it.difference is not None)
    return Template(asset(__package__, "matrix.html")).substitute(
        changes=changed,
        heads="".join(
            f'<th scope="col"><button type="button">{escape(it)}</button></th>' for it in heads
        ),
        rows="".join(_row(it, names, links) for it in subjects),
        legend=escape(LEGEND),
    )


def _row(it: Subject, objectives: Sequence[str], links: Links) -> str:
    own: dict[str, list[Row]] = {}
    for row in it.rows:
        own.setdefault(row.objective, []).append(row)
    cells = [_verdict(it, name, own.get(name, []), links) for name in objectives]
    states, _ = explored(it.rows)
    where = escape(links.design(it.info.name))
    title = f'<a href="{where}" title="{escape(it.info.summary)}">{escape(it.info.name)}</a>'
    rest = (*_cost(it), (f"{states:,}", states))
    return (
        f'<tr><th scope="row">{title}</th><td>{escape(it.info.kind)}</td>{"".join(cells)}'
        + "".join(f'<td data-sort="{number}">{escape(text)}</td>' for text, number in rest)
        + "</tr>\n"
    )


def _cost(it: Subject) -> Iterator[tuple[str, int]]:
    """What a design costs, each with a number to sort by."""
    cost = it.cost
    if cost is None:
        yield from [("?", -1)] * 5
        return
    yield counted(cost.pin), sum(cost.pin.values())
    yield counted(cost.unpin), sum(cost.unpin.values())
    yield f"+{cost.struct_page_bytes} B", cost.struct_page_bytes
    for answer in (cost.gup_fast, cost.irq_unpin):
        yield {True: ("yes", 1), False: ("no", 0), None: ("?", -1)}[answer]


def _verdict(it: Subject, objective: str, rows: Sequence[Row], links: Links) -> str:
    """A cell: what is violated leads to its counterexample, all else to its bounds."""
    if not rows:
        return '<td class="none" data-sort="-1">-</td>'
    verdict = worst([row.verdict for row in rows])
    words, number = _words(verdict)
    name = it.info.name
    where = (
        links.race(name, objective)
        if objective in it.films
        else design.anchor(links.design(name), name, objective)
    )
    said = escape(f"{name}, {objective}: {verdict}")
    return (
        f'<td class="{verdict.outcome.value}" data-sort="{number}">'
        f'<a href="{escape(where)}" title="{said}">{words}</a></td>'
    )


def _words(verdict: Verdict) -> tuple[str, int]:
    if verdict.outcome is Outcome.HOLDS:
        return "holds", 1_000_000
    if verdict.outcome is Outcome.VIOLATED:
        return f"&#10007;&nbsp;{verdict.steps}", verdict.steps or 0
    return "?", 500_000

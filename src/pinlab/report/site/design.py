"""One design: what it is and changes, its verdicts with their bounds, its code and its cost."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape

from pinlab.lab.results import Change, Hook, Row, Swept
from pinlab.objectives import order
from pinlab.objectives.verdict import Outcome, severity
from pinlab.report.site import Subject
from pinlab.report.sweep import figures
from pinlab.report.table import counted

PAIRS = "Operations that come to what it replaces"


@dataclass(frozen=True, slots=True)
class Links:
    """Where things are: a design by name, a counterexample by design and objective, the matrix."""

    design: Callable[[str], str]
    race: Callable[[str, str], str]
    home: str


def anchor(page: str, name: str, objective: str) -> str:
    """Where the bounds of a verdict are."""
    return f"{page.partition('#')[0]}#{_id(name, objective)}"


def _id(*words: str) -> str:
    return "rows-" + "-".join(re.sub(r"[^A-Za-z0-9]+", "-", word) for word in words)


def sections(it: Subject, links: Links, *, beside_matrix: bool = False) -> Iterator[str]:
    """The parts of its page, in HTML; what a patch changes stands above a matrix already."""
    info = it.info
    here = links.design(info.name).rpartition("#")[2]
    yield (
        f'<header id="{escape(here)}" class="design"><h1>{escape(info.name)}</h1>'
        f"<p>{escape(info.summary)}</p>"
        f'<p><a href="{links.home}">all designs</a></p></header>'
    )
    if not beside_matrix:
        yield changes(it, links)
    yield f"<h2>What it replaces</h2>{''.join(map(_hook, it.known.hooks)) or '<p>Nothing.</p>'}"
    yield f"<h2>Verdicts</h2>{_rows(it, it.rows, links)}"
    yield f"<h2>Cost</h2>{_cost(it)}"
    yield f"<h2>The sweep</h2>{_sweep(it)}"
    yield f"<h2>Memory models</h2>{_models(it, links)}"


def changes(it: Subject, links: Links) -> str:
    """Of a patch: what differs from what it builds on."""
    found = it.difference
    if found is None:
        return ""
    lines = [
        f"<tr><td>{escape(each.objective)}</td><td>{escape(each.scenario)}</td>"
        f"<td>{escape(str(each.before))}</td><td>{_now(it, each, links)}</td></tr>"
        for each in sorted(found.changes, key=_worst_first)
    ]
    table = (
        '<div class="wide"><table><thead><tr><th>objective</th><th>scenario</th>'
        f"<th>{escape(found.base)}</th><th>now</th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    new = "".join(
        f"<li>{escape(each.failed.objective)} in {escape(each.failed.scenario)}: "
        f"{escape(each.failed.failure)}{'' if each.known else ', which may not be new'}</li>"
        for each in found.failures
    )
    unsaid = "".join(
        f"<li>{escape(function)} no longer says {escape(event)}: what objectives make of that is "
        "not known.</li>"
        for function, event in found.unsaid
    )
    pairs = "" if it.swept is None else "".join(_swept(it.swept, PAIRS, found.base))
    where = escape(links.design(it.info.name))
    return (
        f'<section class="{"bad" if found.broke else ""}"><h2><a href="{where}">'
        f"{escape(it.info.name)}</a> beside {escape(found.base)}</h2>"
        f"<p>{found.verdicts:,} verdicts in {found.scenarios:,} scenarios compared, "
        f"{found.states:,} states: {len(lines) or 'none'} differ"
        f"{'s' if len(lines) == 1 else ''}.</p>{table if lines else ''}"
        f"{f'<p>New ways to fail:</p><ul>{new}</ul>' if new else ''}"
        f"{f'<ul>{unsaid}</ul>' if unsaid else ''}{pairs}</section>"
    )


def _worst_first(each: Change) -> tuple[bool, tuple[int, int], tuple[int, int, str]]:
    after = (sys.maxsize, 0) if each.after is None else severity(each.after)
    return not each.broke, after, order(each.objective)


def _now(it: Subject, each: Change, links: Links) -> str:
    """The verdict of a patch; it leads to the counterexample, if there is one to play."""
    words = escape(str(each.after))
    film = it.films.get(each.objective)
    if film is None or film.trace.scenario != each.scenario:
        return words
    return f'<a href="{escape(links.race(it.info.name, each.objective))}">{words}</a>'


def _rows(it: Subject, rows: Iterable[Row], links: Links, name: str = "") -> str:
    """Verdicts with their bounds; the first of an objective can be pointed at."""
    told: set[str] = set()
    lines = []
    for row in sorted(rows, key=lambda row: (order(row.objective), severity(row.verdict))):
        at = ""
        if row.objective not in told and not name:
            at = f' id="{_id(it.info.name, row.objective)}"'
        told.add(row.objective)
        film = it.films.get(row.objective)
        words = escape(_word(row))
        if film is not None and film.trace.scenario == row.scenario and not name:
            where = escape(links.race(it.info.name, row.objective))
            words = f'<a href="{where}">{words}</a>'
        lines.append(
            f'<tr{at} class="{row.verdict.outcome.value}"><td>{escape(row.objective)}</td>'
            f"<td>{escape(row.scenario)}</td><td>{words}</td><td>{row.states:,}</td>"
            f'<td class="bounds">{escape(row.bounds or row.reason)}</td></tr>'
        )
    return (
        '<div class="wide"><table><thead><tr><th>objective</th><th>scenario</th><th>verdict</th>'
        f"<th>states</th><th>bounds</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _word(row: Row) -> str:
    if row.verdict.outcome is Outcome.HOLDS:
        return "holds"
    return str(row.verdict)


def _cost(it: Subject) -> str:
    cost = it.cost
    if cost is None:
        return "<p>Not counted.</p>"
    yes = {True: "yes", False: "no", None: "not known"}
    lines = {
        "a pin": counted(cost.pin),
        "an unpin": counted(cost.unpin),
        "struct page": f"+{cost.struct_page_bytes} bytes",
        "in GUP-fast": yes[cost.gup_fast],
        "unpin in an interrupt": yes[cost.irq_unpin],
    }
    told = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in lines.items())
    return f"<dl>{told}</dl>"


def _hook(it: Hook) -> str:
    """Its code beside that of its world."""
    return (
        f'<article class="hook"><h3>{escape(it.name)} <small>{escape(it.file)}</small></h3>'
        f'<div class="beside"><div><h4>before</h4>{_code(it.before)}</div>'
        f"<div><h4>this design</h4>{_code(it.lines)}</div></div></article>"
    )


def _code(lines: Iterable[tuple[int, str]]) -> str:
    text = "\n".join(f"<i>{number}</i>{escape(line)}" for number, line in lines)
    return f"<pre>{text}</pre>"


def _sweep(it: Subject) -> str:
    if it.swept is not None:
        base = "" if it.difference is None else it.difference.base
        return "".join(_swept(it.swept, PAIRS, base))
    found = it.known.swept
    if found is None:
        return (
            "<p>Nobody has swept it yet: <code>"
            f"{escape(f'pinlab sweep {it.info.path or it.info.name}')}</code>, "
            "then this page again.</p>"
        )
    return "".join(_swept(found, "All combinations of operations"))


def _swept(found: Swept, title: str, base: str = "") -> Iterator[str]:
    """What breaks something, and what is not known; the figures; and what nothing breaks."""
    smallest, verdicts = found.smallest(), found.verdicts()
    known = sorted(verdicts.keys() - found.left_out, key=order)
    open_ = [name for name in known if verdicts[name].outcome is not Outcome.HOLDS]
    lines = []
    for name in open_:
        verdict, least = verdicts[name], smallest.get(name)
        where = ("", "") if least is None else (", ".join(least.operations), least.state)
        cells = (name, str(verdict), *where)
        lines.append(
            f'<tr class="{verdict.outcome.value}">'
            f"{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        )
    yield f"<p>{escape(title)}: {escape(' '.join(figures(found)))}</p>"
    if lines:
        yield (
            '<div class="wide"><table><thead><tr><th>objective</th><th>verdict</th>'
            "<th>smallest operations</th><th>from</th></tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table></div>"
        )
    if holding := [name for name in known if name not in open_]:
        yield f"<p>None of these combinations breaks {escape(' '.join(holding))}.</p>"
    if found.left_out:
        names = " ".join(sorted(found.left_out, key=order))
        yield f"<p>Only what {escape(base)} breaks in the same way breaks {escape(names)}.</p>"
    if found.stopped:
        yield f"<p>Stopped early: {escape(found.stopped)}.</p>"


def _models(it: Subject, links: Links) -> str:
    """Rows under other memory models that differ from those under sequential consistency."""
    if not it.known.models:
        name = it.info.path or it.info.name
        return (
            "<p>Nobody has asked under another memory model yet: <code>"
            f"{escape(f'pinlab check {name} --memory-model arm64')}</code>, "
            "then this page again.</p>"
        )
    usual = {(row.objective, row.scenario): row.verdict.outcome for row in it.rows}
    parts = []
    for model, rows in it.known.models.items():
        differ = [
            row for row in rows if usual.get((row.objective, row.scenario)) != row.verdict.outcome
        ]
        head = f"<p>{escape(model)}: {len(rows):,} verdicts, {len(differ):,} are others.</p>"
        parts.append(head + (_rows(it, differ, links, model) if differ else ""))
    return "".join(parts)

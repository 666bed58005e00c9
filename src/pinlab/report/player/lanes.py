"""The race at a glance: a lane for each actor, a box for each step, arcs for orders that matter."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pinlab.lab.film import Film

HEIGHT = 26
"""Pixels of a lane; the names beside them have as many."""
TOP = 16
"""Above the first lane, for what is said of a step."""
WIDE, NARROW = 26, 10
"""Pixels of a step, at most and at least."""
ROOM = 1060
"""For all steps, if they are not too many."""


def svg(film: Film) -> str:
    """The lanes as SVG in the page. Classes are the page's."""
    trace = film.trace
    step = max(NARROW, min(WIDE, ROOM // max(1, len(trace.steps) + 1)))
    width = step * (len(trace.steps) + 1)
    height = TOP + HEIGHT * len(trace.actors) + 4
    label = f"{len(trace.steps)} steps of {len(trace.actors)} actors"
    return (
        f'<svg id="lanes" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'data-step="{step}" role="img" aria-label="{label}">{"".join(_parts(film, step, height))}'
        "</svg>"
    )


def _parts(film: Film, step: int, height: int) -> Iterator[str]:
    trace, why = film.trace, film.why
    rows = {actor: TOP + HEIGHT * row + HEIGHT // 2 for row, actor in enumerate(trace.actors)}
    yield f'<rect id="cursor" x="0" y="0" width="{step}" height="{height}"/>'
    for y in rows.values():
        yield f'<line class="lane" x1="0" x2="{step * (len(trace.steps) + 1)}" y1="{y}" y2="{y}"/>'
    where = {it.number: (it.number * step + step / 2, rows[it.actor]) for it in trace.steps}
    if why is not None and why.chance is not None:
        edge = why.chance * step
        yield f'<line class="chance" x1="{edge}" x2="{edge}" y1="{TOP - 4}" y2="{height}"/>'
        anchor, aside = ("end", -3) if why.chance > len(trace.steps) / 2 else ("start", 3)
        at = f'x="{edge + aside}" y="11" text-anchor="{anchor}"'
        yield f'<text class="chance" {at}>last chance</text>'
    for order in why.needed if why else ():
        (x1, y1), (x2, y2) = where[order.before], where[order.after]
        bend = max(10, (x2 - x1) / 6)
        yield (
            f'<path class="order" d="M{x1:.0f} {y1} C{x1 + bend:.0f} {y1 - 14} '
            f'{x2 - bend:.0f} {y2 - 14} {x2:.0f} {y2}"/>'
        )
    needed = {n for it in why.needed for n in (it.before, it.after)} if why else set()
    for it in trace.steps:
        x, y = where[it.number]
        box = step - 3
        last = it.number == len(trace.steps)
        look = "violation" if last else "needed" if it.number in needed else ""
        tall = 18 if look else 10
        yield (
            f'<rect class="step {look}" data-go="{it.number}" x="{x - box / 2:.1f}" '
            f'y="{y - tall / 2:.1f}" width="{box}" height="{tall}" rx="2">'
            f"<title>{it.number} {escape(it.actor)}: {escape(it.source.strip())}</title></rect>"
        )
        if it.number in needed and not last:
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="2.5"/>'
        if last:
            yield f'<text class="cross" x="{x - 4:.1f}" y="{y + 4}">&#10007;</text>'

"""A race as a figure for a paper or a mail: lanes down, orders that matter across, a page at most.

Of a counterexample of a hundred steps a figure has those that say why: what matters, what the
objective hears, the violation. How many steps are left out between them is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from pinlab.lab.film import Film
from pinlab.lab.results import TraceStep
from pinlab.names import printable
from pinlab.report.chart import headline

ROWS = 22
"""Steps in a figure, at most."""
ROW, GAP = 40, 18
"""Pixels of a step, and of a line that says how many are left out."""
LANE, LEFT = 74, 46
WIDTH = 800
"""Pixels of the whole: with ROWS steps it is no higher than a page that is so wide."""
SHORT = 8
"""Characters of an actor's name that fits beside others."""
CHARACTER = 7.4
"""Pixels of a character of source."""

STYLE = """
.race text { font: 12px sans-serif; fill: #1d2129; } .race .title { font: bold 15px sans-serif; }
.race .code { font: 12px monospace; } .race .soft { fill: #5b6270; font-size: 11px; }
.race .actor { font-weight: bold; }
.race .lane { stroke: #9aa1ad; stroke-width: 1.5; } .race .step { fill: #5b6270; }
.race .needed { fill: #1f5fa8; } .race .violation { fill: #c4122f; }
.race text.violation { font-weight: bold; }
.race .order { stroke: #1f5fa8; stroke-width: 2; stroke-dasharray: 6 3; fill: none; }
.race .chance { stroke: #8a5a00; stroke-width: 1.5; stroke-dasharray: 2 3; }
.race text.chance { stroke: none; fill: #8a5a00; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A step that is shown, or how many are left out there."""

    step: TraceStep | None
    left_out: int = 0


def svg(film: Film) -> str:
    """The figure, as a file of SVG that needs no fonts or styles of others."""
    trace = film.trace
    lanes = {actor: LEFT + LANE * at for at, actor in enumerate(_acting(trace.steps))}
    text = LEFT + LANE * len(lanes)
    shown = rows(film)
    tops = _tops(shown, 92)
    height = tops[-1] + 40
    root = ElementTree.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        width=str(WIDTH),
        height=str(height),
        viewBox=f"0 0 {WIDTH} {height}",
        attrib={"class": "race"},
    )
    ElementTree.SubElement(root, "title").text = printable(headline(trace))
    ElementTree.SubElement(root, "style").text = STYLE
    _rect(root, 0, 0, WIDTH, height, "fill:#ffffff")
    _text(root, 12, 22, _cut(headline(trace), 96), "title")
    _text(root, 12, 42, _cut(f"{trace.objective}: {trace.claim}", 120), "soft")
    crowded = any(len(actor) > SHORT for actor in lanes)
    for number, (actor, x) in enumerate(lanes.items()):
        y = 70 - 12 * (number % 2 if crowded else 0)
        _text(root, x, y, _cut(actor, 2 * SHORT), "actor", "middle")
        _line(root, (x, 76), (x, tops[-1]), "lane")
    places: dict[int, tuple[int, int]] = {}
    for row, top in zip(shown, tops, strict=False):
        if row.step is None:
            count = f"{row.left_out} step" + ("" if row.left_out == 1 else "s")
            _text(root, text, top + 1, f"... {count} ...", "soft")
        else:
            places[row.step.number] = lanes[row.step.actor], top
    _orders(root, film, places, text)
    for row, top in zip(shown, tops, strict=False):
        if row.step is not None:
            _step(root, film, row.step, lanes[row.step.actor], top, text)
    _text(root, 12, height - 12, _cut(trace.message, 110), "violation")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def rows(film: Film) -> tuple[Row, ...]:
    """What is shown: first what matters, then what the objective hears, then the beginnings of
    actors, as long as there is room."""
    steps = film.trace.steps
    why = film.why
    matters = {n for it in why.needed for n in (it.before, it.after)} if why else set()
    matters |= {len(steps)} if steps else set()
    if why is not None and why.chance is not None:
        matters.add(why.chance)
    heard = film.automaton
    events = [it.number for it in steps if heard and any(heard.listens_to(e) for e, _ in it.events)]
    firsts = [next(it.number for it in steps if it.actor == actor) for actor in _acting(steps)]
    told = [it.number for it in steps if it.events]
    chosen: list[int] = []
    for number in (*sorted(matters), *events, *firsts, *told):
        if number not in chosen and len(chosen) < ROWS:
            chosen.append(number)
    return tuple(_with_gaps(steps, sorted(chosen)))


def _acting(steps: Sequence[TraceStep]) -> Iterator[str]:
    yield from dict.fromkeys(step.actor for step in steps)


def _with_gaps(steps: Sequence[TraceStep], chosen: Sequence[int]) -> Iterator[Row]:
    before = 0
    for number in chosen:
        if number - before > 1:
            yield Row(None, number - before - 1)
        yield Row(steps[number - 1])
        before = number


def _tops(shown: Sequence[Row], top: int) -> list[int]:
    """Where each row is, and where they end."""
    tops = [top]
    for row in shown:
        tops.append(tops[-1] + (GAP if row.step is None else ROW))
    return tops


def _orders(
    root: ElementTree.Element, film: Film, places: dict[int, tuple[int, int]], right: int
) -> None:
    for order in film.why.needed if film.why else ():
        (x1, y1), (x2, y2) = places[order.before], places[order.after]
        _line(root, (x1, y1), (x2, y2), "order")
    chance = film.why.chance if film.why else None
    if chance is not None and chance in places:
        _, y = places[chance]
        _line(root, (12, y - 14), (WIDTH - 12, y - 14), "chance")
        _text(root, WIDTH - 12, y - 17, "last chance", "chance soft", "end")


def _step(
    root: ElementTree.Element, film: Film, step: TraceStep, x: int, y: int, text: int
) -> None:
    why = film.why
    needed = why is not None and any(step.number in (it.before, it.after) for it in why.needed)
    last = step.number == len(film.trace.steps)
    look = "violation" if last else "needed" if needed else "step"
    size = 8 if look == "step" else 14
    mark = _rect(root, x - size // 2, y - size // 2, size, size, "", look)
    mark.set("rx", "2" if not last else "0")
    if last:
        mark.set("transform", f"rotate(45 {x} {y})")
    _text(root, 30, y + 4, str(step.number), "soft", "end")
    room = int((WIDTH - 12 - text) / CHARACTER)
    _text(root, text, y, _cut(f"{step.function}()", room), "soft")
    _text(root, text, y + 13, _cut(step.source.strip(), room), "code " + (look if last else ""))


def _cut(text: str, length: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= length else shown[: max(1, length - 3)] + "..."


def _text(
    root: ElementTree.Element, x: int, y: int, text: str, look: str, anchor: str = "start"
) -> None:
    at = {"x": str(x), "y": str(y), "class": look.strip(), "text-anchor": anchor}
    ElementTree.SubElement(root, "text", at).text = text


def _line(
    root: ElementTree.Element, start: tuple[int, int], end: tuple[int, int], look: str
) -> None:
    (x1, y1), (x2, y2) = start, end
    at = {"x1": str(x1), "y1": str(y1), "x2": str(x2), "y2": str(y2), "class": look}
    ElementTree.SubElement(root, "line", at)


def _rect(
    root: ElementTree.Element, x: int, y: int, wide: int, high: int, style: str, look: str = ""
) -> ElementTree.Element:
    at = {"x": str(x), "y": str(y), "width": str(wide), "height": str(high)}
    at |= {"style": style} if style else {"class": look}
    return ElementTree.SubElement(root, "rect", at)

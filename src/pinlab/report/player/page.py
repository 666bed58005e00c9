"""The player: one page, on which a counterexample is gone through step by step.

What can be read without scripts, and on paper, is in the page itself: what is violated, the orders
that matter, the lanes, and all steps as a table. The scripts show one step, and what is before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from string import Template
from typing import Any

from pinlab.lab.film import Film, Order
from pinlab.lab.results import TraceStep
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.verdict import Outcome
from pinlab.report.chart import headline
from pinlab.report.page.shell import asset, page
from pinlab.report.player import lanes


def html(film: Film, home: str = "") -> str:
    """The page. Names, source and messages may be anybody's, and are escaped. `home` is the address
    of its design's page, if it has one."""
    trace = film.trace
    bad = trace.outcome is Outcome.VIOLATED
    body = Template(asset(__package__, "player.html")).substitute(
        title=escape(headline(trace)),
        home=f'<p><a href="{escape(home)}">{escape(trace.design)}</a></p>' if home else "",
        claim=escape(f"{trace.objective}: {trace.claim}"),
        severity="bad" if bad else "",
        verdict=escape(trace.message or "The path ends without a violation."),
        why="".join(f"<p>{line}</p>" for line in _why(film)),
        steps=str(len(trace.steps)),
        actors="".join(f"<li>{escape(actor)}</li>" for actor in trace.actors),
        lanes=lanes.svg(film),
        automaton=_automaton(film.automaton, film.page),
        table="".join(_rows(film)),
    )
    return page(
        headline(trace),
        body,
        style=asset(__package__, "player.css"),
        script=asset(__package__, "player.js"),
        data=_data(film),
    )


def _why(film: Film) -> Iterator[str]:
    """What the violation consists of, in HTML."""
    why = film.why
    if why is None:
        return
    if why.needed:
        count = len(why.needed)
        yield (
            f"{'One order' if count == 1 else f'{count} orders'} of steps matter"
            f"{'s' if count == 1 else ''}: "
            + "; ".join(_order(order) for order in why.needed)
            + ". The other way round it cannot be violated from there on."
        )
    elif not why.unknown:
        yield (
            "No single order of two steps matters: turned round, each still leads to the violation."
        )
    if why.chance is not None:
        yield (
            f"The last chance is step {_link(why.chance)}: before it everybody could still finish "
            "without the violation, after it nobody can."
        )
    if why.unknown:
        more = "What else" if why.needed else "What"
        yield f"{more} matters is not known: {escape(why.unknown)}."
    elif why.states:
        yield (
            f"Explored for this: {why.states:,} states. Of two steps that race, the first one's "
            "actor is held until the other has taken the second; then all go on in every way."
        )


def _order(order: Order) -> str:
    return f"{_link(order.before)} before {_link(order.after)} ({escape(', '.join(order.cells))})"


def _link(step: int) -> str:
    return f'<a href="#step={step}">{step}</a>'


def _automaton(automaton: Automaton | None, number: int) -> str:
    """The states, each with what it does on which event."""
    if automaton is None or not number:
        return "<p>This objective is not one of events: nothing listens to them.</p>"
    states = "".join(
        f'<li data-state="{escape(state)}"><b>{escape(state)}</b><ul>'
        + "".join(f"<li>{line}</li>" for line in _transitions(automaton, state))
        + "</ul></li>"
        for state in automaton.states
    )
    return f'<p>of page {number}</p><ul id="states">{states}</ul>'


def _transitions(automaton: Automaton, state: str) -> Iterator[str]:
    bad = sorted(event for at, event in automaton.bad if at == state)
    for event in bad:
        yield f'<span class="breaks">{escape(str(event))} &#8594; &#10007; violated</span>'
    for (at, event), target in sorted(automaton.step.items()):
        if at == state and event not in bad and target != state:
            yield f"{escape(str(event))} &#8594; {escape(target)}"


def _rows(film: Film) -> Iterator[str]:
    """All steps, for paper and for who has no scripts."""
    needed = {n for it in film.why.needed for n in (it.before, it.after)} if film.why else set()
    for step in film.trace.steps:
        marks = "&#9679; " if step.number in needed else ""
        did = "<br>".join(escape(line) for line in _did(step))
        yield (
            f"<tr><td>{marks}{step.number}</td><td>{escape(step.actor)}</td>"
            f"<td>{escape(step.function)}<br><small>{escape(step.file)}:{step.line}</small></td>"
            f"<td><code>{escape(step.source.strip())}</code></td><td>{did}</td></tr>\n"
        )


def _did(step: TraceStep) -> Iterator[str]:
    for name, value in step.reads:
        yield f"reads {name} = {value}"
    for name, old, new in step.changes:
        yield f"{name}: {old} \u2192 {new}"
    yield from step.notes
    for event, number in step.events:
        yield f"\u2605 {event}, page {number}"


def _data(film: Film) -> dict[str, Any]:
    """What the scripts read. Frames are told by what differs from the one before."""
    number = {cell.name: index for index, cell in enumerate(film.cells)}
    why = film.why
    return {
        "objective": film.trace.objective,
        "message": film.trace.message,
        "actors": film.trace.actors,
        "cells": [(it.name, it.owner, it.field, it.kind) for it in film.cells],
        "start": film.frames[0].values,
        "frames": [
            {"waits": [(it.actor, it.cells) for it in frame.waiting], "automaton": frame.automaton}
            for frame in film.frames
        ],
        "steps": [
            {
                "actor": film.trace.actors.index(step.actor),
                "function": step.function,
                "file": step.file,
                "line": step.line,
                "listing": place,
                "reads": step.reads,
                "changes": [(number[name], old, new) for name, old, new in step.changes],
                "notes": step.notes,
                "events": step.events,
            }
            for step, place in zip(film.trace.steps, film.places, strict=True)
        ],
        "listings": [(it.function, it.file, it.first, it.lines) for it in film.listings],
        "needed": [(it.before, it.after, it.cells) for it in why.needed] if why else [],
        "chance": why.chance if why else None,
        "unknown": why.unknown if why else "it was not asked for",
    }

"""An objective's automaton as a drawing: what a person wants to see of it.

The file for the kernel's tools (`objectives.dot`) has an edge for every event in every state. A
drawing leaves out events that change nothing, and shows violations as what they are: red.
"""

from __future__ import annotations

import shutil
import subprocess
from html import escape

from pinlab.errors import UsageError
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

INK, SOFT, BAD = "#1d2129", "#5b6270", "#c4122f"
LAYOUT = "dot"
TIMEOUT = 60


def picture(automaton: Automaton) -> str:
    """The drawing in Graphviz' language. Events between the same two states share an edge."""
    edges: dict[tuple[str, str, bool], list[str]] = {}
    for state in automaton.states:
        for event in Event:
            target = automaton.step.get((state, event), state)
            bad = (state, event) in automaton.bad
            if bad or target != state:
                edges.setdefault((state, target, bad), []).append(event.value)
    lines = [
        f"digraph {_quoted(automaton.name)} {{",
        '\trankdir = LR; bgcolor = "white"; pad = 0.2; nodesep = 0.35; ranksep = 0.7;',
        f'\tfontname = "sans-serif"; fontcolor = "{INK}"; labelloc = t; labeljust = l;',
        f"\tlabel = {_title(automaton)};",
        f'\tnode [fontname = "sans-serif", fontcolor = "{INK}", color = "{INK}", '
        'shape = box, style = "rounded", margin = "0.15,0.07"];',
        f'\tedge [fontname = "sans-serif", fontsize = 11, fontcolor = "{SOFT}", '
        f'color = "{SOFT}", arrowsize = 0.7];',
        '\t"" [shape = none, label = "", width = 0, height = 0, margin = 0];',
        f'\t"" -> {_quoted(automaton.states[0])};',
    ]
    for state in automaton.states:
        saturated = (
            ', peripheries = 2, tooltip = "saturated"' if state in automaton.saturated else ""
        )
        lines.append(f"\t{_quoted(state)} [label = {_quoted(state)}{saturated}];")
    for (state, target, bad), events in edges.items():
        look = f', color = "{BAD}", fontcolor = "{BAD}", penwidth = 2' if bad else ""
        text = _quoted(("✗ " if bad else "") + ",\\n".join(events))
        lines.append(f"\t{_quoted(state)} -> {_quoted(target)} [label = {text}{look}];")
    return "\n".join([*lines, "}"]) + "\n"


def layout() -> str | None:
    """Graphviz' program that lays a drawing out, if it is installed."""
    return shutil.which(LAYOUT)


def svg(automaton: Automaton) -> str:
    """The drawing as SVG. Raises UsageError if Graphviz is not installed or fails."""
    program = layout()
    if program is None:
        raise UsageError(
            "a drawing needs Graphviz (Debian: apt install graphviz); "
            "`-o FILE.dot` writes the automaton without it"
        )
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=picture(automaton),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise UsageError(f"Graphviz cannot draw {automaton.name}: {error.stderr}") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"Graphviz drew {automaton.name} for {TIMEOUT} s in vain") from error
    return done.stdout


def _title(automaton: Automaton) -> str:
    """Name and claim, and below them the source, as a label in Graphviz' HTML."""
    return (
        f'<<b>{escape(automaton.name)}</b>: {escape(automaton.claim)}<br align="left"/>'
        f'<font point-size="10" color="{SOFT}">{escape(automaton.source)}</font>'
        '<br align="left"/><br/>>'
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'

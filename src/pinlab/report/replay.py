"""A counterexample as a file that replays: a regression test for pytest."""

from __future__ import annotations

import re

from pinlab.lab.results import SC, Trace
from pinlab.report.chart import mail

_TEMPLATE = '''\
"""Replays a counterexample that `pinlab explain` found; run it with pytest.

{chart}"""
{imports}
from pinlab.lab import face
from pinlab.lab.explore.result import Move
from pinlab.objectives.verdict import Outcome

MOVES = (
{moves})


def test_{name}() -> None:
    """The moves still exist and still break {objective}."""
    design = face.load_design({design})
    trace = face.trace(design, {scenario!r}, {objective!r}, MOVES{memory_model})
    assert trace.outcome is Outcome.VIOLATED, trace.message
'''


def regression_test(trace: Trace, design: str, *, beside: bool = False) -> str:
    """The text of a test file; `design` is the name to load it by again.

    With `beside` it is a path, relative to where the test file will lie.
    """
    words = (trace.design, "breaks", trace.objective, "in", trace.scenario)
    name = re.sub(r"\W+", "_", "_".join(words)).strip("_").lower()
    chart = mail(trace).replace("\\", "\\\\").replace('"""', "'''")
    moves = "".join(
        f"    Move({move.actor}, {move.choice}),  # {step.actor}: {step.function}\n"
        for move, step in zip(trace.moves, trace.steps, strict=True)
    )
    return _TEMPLATE.format(
        chart=chart,
        moves=moves,
        name=name,
        objective=trace.objective,
        design=f"str(Path(__file__).parent / {design!r})" if beside else repr(design),
        imports="\nfrom pathlib import Path\n" if beside else "",
        scenario=trace.scenario,
        memory_model="" if trace.memory_model == SC else f", {trace.memory_model!r}",
    )

"""Automata in the `.dot` dialect of the kernel's runtime-verification tools.

Documentation/trace/rv/deterministic_automata.rst: `digraph state_automaton`, one `{node ...}`
line per state, the initial one named by a node `__init_STATE`, events as labels of edges. There
an event of the automaton that has no edge in a state is a violation, so every event that this
automaton listens to gets an edge in every state, except where it violates the objective.
Such a monitor stops judging at its first violation; ours goes on. Where it goes to is in comments,
which `from_dot` reads and the kernel's tools skip. An objective of one state, whose events always
violate, has no edges: it can be drawn, but is no monitor for those tools.
"""

from __future__ import annotations

import re

from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event


def to_dot(automaton: Automaton) -> str:
    """The automaton as a file for `rvgen` (or `dot2c`) and for Graphviz."""
    initial = automaton.states[0]
    events = [event for event in Event if automaton.listens_to(event)]
    lines = [
        "digraph state_automaton {",
        f"\t// {automaton.name}: {automaton.claim}",
        f"\t// source: {automaton.source}",
        *(f"\t// saturated: {state}" for state in sorted(automaton.saturated)),
        "\tcenter = true;",
        '\tsize = "7,11";',
        f'\t{{node [shape = plaintext, style=invis, label=""] "__init_{initial}"}};',
        f'\t{{node [shape = ellipse] "{initial}"}};',
        *(f'\t{{node [shape = plaintext] "{state}"}};' for state in automaton.states[1:]),
        f'\t"__init_{initial}" -> "{initial}";',
    ]
    after: list[str] = []
    for state in automaton.states:
        lines.append(f'\t"{state}" [label = "{state}"];')
        for event in events:
            target = automaton.step.get((state, event), state)
            if (state, event) not in automaton.bad:
                lines.append(f'\t"{state}" -> "{target}" [ label = "{event}" ];')
            else:
                after.append(f"\t// violation {event}: {state} -> {target}")
    lines += [
        "\t{ rank = min ;",
        f'\t\t"__init_{initial}";',
        f'\t\t"{initial}";',
        "\t}",
        *after,
        "}",
    ]
    return "\n".join(lines) + "\n"


def from_dot(text: str) -> Automaton:
    """Read what `to_dot` wrote, or a monitor in the same dialect over our events.

    Raises ValueError if the text is no such automaton.
    """
    if not re.match(r"\s*digraph\s+state_automaton\s*{", text):
        raise ValueError("not an automaton of the runtime-verification dialect")
    nodes = re.findall(r'^\s*{node .*"(\w+)"};$', text, re.MULTILINE)
    initial = [name.removeprefix("__init_") for name in nodes if name.startswith("__init_")]
    states = tuple(name for name in nodes if not name.startswith("__init_"))
    if len(initial) != 1 or initial[0] not in states:
        raise ValueError("an automaton has exactly one initial state")
    states = (initial[0], *(state for state in states if state != initial[0]))
    edges = {
        (state, Event(event)): target
        for state, target, event in re.findall(
            r'^\s*"(\w+)" -> "(\w+)" \[ ?label = "(\w+)" ?\];$', text, re.MULTILINE
        )
    }
    after = {
        (state, Event(event)): target
        for event, state, target in re.findall(r"// violation (\w+): (\w+) -> (\w+)", text)
    }
    events = {event for _, event in edges} | {event for _, event in after}
    bad = {(s, e) for s in states for e in events if (s, e) not in edges}
    edges |= after
    head = re.search(r"// ([^:\n]*): (.*)\n\s*// source: (.*)", text)
    name, claim, source = head.groups() if head else ("", "", "")
    return Automaton(
        name,
        claim,
        source,
        states=states,
        step={pair: target for pair, target in edges.items() if pair[0] != target},
        bad=frozenset(bad),
        saturated=frozenset(re.findall(r"// saturated: (\w+)", text)),
    )

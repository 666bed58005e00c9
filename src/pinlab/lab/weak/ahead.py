"""The words that may be loaded next, before the CPU surely catches up: loads of others can have
been done early, but nobody will know.

States that differ only in what such a load would give are one. It is worked out for each step of a
program, backwards: what comes to be loaded behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pinlab.lab.language.program import Node, Program, successors


@dataclass(frozen=True, slots=True)
class Ahead:
    """Bit sets of words, by node: those loaded `at` it or `behind` it before a sure catch-up."""

    at: Sequence[int]
    behind: Sequence[int]


def ahead(program: Program, loads: Sequence[int], catches_up: Sequence[bool]) -> Ahead:
    """`loads` are the words that each node may load early, as bits; `catches_up` says of each
    whether nothing behind it can have been loaded before it."""
    at = list(loads)
    behind = [0] * len(at)
    before: dict[int, list[int]] = {}
    for node in program.nodes:
        for after in successors(node.next):
            before.setdefault(after, []).append(node.pc)
    todo = [node.pc for node in program.nodes if loads[node.pc]]
    while todo:
        pc = todo.pop()
        for earlier in before.get(pc, ()):
            behind[earlier] |= at[pc]
            more = at[earlier] | (0 if catches_up[earlier] else behind[earlier])
            if more != at[earlier]:
                at[earlier] = more
                todo.append(earlier)
    return Ahead(at, behind)


def reached(nodes: Sequence[Node], start: int) -> Iterable[int]:
    """The nodes behind one, and itself."""
    found: set[int] = set()
    todo = [start]
    while todo:
        pc = todo.pop()
        if pc not in found:
            found.add(pc)
            todo += successors(nodes[pc].next)
    return found

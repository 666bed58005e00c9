"""Which nodes an actor can come to from where it starts, and which slots they touch."""

from __future__ import annotations

from pinlab.lab.explore.memo import per_entry, per_program
from pinlab.lab.language.program import (
    HALTED,
    PC,
    Branch,
    Check,
    Emit,
    Expr,
    If,
    Local,
    Node,
    Program,
    SetLocal,
    SetShared,
    Switch,
    flat,
    subexpressions,
    successors,
)


@per_entry
def touched(program: Program, entry: int) -> frozenset[int]:
    """The slots that the nodes behind an entry read or write; the program counter always."""
    named = _slots_of_nodes(program)
    return frozenset({PC}).union(*(named[pc] for pc in reachable(program, entry)))


@per_program
def _slots_of_nodes(program: Program) -> list[frozenset[int]]:
    return [_slots_of(node) for node in program.nodes]


def _slots_of(node: Node) -> frozenset[int]:
    slots: set[int] = set()
    expressions: list[Expr] = [] if node.guard is None else [node.guard]
    for op in flat(node.ops):
        match op:
            case SetLocal(slot, value):
                slots.add(slot)
                expressions.append(value)
            case SetShared(_, index, value):
                expressions += (index, value)
            case Check(test, _) | If(test, _, _):
                expressions.append(test)
            case Emit(_, page):
                expressions.append(page)
    match node.next:
        case Branch(test, _, _):
            expressions.append(test)
        case Switch(slot, _):
            slots.add(slot)
        case _:
            pass
    slots |= {e.slot for x in expressions for e in subexpressions(x) if isinstance(e, Local)}
    return frozenset(slots)


@per_entry
def reachable(program: Program, entry: int) -> frozenset[int]:
    """The nodes behind an entry.

    A return may lead to any caller; `Program.calls`, where there is one, says which of them can
    be below this entry.
    """
    functions = _called(program, program.nodes[entry].function)
    found = {HALTED}
    todo = [entry]
    while todo:
        pc = todo.pop()
        node = program.nodes[pc]
        if pc not in found and (not functions or not node.function or node.function in functions):
            found.add(pc)
            todo += successors(node.next)
    return frozenset(found - {HALTED})


def _called(program: Program, function: str) -> set[str]:
    """A function and all that it calls; nothing if the program does not say."""
    found: set[str] = set()
    todo = [function] if program.calls else []
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += program.calls[name]
    return found

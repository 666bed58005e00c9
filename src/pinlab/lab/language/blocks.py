"""The graph of one kernel function while it is being built: mutable blocks.

A block is a node to be. Locals are named by `(function, name)` until `link` numbers the slots
of the whole program; targets are blocks until it numbers the nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pinlab.lab.language.program import Expr, Op
from pinlab.lab.language.values import Type

CALLER = "<return>"
"""The name of the slot that holds which call a function returns to."""

RESULT = "<result>"
"""The name of the slot a function leaves its result in."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Set a parameter of `function`, which is about to be called."""

    function: str
    parameter: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Take:
    """Move the result that `function` has left into local `slot`."""

    function: str
    slot: int


PendingOp = Op | Pass | Take


@dataclass
class Jump:
    """Go on at `block`."""

    block: Block


@dataclass
class Fork:
    """Go on at `then` if `test` is nonzero, else at `other`."""

    test: Expr
    then: Block
    other: Block


@dataclass
class Call:
    """Run `callee`, then go on at `back`. The arguments are set by the block's operations."""

    callee: str
    back: Block


@dataclass
class Return:
    """Go back to the caller (an actor's first function: the actor has finished)."""


@dataclass(eq=False)
class Block:
    """One node to be; `primitive` is "" for local computation."""

    line: int
    primitive: str = ""
    visible: bool = False
    guard: Expr | None = None
    choices: int = 1
    ops: list[PendingOp] = field(default_factory=list)
    next: Jump | Fork | Call | Return | None = None
    lines: set[int] = field(default_factory=set)
    not_taken: Block | None = None
    """Where its test would go on, had it not been decided at compile time."""


@dataclass
class Routine:
    """One compiled kernel function. `slots` maps its locals' slot numbers, which are
    provisional and its own, to name and type; parameters come first.
    """

    name: str
    file: str
    parameters: tuple[int, ...]
    result: int | None
    caller: int
    slots: dict[int, tuple[str, Type]]
    entry: Block
    calls: set[str]

    def blocks(self) -> list[Block]:
        """Every block that can be reached, in the order of a walk from the entry."""
        return walk(self.entry, successors)


def walk(entry: Block, following: Callable[[Block], list[Block]]) -> list[Block]:
    """Every block that can be reached from `entry`, depth first."""
    order: list[Block] = []
    seen: set[int] = set()
    todo = [entry]
    while todo:
        block = todo.pop()
        if id(block) in seen:
            continue
        seen.add(id(block))
        order.append(block)
        todo += reversed(following(block))
    return order


def alternatives(block: Block) -> list[Block]:
    """`successors`, and where a test that was decided at compile time does not go."""
    passed_over = [] if block.not_taken is None else [block.not_taken]
    return successors(block) + passed_over


def successors(block: Block) -> list[Block]:
    """The blocks of the same function that may come next."""
    match block.next:
        case Jump(target):
            return [target]
        case Fork(_, then, other):
            return [then, other]
        case Call(_, back):
            return [back]
        case _:
            return []


def simplify(routine: Routine) -> None:
    """Skip empty local blocks and join a local block to its only predecessor."""

    def skip(block: Block) -> Block:
        seen = set()
        while (
            not block.visible
            and not block.primitive
            and not block.ops
            and isinstance(block.next, Jump)
            and id(block) not in seen
        ):
            seen.add(id(block))
            block.next.block.lines |= block.lines
            block = block.next.block
        return block

    routine.entry = skip(routine.entry)
    for block in routine.blocks():
        match block.next:
            case Jump(target):
                block.next = Jump(skip(target))
            case Fork(test, then, other):
                block.next = Fork(test, skip(then), skip(other))
            case Call(callee, back):
                block.next = Call(callee, skip(back))
            case _:
                pass
    predecessors: dict[int, int] = {id(routine.entry): 1}
    for block in routine.blocks():
        for target in successors(block):
            predecessors[id(target)] = predecessors.get(id(target), 0) + 1
    for block in routine.blocks():
        while isinstance(block.next, Jump):
            target = block.next.block
            if target.visible or target.primitive or predecessors[id(target)] != 1:
                break
            if target is block:
                break
            block.ops += target.ops
            block.lines |= target.lines
            block.next = target.next

"""Which locals of a function still matter where: classic backward liveness over its blocks."""

from __future__ import annotations

from pinlab.lab.language.blocks import (
    Block,
    Fork,
    Pass,
    PendingOp,
    Return,
    Routine,
    Take,
    successors,
)
from pinlab.lab.language.program import (
    Check,
    Emit,
    Expr,
    If,
    Local,
    SetLocal,
    SetShared,
    subexpressions,
)

Slots = frozenset[int]
NONE: Slots = frozenset()


class Liveness:
    """Live slots on entry to each block, and slots that may hold something after it."""

    def __init__(self, routine: Routine) -> None:
        self.blocks = routine.blocks()
        self._result = NONE if routine.result is None else frozenset([routine.result])
        self._in: dict[int, Slots] = {id(b): NONE for b in self.blocks}
        self._dirty: dict[int, Slots] = {id(b): NONE for b in self.blocks}
        self._solve_live(self.blocks, frozenset(routine.slots))
        self._solve_dirty(self.blocks, frozenset(routine.parameters))

    def live_in(self, block: Block) -> Slots:
        """Slots read before they are set, from the start of `block` on."""
        return self._in[id(block)]

    def reads_first(self, block: Block, slot: int) -> bool:
        """Whether `block` reads `slot` before it sets it."""
        return slot in self._before(block, NONE)

    def dirty_after(self, block: Block) -> Slots:
        """Slots that may hold a value (dead or not) at the end of `block`."""
        return self._dirty[id(block)]

    def _solve_live(self, blocks: list[Block], slots: Slots) -> None:
        """What a block reads is live before it, and so is what is live behind it and passes."""
        reads = {id(b): self._before(b, NONE) for b in blocks}
        passes = {id(b): self._before(b, slots) for b in blocks}
        following = {id(b): [id(s) for s in successors(b)] for b in blocks}
        changed = True
        while changed:
            changed = False
            for block in reversed(list(reads)):
                after = NONE.union(*(self._in[s] for s in following[block]))
                live = reads[block] | (after & passes[block])
                if live != self._in[block]:
                    self._in[block] = live
                    changed = True

    def _before(self, block: Block, live: Slots) -> Slots:
        """What is live before `block`, if `live` is behind it."""
        match block.next:
            case Fork(test, _, _):
                live |= _reads(test)
            case Return():
                live |= self._result
            case _:
                pass
        for op in reversed(block.ops):
            live = _before(op, live)
        return live if block.guard is None else live | _reads(block.guard)

    def _solve_dirty(self, blocks: list[Block], parameters: Slots) -> None:
        entering: dict[int, Slots] = {id(b): NONE for b in blocks}
        entering[id(blocks[0])] = parameters  # set by the caller, also if nobody reads them
        todo = list(blocks)
        while todo:
            block = todo.pop()
            start = self.live_in(block) if block.visible else entering[id(block)]
            after = start | frozenset(s for op in block.ops for s in _writes(op))
            self._dirty[id(block)] = after
            for target in successors(block):
                more = entering[id(target)] | after
                if more != entering[id(target)]:
                    entering[id(target)] = more
                    todo.append(target)


def _reads(expr: Expr) -> Slots:
    return frozenset(e.slot for e in subexpressions(expr) if isinstance(e, Local) and e.slot >= 0)


def _before(op: PendingOp, live: Slots) -> Slots:
    match op:
        case SetLocal(slot, value):
            return (live - {slot}) | _reads(value)
        case Pass(_, _, value):
            return live | _reads(value)
        case Take(_, slot):
            return live - {slot}
        case SetShared(_, index, value):
            return live | _reads(index) | _reads(value)
        case Check(test, _):
            return live | _reads(test)
        case If(test, then, other):
            one, two = live, live
            for inner in reversed(then):
                one = _before(inner, one)
            for inner in reversed(other):
                two = _before(inner, two)
            return one | two | _reads(test)
        case Emit(_, page):
            return live | _reads(page)


def _writes(op: PendingOp) -> Slots:
    match op:
        case SetLocal(slot, _) | Take(_, slot):
            return frozenset([slot]) if slot >= 0 else NONE
        case If(_, then, other):
            return frozenset(s for o in (*then, *other) for s in _writes(o))
        case _:
            return NONE

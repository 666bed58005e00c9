"""The loads of one step: each word gives its newest value or, where that may be, the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pinlab.lab.language.access import replaced, rewritten, values
from pinlab.lab.language.program import (
    Binary,
    Chosen,
    Const,
    Expr,
    Local,
    Node,
    Select,
    Shared,
    flat,
    subexpressions,
)
from pinlab.lab.weak.machine import Machine
from pinlab.lab.weak.masks import ONE, ZERO, Mask, both

MOST = 3
"""Words that one condition may look at."""


class Unsupported(ValueError):
    """A step that the pass cannot say; the message begins with its place."""

    def __init__(self, node: Node, what: str) -> None:
        super().__init__(f"{node.file}:{node.line}: {what}")


class Loads:
    """The loads of `node` from cells that are parts of words: with an alternative for each set of
    words that give their old values. Bit n of the choice says it of word n. Raises Unsupported."""

    def __init__(self, machine: Machine, node: Node, reads: Iterable[Shared]) -> None:
        self.machine = machine
        self.node = node
        words: dict[tuple[tuple[int, ...], Expr], list[Shared]] = {}
        for read in reads:
            words.setdefault((machine.words.bits[read.var], read.index), []).append(read)
        self.reads = list(words.values())
        """The cells of each word."""
        if len(self.reads) > MOST:
            raise Unsupported(node, f"a condition on {len(self.reads)} words; at most {MOST}")
        if node.choices > 1:
            raise Unsupported(node, "a choice beside a load")
        known = {read for word in self.reads for read in word}
        if any(cell not in known for cell in _cells(machine, node)):
            raise Unsupported(node, "a load at an address that the same step computes")

    @property
    def any_old(self) -> Expr:
        """Whether a word gives its old value."""
        return Binary("!=", Chosen(), ZERO)

    @property
    def bits(self) -> int:
        """All words that they may be of, as bits."""
        found = 0
        for cells in self.reads:
            for bit in self.machine.words.bits[cells[0].var]:
                found |= bit
        return found

    def _is_old(self, number: int) -> Expr:
        return Binary("!=", Binary("&", Chosen(), Const(1 << number)), ZERO)

    def _word(self, number: int) -> Mask:
        read = self.reads[number][0]
        return self.machine.word(read.var, read.index)

    def given(self, expr: Expr) -> Expr:
        """`expr` of the values that the loads give."""

        def pick(it: Expr) -> Expr | None:
            for number, cells in enumerate(self.reads):
                if it in cells:
                    assert isinstance(it, Shared)
                    before = Shared(self.machine.old[it.var], it.index)
                    return Select(self._is_old(number), before, it)
            return None

        return replaced(expr, pick)

    def may(self) -> Expr:
        """Whether those that give their old values may."""
        found: Expr = ONE
        for number, cells in enumerate(self.reads):
            may_be_old = self.machine.may_be_old(self._word(number), _is_loaded(cells[0].index))
            found = both(found, Select(self._is_old(number), may_be_old, ONE))
        return found

    def newest(self) -> Mask:
        """The words that give their newest values."""
        found = self.machine.none
        for number in range(len(self.reads)):
            found |= self.machine.none.if_(self._is_old(number), self._word(number))
        return found

    def alternatives(self, also: Expr = ONE) -> Node:
        """The node with them; `also` must be true of each."""
        guard = both(self.may(), also)
        if self.node.guard is not None:
            guard = Select(guard, self.given(self.node.guard), ZERO)
        ops = tuple(rewritten(op, self.given) for op in self.node.ops)
        return replace(self.node, guard=guard, choices=1 << len(self.reads), ops=ops)


def _cells(machine: Machine, node: Node) -> Iterator[Shared]:
    """Every load of a cell of some word in the node, as it stands there."""
    exprs = [expr for op in flat(node.ops) for expr in values(op)]
    exprs += [] if node.guard is None else [node.guard]
    for expr in exprs:
        for it in subexpressions(expr):
            if isinstance(it, Shared) and it.var in machine.words.bits:
                yield it


def _is_loaded(index: Expr) -> bool:
    """Whether an address may have come from an earlier load: it is not constant."""
    return any(isinstance(it, Local) for it in subexpressions(index))

"""What a step does to shared memory, as a memory model needs it."""

from __future__ import annotations

from collections import defaultdict

import pytest

from pinlab.lab import build
from pinlab.lab.design import load, names
from pinlab.lab.language.access import Access, Write, access
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    atomic,
    atomic_add_unless,
    bounded,
    kernel,
)
from pinlab.lab.language.primitives import TABLE, Order
from pinlab.lab.language.program import (
    STRONG,
    Const,
    Program,
    SetShared,
    Shared,
    flat,
    subexpressions,
)

word = bounded(0, 3)
counter = atomic(0, 3)


@kernel
def twice() -> None:
    WRITE_ONCE(word, READ_ONCE(word))
    atomic_add_unless(counter, 1, 2)


def steps(program: Program, primitive: str) -> list[Access]:
    return [access(node) for node in program.nodes if node.primitive == primitive]


def test_a_load_reads_a_store_writes() -> None:
    program = compile_program([twice])
    cell = Shared(program.var("word"), Const(0))
    assert steps(program, "READ_ONCE") == [Access((cell,), ())]
    assert steps(program, "WRITE_ONCE") == [Access((), (Write(cell.var, cell.index),))]


def test_a_conditional_one_says_when_it_writes() -> None:
    program = compile_program([twice])
    [it] = steps(program, "atomic_add_unless")
    assert it.reads == (Shared(program.var("counter"), Const(0)),)
    [write] = it.writes
    assert write.success is not None
    assert set(it.reads) <= set(subexpressions(write.success))


def stored(program: Program) -> set[int]:
    """The variables that anybody stores to, but for the one of interrupts: a CPU's own."""
    ops = (op for node in program.nodes for op in flat(node.ops))
    return {op.var for op in ops if isinstance(op, SetShared)} - {program.irqs_off}


SHAPES = {
    Order.NONE: {(0, 0)},
    Order.LOAD: {(1, 0)},
    Order.STORE: {(0, 1)},
    Order.RMW: {(1, 1), (0, 1)},
    Order.RELAXED: {(0, 1)},
    Order.FULL: {(1, 1)},
    Order.ACQUIRE: {(1, 1)},
    Order.RELEASE: {(1, 1)},
    Order.ATOMIC_RELEASE: {(1, 1)},
    Order.WALK: {(1, 0)},
    Order.LOAD_ACQUIRE: {(1, 0)},
    Order.STORE_RELEASE: {(0, 1)},
    Order.MB: {(0, 0)},
    Order.RMB: {(0, 0)},
    Order.WMB: {(0, 0)},
    Order.AWAIT: {(1, 0), (0, 0)},
}
"""How many cells a primitive of an order reads and writes."""


@pytest.mark.parametrize("design", names())
def test_a_step_reads_one_cell_and_writes_one(design: str) -> None:
    """Of a whole design: what no primitive does, no memory model has to say."""
    program = build.program(load(design))
    cells = stored(program)
    shapes: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for node in program.nodes:
        it = access(node)
        reads = [
            each
            for each in it.reads
            if each.var in cells
            if node.primitive or program.vars[each.var].order != STRONG  # VM_BUG_ON looks at these
        ]
        writes = [each for each in it.writes if each.var in cells]
        shapes[node.primitive].add((len(reads), len(writes)))
    assert shapes.pop("") == {(0, 0)}
    for primitive, found in shapes.items():
        assert found <= SHAPES[TABLE[primitive].order], primitive


def test_the_flags_of_a_page_are_one_word() -> None:
    program = build.program(load("mapcount-v3"))
    flags = {var.name for var in program.vars if var.of_word == "Page.flags"}
    locks = {"Page.PG_locked"}
    bits = {"Page.PG_dirty", "Page.PG_writeback", "Page.PG_lru", "Page.PagePrivate"}
    assert flags == locks | bits | {"Page.PagePin"}


def test_anonymous_is_a_bit_of_the_mapping() -> None:
    program = build.program(load("untracked"))
    mapping = {var.name for var in program.vars if var.of_word == "Page.mapping"}
    assert mapping == {"Page.mapping", "Page.PG_anon"}

"""What each model shows: the shapes of the literature, as published for x86 and arm64."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import shapes, wide
from .shapes import Shared, Thread, X, Y, Z, possible

Condition = Callable[[Shared], bool]


def seen(*values: int) -> Condition:
    """What the threads have loaded, in order."""
    return lambda at: tuple(at["seen"][: len(values)]) == values


def cells(**values: int) -> Condition:
    """What is in memory at the end."""
    return lambda at: all(at["cells"]["XYZ".index(name)] == it for name, it in values.items())


def both(one: Condition, other: Condition) -> Condition:
    return lambda at: one(at) and other(at)


SB = seen(0, 0)
MP = seen(1, 0)
WRC = seen(1, 1, 0)
IRIW = seen(1, 0, 1, 0)

SHAPES: list[tuple[str, Condition, list[Thread], str]] = [
    (
        "SB",
        SB,
        [(shapes.store_load, (X, 1, Y, 0)), (shapes.store_load, (Y, 1, X, 1))],
        "x86-tso arm64",
    ),
    (
        "SB+mbs",
        SB,
        [(shapes.store_mb_load, (X, 1, Y, 0)), (shapes.store_mb_load, (Y, 1, X, 1))],
        "",
    ),
    (
        "SB+mb+po",
        SB,
        [(shapes.store_mb_load, (X, 1, Y, 0)), (shapes.store_load, (Y, 1, X, 1))],
        "x86-tso arm64",
    ),
    (
        "SB+wmbs",
        SB,
        [(shapes.store_wmb_load, (X, 1, Y, 0)), (shapes.store_wmb_load, (Y, 1, X, 1))],
        "x86-tso arm64",
    ),
    ("SB+xchgs", SB, [(shapes.xchg_load, (X, 1, Y, 0)), (shapes.xchg_load, (Y, 1, X, 1))], ""),
    (
        "SB+atomic_inc+mb",
        SB,
        [(shapes.inc_load, (X, Y, 0)), (shapes.store_mb_load, (Y, 1, X, 1))],
        "arm64",
    ),
    (
        "SB+page unlock",
        SB,
        [(shapes.bit_locked_store_load, (X, 1, Y, 0)), (shapes.store_mb_load, (Y, 1, X, 1))],
        "arm64",
    ),
    (
        "SB+unlock",
        SB,
        [(shapes.locked_store_load, (X, 1, Y, 0)), (shapes.store_mb_load, (Y, 1, X, 1))],
        "x86-tso arm64",
    ),
    ("MP", MP, [(shapes.store_store, (X, 1, Y, 1)), (shapes.load_load, (Y, X, 0))], "arm64"),
    (
        "MP+wmb+po",
        MP,
        [(shapes.store_wmb_store, (X, 1, Y, 1)), (shapes.load_load, (Y, X, 0))],
        "arm64",
    ),
    (
        "MP+po+rmb",
        MP,
        [(shapes.store_store, (X, 1, Y, 1)), (shapes.load_rmb_load, (Y, X, 0))],
        "arm64",
    ),
    (
        "MP+wmb+rmb",
        MP,
        [(shapes.store_wmb_store, (X, 1, Y, 1)), (shapes.load_rmb_load, (Y, X, 0))],
        "",
    ),
    (
        "MP+rel+acq",
        MP,
        [(shapes.store_release, (X, 1, Y, 1)), (shapes.load_acquire_load, (Y, X, 0))],
        "",
    ),
    (
        "MP+rel+po",
        MP,
        [(shapes.store_release, (X, 1, Y, 1)), (shapes.load_load, (Y, X, 0))],
        "arm64",
    ),
    (
        "MP+lock",
        MP,
        [(shapes.locked_store_store, (X, 1, Y, 1)), (shapes.locked_load_load, (Y, X, 0))],
        "",
    ),
    (
        "MP+wmb+addr",
        seen(2, 0),
        [(shapes.store_wmb_store, (Z, 1, Y, Z)), (shapes.follow, (Y, 0))],
        "",
    ),
    (
        "MP+po+addr",
        seen(2, 0),
        [(shapes.store_store, (Z, 1, Y, Z)), (shapes.follow, (Y, 0))],
        "arm64",
    ),
    (
        "MP+bit lock",
        seen(0),
        [(shapes.unlock_bit, (X,)), (shapes.lock_bit, (X, 0))],
        "sc x86-tso arm64",
    ),
    (
        "R",
        both(cells(Y=2), seen(0)),
        [(shapes.store_store, (X, 1, Y, 1)), (shapes.store_load, (Y, 2, X, 0))],
        "x86-tso arm64",
    ),
    (
        "R+wmb+po",
        both(cells(Y=2), seen(0)),
        [(shapes.store_wmb_store, (X, 1, Y, 1)), (shapes.store_load, (Y, 2, X, 0))],
        "x86-tso arm64",
    ),
    (
        "R+mbs",
        both(cells(Y=2), seen(0)),
        [(shapes.store_mb_store, (X, 1, Y, 1)), (shapes.store_mb_load, (Y, 2, X, 0))],
        "",
    ),
    (
        "2+2W",
        cells(X=2, Y=2),
        [(shapes.store_store, (X, 2, Y, 1)), (shapes.store_store, (Y, 2, X, 1))],
        "arm64",
    ),
    (
        "2+2W+wmbs",
        cells(X=2, Y=2),
        [(shapes.store_wmb_store, (X, 2, Y, 1)), (shapes.store_wmb_store, (Y, 2, X, 1))],
        "",
    ),
    (
        "S",
        both(cells(X=2), seen(1)),
        [(shapes.store_store, (X, 2, Y, 1)), (shapes.load_store, (Y, X, 1, 0))],
        "arm64",
    ),
    (
        "S+wmb+po",
        both(cells(X=2), seen(1)),
        [(shapes.store_wmb_store, (X, 2, Y, 1)), (shapes.load_store, (Y, X, 1, 0))],
        "",
    ),
    (
        "WRC",
        WRC,
        [(shapes.store, (X, 1)), (shapes.load_store, (X, Y, 1, 0)), (shapes.load_load, (Y, X, 1))],
        "arm64",
    ),
    (
        "WRC+po+rmb",
        WRC,
        [
            (shapes.store, (X, 1)),
            (shapes.load_store, (X, Y, 1, 0)),
            (shapes.load_rmb_load, (Y, X, 1)),
        ],
        "",
    ),
    (
        "IRIW",
        IRIW,
        [
            (shapes.store, (X, 1)),
            (shapes.store, (Y, 1)),
            (shapes.load_load, (X, Y, 0)),
            (shapes.load_load, (Y, X, 2)),
        ],
        "arm64",
    ),
    (
        "IRIW+rmbs",
        IRIW,
        [
            (shapes.store, (X, 1)),
            (shapes.store, (Y, 1)),
            (shapes.load_rmb_load, (X, Y, 0)),
            (shapes.load_rmb_load, (Y, X, 2)),
        ],
        "",
    ),
    ("CoRR", MP, [(shapes.store, (X, 1)), (shapes.load_load, (X, X, 0))], ""),
    ("CoWW", cells(X=1), [(shapes.store_store, (X, 1, X, 2))], ""),
    (
        "CoWR",
        both(cells(X=1), seen(2)),
        [(shapes.store_load, (X, 1, X, 0)), (shapes.store, (X, 2))],
        "",
    ),
    (
        "CoRW",
        both(cells(X=2), seen(2)),
        [(shapes.load_store, (X, X, 1, 0)), (shapes.store, (X, 2))],
        "",
    ),
    (
        "n6",
        both(cells(X=1), seen(1, 0)),
        [(shapes.store_load_load, (X, 1, Y, 0)), (shapes.store_store, (Y, 2, X, 2))],
        "x86-tso arm64",
    ),
    ("n5", seen(2, 1), [(shapes.store_load, (X, 1, X, 0)), (shapes.store_load, (X, 2, X, 1))], ""),
    (
        "a store before an increment",
        seen(1),
        [(shapes.inc, (X,)), (shapes.store_load, (X, 2, X, 0))],
        "",
    ),
    (
        "an atomic that fails",
        seen(0, 0),
        [(shapes.store_wmb_store, (Y, 1, X, 1)), (shapes.fail_load, (X, Y, 0))],
        "arm64",
    ),
    (
        "SB+rel+acq",
        SB,
        [(shapes.release_acquire, (X, Y, 0)), (shapes.release_acquire, (Y, X, 1))],
        "x86-tso arm64",
    ),
    ("MP by a doorbell", MP, [(shapes.ring, (X,)), (shapes.answer, (X, 0))], ""),
    (
        "two below a lock that is a bit",
        cells(X=1),
        [(shapes.count_below_bit, (X,)), (shapes.count_below_bit, (X,)), (shapes.set_one, ())],
        "",
    ),
    (
        "a bit beside a lock of its word",
        lambda at: at["PG_one"][0] == 0,
        [(shapes.count_below_bit, (X,)), (shapes.set_one, ())],
        "",
    ),
    ("SB of two words", SB, [(shapes.set_test_alone, (0,)), (shapes.set_alone, (1,))], "arm64"),
    (
        "SB of two bits of a word",
        SB,
        [(shapes.set_test_one_word, (0,)), (shapes.set_test_other, (1,))],
        "",
    ),
]
"""Name, what is asked for, the threads, and the models under which it is possible."""


@pytest.mark.parametrize("model", ["sc", "x86-tso", "arm64"])
@pytest.mark.parametrize(
    ("condition", "threads", "models"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_a_shape(condition: Condition, threads: list[Thread], models: str, model: str) -> None:
    assert possible(model, condition, *threads) is (model in models.split())


def test_an_address_that_was_there_orders_nothing() -> None:
    """To catch up at every load of an address made more weak words give fewer runs: the load of one
    that nobody has changed may have been done early itself."""
    threads = (shapes.store_wmb_store, (Z, 1, X, 1)), (shapes.load_follow, (X, Y, 0))
    initial = {"cells": (0, Z, 0)}
    assert possible("arm64", MP, *threads, initial=initial)
    assert not possible("x86-tso", MP, *threads, initial=initial)


def test_who_is_interrupted_drains_and_catches_up() -> None:
    """Behind the interrupt both have seen what the other did before it: first both drain, then both
    catch up, or one of them misses the other's store."""
    threads = (shapes.interrupt, (X, Y, 0, 1)), (shapes.irqs_off_store_load, (Y, X, 1))
    for model in ("x86-tso", "arm64"):
        assert not possible(model, SB, *threads)


def test_more_words_than_an_integer_has_bits() -> None:
    for model in ("x86-tso", "arm64"):
        assert wide.possible(model)

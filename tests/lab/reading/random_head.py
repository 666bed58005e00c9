"""What the functions of a random source are about: its declarations, and what is in memory."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

HEAD = '''\
from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import *

T = (2, 0, 3, 2)
K = 3


class Node(Struct, count=2):
    """What pointers point to."""

    val = bounded(0, 7)
    on = flag()
    users = refcount(3)
    next = pointer("Node")
    arr = array(3, 0, 7)
    lock = mutex()


c0 = bounded(0, 7)
c1 = bounded(-4, 7)
at = atomic(-16, 47)
fl = flag()
gone = flag(order="strong")
ref = refcount(3)
cells = array(4, 0, 7)
bits = array(2, 0, 1)
head = pointer("Node")
spin = spinlock()
mtx = mutex()
sem = rwsem()
key = flag()
pins = per_page(0, 7, bytes=1)
'''


def initial_values(r: Random) -> dict[str, tuple[int, ...]]:
    def some(most: int, count: int = 1) -> tuple[int, ...]:
        return tuple(r.randrange(most + 1) for _ in range(count))

    drawn: dict[str, Callable[[], tuple[int, ...]]] = {
        "c0": lambda: some(7),
        "c1": lambda: some(5),
        "at": lambda: some(9),
        "fl": lambda: some(1),
        "ref": lambda: some(2),
        "cells": lambda: some(7, 4),
        "bits": lambda: some(1, 2),
        "head": lambda: some(2),
        "key": lambda: some(1),
        "Node.val": lambda: some(7, 2),
        "Node.users": lambda: some(2, 2),
        "Node.next": lambda: some(2, 2),
        "Node.arr": lambda: some(7, 6),
        "Node.pins": lambda: some(7, 2),
    }
    return {name: draw() for name, draw in drawn.items()}

"""Lists and red-black trees of the kernel (include/linux/list.h, lib/rbtree.c).

On a running kernel one may change while it is walked: what never ends is a FaultError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinlab.field.errors import FaultError
from pinlab.field.memory.view import Structs, View

MOST: Final = 1 << 22
"""Entries beyond which a list is taken for a loop that a race made."""
DEEPEST: Final = 128
"""Levels: a red-black tree of 2^64 nodes has no more."""


def entries(structs: Structs, head: int, type_name: str, path: str) -> Iterator[View]:
    """list_for_each_entry over a list_head. Raises FaultError, also on a list without end."""
    at = structs.reader.pointer(head)
    # An entry that was moved leads into another list, which comes round without `head`. Brent's
    # way to see that: remember one entry of those behind, ever farther ones.
    behind, next_ = 0, 1
    for number in range(MOST):
        if at in (head, 0):
            return
        if at == behind:
            break
        if number == next_:
            behind, next_ = at, 2 * next_
        yield structs.entry(at, type_name, path)
        at = structs.reader.pointer(at)
    raise FaultError(head, 8)


def rbtree(structs: Structs, node: int) -> Iterator[int]:
    """The addresses of the `struct rb_node` from one down, in order. Raises FaultError."""
    above: list[int] = []
    for _ in range(2 * MOST):
        if len(above) > DEEPEST:
            break
        if node:
            above.append(node)
            node = structs.at("rb_node", node)["rb_left"]
            continue
        if not above:
            return
        node = above.pop()
        yield node
        node = structs.at("rb_node", node)["rb_right"]
    raise FaultError(node, 8)

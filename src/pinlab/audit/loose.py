"""Mentions of functions that the parser does not see as calls.

In the bodies of macros, where the grammar gives up, and where a function is named and not called.
They are found as text, after comments and strings, and said to be where the text says they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from pinlab.audit.facts import Function, Loose

_HEAD: Final = re.compile(rb"^[A-Za-z_][^;{}#]*?\b([A-Za-z_]\w*)\s*\(", re.M)
_DEFINE: Final = re.compile(rb"[ \t]*#[ \t]*define[ \t]+(\w+)")
_TOLD: Final = re.compile(rb"^(?:EXPORT_SYMBOL|BTF_ID|ALLOW_ERROR_INJECTION|DEFINE_GUARD)\w*")
_CLEANUP: Final = re.compile(rb"^DEFINE_(?:FREE|CLASS)\b")
_COMMENT: Final = re.compile(rb'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def loose(
    source: bytes,
    interest: re.Pattern[bytes],
    spans: Sequence[tuple[int, int]],
    functions: Sequence[Function],
) -> Iterator[Loose]:
    """Mentions of `interest` in a file that are no call of a function, nor a declaration.

    `spans` are where the functions stand.
    """
    if not interest.search(source):
        return
    blank = _COMMENT.sub(lambda found: re.sub(rb"[^\n]", b" ", found[0]), source)
    called = {call.position for each in functions for call in each.calls}
    starts = sorted(spans)
    for found in interest.finditer(blank):
        at = found.start()
        if at in called or _is_other(blank, at, found.end()):
            continue
        name, line = found[0].decode(), blank.count(b"\n", 0, at) + 1
        macro = _macro(blank, at)
        if macro is not None:
            if macro != name:
                yield Loose(name, macro, line, True)
        elif (inside := _within(starts, at)) is not None:
            if not _is_defined(blank, inside, at):
                yield Loose(name, _named(blank, at), line, False)
        elif not _is_declared(blank, at):
            named = _named(blank, at)
            if named != name:
                yield Loose(name, named, line, False)


def _is_other(blank: bytes, at: int, end: int) -> bool:
    """Whether a word is a label, or the member of a structure, and no function."""
    before = blank[max(at - 8, 0) : at].rstrip()
    return before.endswith((b"goto", b".", b"->")) or blank[end : end + 1] == b":"


def _within(spans: Sequence[tuple[int, int]], at: int) -> tuple[int, int] | None:
    number = bisect_right(spans, (at, 1 << 62)) - 1
    return spans[number] if number >= 0 and at < spans[number][1] else None


def _is_defined(blank: bytes, span: tuple[int, int], at: int) -> bool:
    """Whether this is the name of the function that the span is of."""
    return blank.find(b"{", span[0]) > at


def _is_declared(blank: bytes, at: int) -> bool:
    """Whether the line begins in the first column, as declarations do, or only tells of it."""
    start = blank.rfind(b"\n", 0, at) + 1
    if blank[start : start + 1] in (b" ", b"\t"):
        return False
    line = blank[start:at]
    if _CLEANUP.match(line):
        return False
    return _TOLD.match(line) is not None or (b"{" not in line and b"=" not in line)


def _named(blank: bytes, at: int) -> str:
    """The function, or the like, that a place most likely belongs to."""
    heads = list(_HEAD.finditer(blank, 0, at))
    return heads[-1][1].decode() if heads else ""


def _macro(blank: bytes, at: int) -> str | None:
    """The macro whose body this place is in, or whose name it is."""
    start = blank.rfind(b"\n", 0, at) + 1
    while start >= 2 and blank[:start].endswith(b"\\\n"):
        start = blank.rfind(b"\n", 0, start - 1) + 1
    found = _DEFINE.match(blank, start)
    return found[1].decode() if found is not None and found.start(1) <= at else None

"""Calls that the parser does not see: in the bodies of macros, and where the grammar gives up.

They are found as text, after comments and strings, and said to be where the text says they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pinlab.audit.facts import Loose

_HEAD: Final = re.compile(rb"^[A-Za-z_][^;{}#]*?\b([A-Za-z_]\w*)\s*\(", re.M)


def loose(
    source: bytes,
    interest: re.Pattern[bytes],
    spans: list[tuple[int, int]],
) -> Iterator[Loose]:
    """Calls of `interest` in the bytes of a file that none of `spans`, its functions, has."""
    if not spans and not interest.search(source):
        return
    blank = _without_comments(source)
    for found in interest.finditer(blank):
        at = found.start()
        if any(start <= at < end for start, end in spans) or not _is_call(blank, found.end()):
            continue
        line = blank.count(b"\n", 0, at) + 1
        macro = _macro(blank, at)
        if macro is not None:
            yield Loose(found[0].decode(), macro, line, True)
        elif blank[blank.rfind(b"\n", 0, at) + 1 : at].strip() and not _is_indented(blank, at):
            continue  # a declaration or a definition: its line begins in the first column
        else:
            heads = list(_HEAD.finditer(blank, 0, at))
            named = heads[-1][1].decode() if heads else ""
            if named != found[0].decode():
                yield Loose(found[0].decode(), named, line, False)


def _is_call(blank: bytes, at: int) -> bool:
    return blank[at : at + 8].lstrip(b" \t\n").startswith(b"(")


def _is_indented(blank: bytes, at: int) -> bool:
    start = blank.rfind(b"\n", 0, at) + 1
    return blank[start : start + 1] in (b" ", b"\t")


def _macro(blank: bytes, at: int) -> str | None:
    """The macro whose body this place is in."""
    start = blank.rfind(b"\n", 0, at) + 1
    while start >= 2 and blank[:start].endswith(b"\\\n"):
        start = blank.rfind(b"\n", 0, start - 1) + 1
    found = re.compile(rb"[ \t]*#[ \t]*define[ \t]+(\w+)").match(blank, start)
    return found[1].decode() if found and found.end() <= at else None


_COMMENT: Final = re.compile(rb'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def _without_comments(source: bytes) -> bytes:
    """The same length and lines; comments and strings are blank."""
    return _COMMENT.sub(lambda found: re.sub(rb"[^\n]", b" ", found[0]), source)

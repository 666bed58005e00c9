"""Names that others chose, as they may be shown.

A process, a file, a disk or a recording may be called anything: bytes that are no text, newlines
that forge a row, sequences that a terminal obeys, letters that turn the line around. Inside, a
name is kept as Python keeps file names (bytes that are no UTF-8 as lone surrogates); on its way
out it goes through `printable`.
"""

from __future__ import annotations

import re
from typing import Final

_LONE: Final = range(0xDC80, 0xDD00)
"""Where os.fsdecode puts bytes that are no text."""

_STRANGE: Final = re.compile(r"[^\x20-\x7e\n]")


def decoded(name: bytes) -> str:
    """A name from outside, up to a zero byte; nothing of it is lost."""
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def printable(name: str) -> str:
    """`name` on one line, with escapes as Python writes them for what is not a visible letter."""
    return name if name.isprintable() else "".join(map(_visible, name))


def harmless(text: str) -> str:
    """`text` of several lines, with escapes for what a terminal would obey."""
    if _STRANGE.search(text) is None:
        return text
    return "\n".join(map(printable, text.split("\n")))


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    if ord(letter) in _LONE:
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return ascii(letter)[1:-1]

"""Which functions acquire in a tree, and where their arguments stand: out of its own headers.

The interface changed with nearly every release (tasks, vmas, an int that became flags, a second
family), so it is read and not known: a name, then the places of `pages` and of the flags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pinlab.audit.api import Family

HEADERS: Final = ("include/linux/mm.h", "include/linux/uio.h", "include/linux/memfd.h")

_ACQUIRES: Final = (
    r"(?:__)?get_user_pages?(?:_\w+)?|pin_user_pages?(?:_\w+)?|memfd_pin_folios"
    r"|iov_iter_get_pages\w*|iov_iter_extract_(?:pages|bvecs)"
)
_DECLARED: Final = re.compile(rf"\b({_ACQUIRES})\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*[;{{]")
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_PAGES: Final = frozenset({"pages", "page", "folios", "pagep", "bv"})
_FLAGS: Final = frozenset({"gup_flags", "flags", "foll_flags", "write"})


class Era(StrEnum):
    """Which way of letting go a tree offers to whoever lets a device write."""

    get = "get"
    """Only plain references (before 5.2)."""
    put_user_page = "put_user_page"
    """put_user_page(), still without a count of its own (5.2 to 5.5)."""
    pin = "pin"
    """FOLL_PIN and unpin_user_page() (since 5.6)."""


@dataclass(frozen=True, slots=True)
class Acquire:
    """A function that takes references on a user's pages."""

    name: str
    family: Family
    pages: int | None
    """Which argument receives the pages; None if the result does."""
    flags: int | None
    is_bool: bool
    """Its flags are an int that says whether to write (before 5.2)."""


@dataclass(frozen=True, slots=True)
class Api:
    """What a tree's headers declare."""

    era: Era
    acquires: Mapping[str, Acquire]


def api(headers: Mapping[str, str]) -> Api:
    """The interface, from the text of HEADERS, by path (those that the tree has)."""
    text = "\n".join(_COMMENT.sub(" ", headers[each]) for each in HEADERS if each in headers)
    acquires: dict[str, Acquire] = {}
    for found in _DECLARED.finditer(text):
        acquires.setdefault(found[1], _acquire(found[1], found[2]))
    if re.search(r"\bunpin_user_pages?\s*\(", text):
        era = Era.pin
    elif re.search(r"\bput_user_pages?\s*\(", text):
        era = Era.put_user_page
    else:
        era = Era.get
    return Api(era, acquires)


def _acquire(name: str, listed: str) -> Acquire:
    params = [re.findall(r"\w+", each) for each in listed.split(",")]
    names = [words[-1] if words else "" for words in params]
    pages = next((at for at, each in enumerate(names) if each in _PAGES), None)
    flags = next((at for at, each in enumerate(names) if each in _FLAGS), None)
    if name.startswith("iov_iter"):
        flags = None
    family = (
        Family.extract
        if name.startswith("iov_iter_extract")
        else Family.pin
        if "pin_" in name
        else Family.get
    )
    return Acquire(name, family, pages, flags, flags is not None and names[flags] == "write")

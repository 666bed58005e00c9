"""The flags of a site, through the variables that hold them."""

from __future__ import annotations

import re
from typing import Final

from pinlab.audit.era import Acquire
from pinlab.audit.facts import Call, Flow
from pinlab.audit.flow import Graph, Key

_NAME: Final = re.compile(r"\bFOLL_\w+")
_WORD: Final = re.compile(r"[A-Za-z_]\w*(?:(?:->|\.)\w+)*")
_COMPARED: Final = re.compile(r"^(?:1|true|!?\(?[^?|]*(?:==|!=|<=|>=)[^?|]*\)?)$")
"""An int that was never changed for flags: FOLL_WRITE is 1, so that it still works."""
_DEPTH: Final = 3

Flags = dict[str, bool]
"""Each name, and whether it is there for sure; "?" for a part that stays unknown."""


def flags(made: Graph, at: Key, call: Call, acquire: Acquire) -> tuple[str, ...]:
    """The names, sorted; `~` before one that depends on something, `?` for what is not known."""
    if acquire.flags is None or acquire.flags >= len(call.texts):
        return ()
    text = call.texts[acquire.flags]
    as_bool = acquire.is_bool or _COMPARED.search(text)
    found = _of_bool(text) if as_bool else _of(made, at, text, _DEPTH)
    return tuple(
        sorted(name if sure or name == "?" else f"~{name}" for name, sure in found.items())
    )


def _of_bool(text: str) -> Flags:
    """An int that said whether to write (before 5.2)."""
    if text in ("0", "false"):
        return {}
    return {"FOLL_WRITE": text in ("1", "true", "WRITE", "FOLL_WRITE")}


def _of(made: Graph, at: Key, text: str, depth: int) -> Flags:
    sure = "?" not in text and "&&" not in text and "||" not in text
    found = {
        each[0]: sure and not text[: each.start()].rstrip().endswith(("~", "!"))
        for each in _NAME.finditer(text)
        if not text[: each.start()].rstrip().endswith("~")
    }
    for word in _WORD.findall(text):
        if not word.startswith("FOLL_"):
            _merge(found, _of_word(made, at, word, depth, text), sure)
    return found


def _of_word(made: Graph, at: Key, word: str, depth: int, text: str) -> Flags:
    """What a variable may hold: all that the function puts into it, or that its callers pass."""
    if depth == 0:
        return {"?": False}
    function = made.functions[at]
    if "?" in text and text.split("?")[0].find(word) >= 0:
        return {}  # the condition of a choice
    place = word.replace("->", ".")
    found: Flags = {}
    assigned = [each for each in function.flows if each.to == place]
    for each in assigned:
        if each.text.strip() != word:
            _merge(found, _of(made, at, each.text, depth - 1), _is_sure(each))
    if place in function.params:
        position = function.params.index(place)
        callers = made.callers(at)
        passed = [
            _of(made, caller, call.texts[position], depth - 1)
            for caller, call in callers
            if position < len(call.texts)
        ]
        for name in {name for each in passed for name in each}:
            everywhere = all(each.get(name, False) for each in passed)
            found[name] = found.get(name, False) or everywhere
        if not passed:
            found["?"] = False
    elif not assigned and not word.isupper() and not word.isdigit():
        found["?"] = False
    return found


def _is_sure(flow: Flow) -> bool:
    return not flow.tests


def _merge(into: Flags, more: Flags, sure: bool) -> None:
    for name, there in more.items():
        into[name] = into.get(name, False) or (there and sure)

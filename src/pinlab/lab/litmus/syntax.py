"""From the text of a litmus test to its parts.

The grammar is litmus.lark. What it accepts and the lab cannot say is refused in source.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from pinlab.errors import UsageError

Node = Tree[Token]


@dataclass(frozen=True, slots=True)
class Thread:
    """P0, P1, ...: `parameters` are locations, with whether each is a lock."""

    name: str
    parameters: Mapping[str, bool]
    body: Node
    line: int


@dataclass(frozen=True, slots=True)
class Litmus:
    """A test. `initial` are values of locations, `&x` as the name of another one; `quantifier` is
    exists, ~exists or forall."""

    name: str
    file: str
    initial: Mapping[str, int | str]
    threads: tuple[Thread, ...]
    quantifier: str
    condition: Node | Token

    def refusal(self, at: Node | Token | int, message: str) -> UsageError:
        """The sentence that says what is not supported, and where."""
        line = at if isinstance(at, int) else _line(at)
        return UsageError(f"{self.file}:{line}: {message}")


def _line(at: Node | Token) -> int:
    found = at.line if isinstance(at, Token) else getattr(at.meta, "line", None)
    return found or 1


@cache
def _parser() -> Lark:
    grammar = files(__package__ or "").joinpath("litmus.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def parse(text: str, file: str) -> Litmus:
    """Read a test. Raises UsageError with the line that is not understood."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise UsageError(f"{file}{_not_understood(text, error)}") from error
    header, *parts = tree.children
    by_kind: dict[str, list[Node]] = {}
    for part in parts:
        if isinstance(part, Tree):
            by_kind.setdefault(str(part.data), []).append(part)
    return Litmus(
        name=str(header)[1:].strip(),
        file=file,
        initial=_initial(by_kind.get("setup", []), file),
        threads=tuple(map(_thread, by_kind["thread"])),
        quantifier="".join(str(by_kind["quantifier"][0].children[0]).split()),
        condition=parts[-1],
    )


def _not_understood(text: str, error: UnexpectedInput) -> str:
    """Where a text is none of a test, and what was met there."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return ": the test ends before its exists clause"
    found = text[error.pos_in_stream or 0 :].split(maxsplit=1)[:1]
    what = repr(found[0][:30]) if found else "the end"
    if error.line == 1:
        return f":1: a test begins with a line `C NAME`, not with {what}"
    line = text.splitlines()[error.line - 1]
    if jump := re.search(r"\b(while|for|do|goto|switch|return)\b", line):
        return f":{error.line}: {jump[0]}: write it without a loop or a jump"
    return f":{error.line}: {what} is not understood here"


def _initial(setup: list[Node], file: str) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for part in (each for block in setup for each in block.children if isinstance(each, Tree)):
        tokens = [it for it in part.children if isinstance(it, Token) and it.type == "NAME"]
        values = [it for it in part.children if isinstance(it, Tree)]
        if not values:
            found[str(tokens[0])] = 0
            continue
        found[str(tokens[0])] = _value(values[0], file)
    return found


def _value(value: Node, file: str) -> int | str:
    words = [str(it) for it in value.children]
    match value.data:
        case "number":
            return number(words)
        case "address":
            return words[-1]
        case _:
            if words[0] == "ATOMIC_INIT" and words[1].isdigit():
                return int(words[1])
            raise UsageError(
                f"{file}:{_line(value)}: {words[0]}() is no initial value; write a number or &x"
            )


def number(words: list[str]) -> int:
    """The integer that a sign and digits are."""
    value = int(words[-1], 0)
    return -value if words[0] == "-" else value


def _thread(tree: Node) -> Thread:
    name, *rest = tree.children
    parameters: dict[str, bool] = {}
    for part in rest[:-1]:
        assert isinstance(part, Tree)
        words = [str(it) for it in part.children]
        parameters[words[-1]] = "spinlock_t" in words
    body = rest[-1]
    assert isinstance(body, Tree)
    return Thread(str(name), parameters, body, _line(name))

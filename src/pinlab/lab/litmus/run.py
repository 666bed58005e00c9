"""What a litmus test may come to: the face of litmus tests."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lark import Token, Tree

from pinlab.errors import UsageError
from pinlab.lab import weak
from pinlab.lab.explore import choose
from pinlab.lab.explore.result import Limits
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.program import Actor, System
from pinlab.lab.language.source import LanguageError
from pinlab.lab.litmus.source import Layout, layout, source
from pinlab.lab.litmus.syntax import Litmus, Node, number, parse
from pinlab.lab.results import LitmusAnswer, LitmusResult

MAX_STATES = 1_000_000

YES, NO = "fulfils the condition", "does not"


def run(path: Path, max_states: int | None = None) -> LitmusResult:
    """Explore the test in a file under each memory model. Raises UsageError for what is not
    supported, with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    return answered(text, str(path), max_states)


def answered(text: str, file: str, max_states: int | None = None) -> LitmusResult:
    """The same of a text. Raises UsageError."""
    test = parse(text, file)
    where = layout(test)
    _refuse_unknown(test, where)
    it = system(test, where)
    most = max_states or MAX_STATES
    answers = tuple(_answer(test, where, it, model, most) for model in weak.NAMES)
    return LitmusResult(test.name, file, test.quantifier, answers)


def _refuse_unknown(test: Litmus, where: Layout) -> None:
    """Raises UsageError if the condition speaks of what is not there."""
    assert isinstance(test.condition, Tree)
    nothing = {"mem": [0] * len(where.locations)}
    nothing |= {f"out{n}": [0] * len(names) for n, names in enumerate(where.registers)}
    for atom in test.condition.find_data("holds"):
        _Final(test, where, nothing).holds(atom)


def system(test: Litmus, where: Layout) -> System:
    """Its threads, each on a CPU. Raises UsageError."""
    text = source(test, where)
    file = f"<litmus {test.file}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module: dict[str, Any] = {"__name__": f"litmus.{test.name}"}
    exec(compile(text, file, "exec"), module)
    functions = [module[thread.name] for thread in test.threads]
    try:
        program = compile_program(functions)
    except LanguageError as error:
        raise UsageError(f"{test.file}: {error.message}") from error
    initial = [test.initial.get(name, 0) for name in where.locations]
    values = tuple(where.address(it) if isinstance(it, str) else it for it in initial)
    actors = tuple(Actor(thread.name, thread.name) for thread in test.threads)
    used = {var.name for var in program.vars}
    return System(program, actors, {"mem": values} if "mem" in used and values else {})


def _answer(test: Litmus, where: Layout, it: System, model: str, max_states: int) -> LitmusAnswer:
    def audit(at: Mapping[str, Sequence[int]]) -> list[str]:
        return [YES if _Final(test, where, at).holds(test.condition) else NO]

    try:
        found = choose.explore(weak.under(it, model), Limits(max_states), audit=audit)
    except weak.Unsupported as error:
        raise UsageError(f"{test.file}: {error}") from error
    for kind, about in found.failures:
        if kind != "deadlock":
            raise UsageError(f"{test.file}: {kind}: {about}: pinlab cannot say what follows")
    possible = True if YES in found.unbalanced else False if found.complete else None
    always = False if NO in found.unbalanced else possible if found.complete else None
    return LitmusAnswer(model, possible, always, found.states)


class _Final:
    """What is in registers and memory at the end."""

    def __init__(self, test: Litmus, where: Layout, at: Mapping[str, Sequence[int]]) -> None:
        self.test = test
        self.where = where
        self.at = at

    def holds(self, it: Node | Token) -> bool:
        """Whether a condition is true of it."""
        assert isinstance(it, Tree)
        match it.data:
            case "any_of":
                return any(self.holds(part) for part in it.children)
            case "all_of":
                return all(self.holds(part) for part in it.children)
            case "none_of":
                return not self.holds(it.children[-1])
            case "always":
                return True
            case _:
                return self._atom(it)

    def _atom(self, it: Node) -> bool:
        *words, value = it.children
        tokens = [token for token in words if isinstance(token, Token)]
        name = next(str(token) for token in tokens if token.type == "NAME")
        index = next((int(token) for token in tokens if token.type == "INDEX"), None)
        differs = any(token.type == "EQUALITY" and token == "!=" for token in tokens)
        assert isinstance(value, Tree)
        found = self._memory(it, name) if index is None else self._register(it, index, name)
        return (found == self._value(value)) is not differs

    def _memory(self, it: Node, name: str) -> int:
        if name not in self.where.locations:
            raise self.test.refusal(it, f"there is no location {name}")
        at = self.where.locations.index(name)
        initial = self.test.initial.get(name, 0)
        start = self.where.address(initial) if isinstance(initial, str) else initial
        return self.at["mem"][at] if "mem" in self.at else start

    def _register(self, it: Node, thread: int, name: str) -> int:
        if thread >= len(self.where.registers):
            raise self.test.refusal(it, f"there is no thread {thread}")
        registers = self.where.registers[thread]
        if name not in registers:
            raise self.test.refusal(it, f"P{thread} has no register {name}")
        return self.at[f"out{thread}"][registers.index(name)]

    def _value(self, it: Node) -> int:
        words = [str(part) for part in it.children]
        if it.data == "number":
            return number(words)
        if words[-1] not in self.where.locations:
            raise self.test.refusal(it, f"there is no location {words[-1]}")
        return self.where.address(words[-1])

"""Mutants of a function of the model: what could be wrong with it, one thing at a time.

Each kind is a way in which kernels go wrong: something is forgotten, a lock is not taken, two steps
have changed places, what was looked at again is not, an atomic operation is none. What only tells
the judges (`trace`, `might_sleep`) or is only counted (`allocate`) is no mutant: without it the
model does the same.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.language.source import source_of, statements

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dropped": "a call is left out",
        "unlocked": "a lock is not taken, and so not released",
        "interrupts": "interrupts stay on",
        "unchecked": "what a test guards is never done: a re-check is removed",
        "negated": "a test says the opposite",
        "swapped": "two neighbours have changed places",
        "split": "an atomic operation is a load and a store",
    }
)
"""The kinds of mutants."""

JUDGES: Final = frozenset({"trace", "might_sleep", "allocate", "VM_BUG_ON"})
"""What changes nothing in the model."""

LOCKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "spin_lock": "spin_unlock",
        "spin_lock_irq": "spin_unlock_irq",
        "mutex_lock": "mutex_unlock",
        "down_read": "up_read",
        "down_write": "up_write",
        "rcu_read_lock": "rcu_read_unlock",
        "lock_page": "unlock_page",
        "folio_lock": "folio_unlock",
    }
)
"""What takes a lock, and what releases it."""

INTERRUPTS: Final = ("local_irq_disable", "local_irq_enable")

SIMPLE: Final = (ast.Expr, ast.Assign, ast.AnnAssign)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A function of the model with one thing wrong."""

    function: str
    file: str
    line: int
    kind: str
    what: str
    """What of its source is concerned, on one line; #2 if it is there a second time."""
    lines: frozenset[int]
    """Who executes none of these lines of the function cannot tell the mutant from it."""
    names: frozenset[str]
    """What is named in what is changed: functions that are called, among others."""
    calls: tuple[str, ...]
    """Which function each statement that is changed calls, if that is all it does: no argument is a
    call of its own."""
    text: str
    """The function as it is now."""


def mutants(function: KernelFunction) -> Iterator[Mutant]:
    """Every mutant of a function, by line. Raises LanguageError if its source cannot be read."""
    source = source_of(function)
    tree = source.tree
    found = [
        *_dropped(tree),
        *_without_pairs(tree, "unlocked", LOCKS),
        *_without_pairs(tree, "interrupts", dict([INTERRUPTS])),
        *_tests(tree),
        *_swapped(tree),
        *_split(tree),
    ]
    said: Counter[tuple[str, str]] = Counter()
    for change in sorted(found, key=lambda it: it.at[0].lineno):
        what = " <-> ".join(_said(node) for node in change.at)
        said[change.kind, what] += 1
        times = said[change.kind, what]
        lines = {
            line
            for node in change.at
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        yield Mutant(
            function=function.__name__,
            file=source.file,
            line=change.at[0].lineno,
            kind=change.kind,
            what=what if times == 1 else f"{what} #{times}",
            lines=frozenset(lines),
            names=frozenset(
                it.id for node in change.at for it in ast.walk(node) if isinstance(it, ast.Name)
            ),
            calls=tuple("" if _looks(node) else _called(node) for node in change.at),
            text=ast.unparse(_changed(tree, change.to)),
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """What is done to the nodes of a tree: `to` has what stands in the place of each."""

    kind: str
    at: tuple[ast.stmt | ast.expr, ...]
    to: Mapping[ast.AST, Sequence[ast.stmt] | ast.expr]


def _said(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _changed(tree: ast.FunctionDef, to: Mapping[ast.AST, object]) -> ast.FunctionDef:
    memo: dict[int, object] = {}
    copied = copy.deepcopy(tree, memo)
    by_copy = {id(memo[id(node)]): it for node, it in to.items()}

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> object:
            return by_copy.get(id(node)) or self.generic_visit(node)

    changed = Put().visit(copied)
    assert isinstance(changed, ast.FunctionDef)
    return ast.fix_missing_locations(changed)


# ------------------------------------------------------------------------------------ the kinds


def _dropped(tree: ast.FunctionDef) -> Iterator[_Change]:
    for node in statements(tree):
        if _called(node) and _called(node) not in JUDGES:
            yield _Change("dropped", (node,), {node: [ast.Pass()]})


def _without_pairs(tree: ast.FunctionDef, kind: str, pairs: Mapping[str, str]) -> Iterator[_Change]:
    """A call, and all of those that undo it with the same arguments, are left out."""
    calls = [node for node in statements(tree) if _called(node)]
    for node in calls:
        if _called(node) not in pairs:
            continue
        undone = [
            it
            for it in calls
            if _called(it) == pairs[_called(node)] and _arguments(it) == _arguments(node)
        ]
        if undone:
            yield _Change(kind, (node,), {it: [ast.Pass()] for it in (node, *undone)})


def _tests(tree: ast.FunctionDef) -> Iterator[_Change]:
    for node in statements(tree):
        if not isinstance(node, ast.If) or _is_fixed(node.test) or _only_tells(node):
            continue
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield _Change("negated", (node.test,), {node.test: negated})
        if not node.orelse:
            never = ast.BoolOp(ast.And(), [node.test, ast.Constant(value=False)])
            yield _Change("unchecked", (node.test,), {node.test: never})


def _swapped(tree: ast.FunctionDef) -> Iterator[_Change]:
    for body in _bodies(tree):
        for one, other in pairwise(body):
            if _acts(one) and _acts(other):
                yield _Change("swapped", (one, other), {one: [other], other: [one]})


def _split(tree: ast.FunctionDef) -> Iterator[_Change]:
    for node in statements(tree):
        for call in _evaluated(node):
            parts = _as_load_and_store(call)
            if parts is None:
                continue
            before, value = parts
            if isinstance(node, ast.Expr):
                yield _Change("split", (node,), {node: before})
            else:
                rest = _with_value(node, call, value)
                yield _Change("split", (call,), {node: [*before, rest]})


# ------------------------------------------------------------------------------------ the trees


def _called(node: ast.AST) -> str:
    """Which function a statement calls, if that is all it does."""
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_call and isinstance(node.value.func, ast.Name):  # type: ignore[attr-defined]
        return str(node.value.func.id)  # type: ignore[attr-defined]
    return ""


def _looks(node: ast.AST) -> bool:
    """Whether an argument of a call is a call itself, which may look at something."""
    calls = [it for it in ast.walk(node) if isinstance(it, ast.Call)]
    return any(not (isinstance(it.func, ast.Name) and it.func.id == "cast") for it in calls[1:])


def _arguments(node: ast.stmt) -> list[str]:
    assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return [ast.unparse(it) for it in node.value.args]


def _is_fixed(test: ast.expr) -> bool:
    """Whether a test is decided by a static key: it says what kernel this is."""
    names = {it.id for it in ast.walk(test) if isinstance(it, ast.Name)}
    return "static_branch" in names


def _only_tells(node: ast.If) -> bool:
    """Whether all that a test decides is what the judges hear."""
    return all(_called(it) in JUDGES for it in (*node.body, *node.orelse))


def _bodies(tree: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _acts(node: ast.stmt) -> bool:
    """Whether a statement may do something that others see: it calls something."""
    if not isinstance(node, SIMPLE) or _called(node) in JUDGES:
        return False
    calls = (it for it in ast.walk(node) if isinstance(it, ast.Call))
    names = {it.func.id for it in calls if isinstance(it.func, ast.Name)}
    return bool(names - {"cast", "page_index"})


def _evaluated(node: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement itself that are made whatever the others give."""
    root = node.test if isinstance(node, ast.If) else getattr(node, "value", None)
    if not isinstance(root, ast.expr) or isinstance(node, ast.For):
        return
    todo: list[ast.AST] = [root]
    while todo:
        it = todo.pop()
        if isinstance(it, ast.Call):
            yield it
        if not isinstance(it, ast.BoolOp | ast.IfExp):
            todo += ast.iter_child_nodes(it)


_LOCAL: Final = "found"

_SPLIT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "atomic_inc": ("atomic_set({0}, atomic_read({0}) + 1)", ""),
        "atomic_dec": ("atomic_set({0}, atomic_read({0}) - 1)", ""),
        "atomic_add": ("atomic_set({1}, atomic_read({1}) + ({0}))", ""),
        "atomic_sub": ("atomic_set({1}, atomic_read({1}) - ({0}))", ""),
        "atomic_inc_return": ("found = atomic_read({0}) + 1\natomic_set({0}, found)", "found"),
        "atomic_dec_return": ("found = atomic_read({0}) - 1\natomic_set({0}, found)", "found"),
        "atomic_add_return": ("found = atomic_read({1}) + ({0})\natomic_set({1}, found)", "found"),
        "atomic_sub_return": ("found = atomic_read({1}) - ({0})\natomic_set({1}, found)", "found"),
        "atomic_dec_and_test": (
            "found = atomic_read({0}) - 1\natomic_set({0}, found)",
            "found == 0",
        ),
        "atomic_sub_and_test": (
            "found = atomic_read({1}) - ({0})\natomic_set({1}, found)",
            "found == 0",
        ),
        "atomic_inc_not_zero": (
            "found = atomic_read({0})\nif found != 0:\n    atomic_set({0}, found + 1)",
            "found != 0",
        ),
        "test_and_set_bit": ("found = test_bit({0})\nif not found:\n    set_bit({0})", "found"),
        "test_and_clear_bit": ("found = test_bit({0})\nif found:\n    clear_bit({0})", "found"),
        "cmpxchg": (
            "found = READ_ONCE({0})\nif found == ({1}):\n    WRITE_ONCE({0}, {2})",
            "found",
        ),
        "xchg": ("found = READ_ONCE({0})\nWRITE_ONCE({0}, {1})", "found"),
    }
)
"""What stands for an atomic operation: the statements, and its value. In braces its arguments."""


def _as_load_and_store(call: ast.Call) -> tuple[list[ast.stmt], ast.expr] | None:
    if not isinstance(call.func, ast.Name) or call.func.id not in _SPLIT:
        return None
    arguments = [ast.unparse(it) for it in call.args]
    text, value = (it.format(*arguments) for it in _SPLIT[call.func.id])
    return ast.parse(text).body, ast.parse(value or "None", mode="eval").body


def _with_value(node: ast.stmt, call: ast.Call, value: ast.expr) -> ast.stmt:
    """The statement with this value in the place of a call of its own."""
    memo: dict[int, object] = {}
    copied = copy.deepcopy(node, memo)
    own = memo[id(call)]

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> object:
            return value if node is own else self.generic_visit(node)

    changed = Put().visit(copied)
    assert isinstance(changed, ast.stmt)
    return changed

"""The source of a model function as a syntax tree, and how a construct is refused."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NoReturn, get_type_hints

from pinlab.lab.language.kernel import KernelFunction


class LanguageError(Exception):
    """A construct outside the modelling language: file, line and what to write instead."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Source:
    """One model function: its tree (line numbers are those of `file`), names and types."""

    name: str
    file: str
    role: str
    tree: ast.FunctionDef
    globals: Mapping[str, Any]
    hints: Mapping[str, Any]

    @cached_property
    def assigned(self) -> frozenset[str]:
        """Every name that is set in it."""
        return frozenset(
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )

    @cached_property
    def loop_variables(self) -> frozenset[str]:
        return frozenset(
            node.target.id
            for node in statements(self.tree)
            if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
        )

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        """Raise LanguageError at `node`."""
        raise LanguageError(self.file, getattr(node, "lineno", self.tree.lineno), message)


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Every statement in `tree`, at any depth."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        inner = ast.stmt | ast.excepthandler | ast.match_case
        todo += (child for child in ast.iter_child_nodes(node) if isinstance(child, inner))


def text_of(node: ast.AST) -> str:
    """`node` as it is written."""
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


@lru_cache(maxsize=64)
def _definitions(text: str) -> Mapping[tuple[int, str], ast.stmt]:
    """What a file of this text defines, by first line (a decorator's, perhaps) and name."""
    return {
        (min([node.lineno, *(it.lineno for it in node.decorator_list)]), node.name): node
        for node in statements(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@cache
def source_of(function: KernelFunction) -> Source:
    """Read and parse `function`. Raises LanguageError if it cannot be read or typed."""
    python: Callable[..., Any] = function.function
    file = inspect.getsourcefile(python) or "?"
    linecache.checkcache(file)  # a design may be loaded again once it was edited
    lines = linecache.getlines(file, python.__globals__)
    if not lines:
        raise LanguageError(file, 1, f"the source of {function.__name__} cannot be read")
    first = python.__code__.co_firstlineno
    tree = _definitions("".join(lines)).get((first, python.__code__.co_name))
    if not isinstance(tree, ast.FunctionDef):
        raise LanguageError(file, first, "write a model function with a plain `def`")
    if python.__code__.co_freevars:
        names = ", ".join(python.__code__.co_freevars)
        raise LanguageError(file, first, f"{names}: only names of the module can be read here")
    try:
        hints = get_type_hints(python, include_extras=True)
    except NameError as error:
        raise LanguageError(file, tree.lineno, f"annotation: {error}; import that type") from error
    except Exception as error:  # an annotation is any expression
        raise LanguageError(file, tree.lineno, f"annotation: {error}") from error
    return Source(function.__name__, file, function.role, tree, python.__globals__, hints)

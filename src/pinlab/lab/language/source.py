"""The source of a model function as a syntax tree, and how a construct is refused."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, get_type_hints

from pinlab.lab.language.kernel import BadDeclaration, KernelFunction


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

    def refuse(self, node: ast.AST, message: str) -> NoReturn:
        """Raise LanguageError at `node`."""
        raise LanguageError(self.file, getattr(node, "lineno", self.tree.lineno), message)


@cache
def source_of(function: KernelFunction) -> Source:
    """Read and parse `function`. Raises LanguageError if it cannot be read or typed."""
    python: Callable[..., Any] = function.function
    file = inspect.getsourcefile(python) or "?"
    try:
        lines, first = inspect.getsourcelines(python)
    except (OSError, TypeError) as error:
        raise LanguageError(file, 1, f"the source of {function.__name__} cannot be read") from error
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    ast.increment_lineno(tree, first - 1)
    if not isinstance(tree, ast.FunctionDef):
        raise LanguageError(file, first, "write a model function with a plain `def`")
    if python.__code__.co_freevars:
        names = ", ".join(python.__code__.co_freevars)
        raise LanguageError(file, first, f"{names}: only names of the module can be read here")
    try:
        hints = get_type_hints(python, include_extras=True)
    except NameError as error:
        raise LanguageError(file, tree.lineno, f"annotation: {error}; import that type") from error
    except BadDeclaration as error:
        raise LanguageError(file, tree.lineno, f"annotation: {error}") from error
    return Source(function.__name__, file, function.role, tree, python.__globals__, hints)

"""Model functions: marked, never run."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class BadDeclaration(ValueError):
    """What cannot be declared so. Raised where it is declared, which is where to mend it."""


class KernelFunction:
    """A function of the model: its Python source, and whether a design may replace it."""

    def __init__(self, function: Callable[..., Any], role: str) -> None:
        if not isinstance(function, FunctionType):
            raise BadDeclaration(f"@{role} stands alone above a plain `def`")
        self.function = function
        self.role = role  # "kernel", "hook" or "pure"
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotCompiled(f"{self.__name__} is a model function: it is compiled, never called")


def model_function(function: Callable[..., Any]) -> KernelFunction:
    """`function` as what @kernel, @hook or @pure made of it. Raises TypeError for another one."""
    if not isinstance(function, KernelFunction):
        raise TypeError(f"{function!r} is not a model function: mark it @kernel")
    return function


class NotCompiled(RuntimeError):
    """A model function or a primitive was called from ordinary Python."""


def kernel(function: F) -> F:
    """Mark a kernel function of the model: it may use primitives and call other ones."""
    return KernelFunction(function, "kernel")  # type: ignore[return-value]


def hook(function: F) -> F:
    """Mark a kernel function that a design may replace by one of the same name."""
    return KernelFunction(function, "hook")  # type: ignore[return-value]


def pure(function: F) -> F:
    """Mark a function of its arguments alone: one `return` of an expression, taken in line."""
    return KernelFunction(function, "pure")  # type: ignore[return-value]

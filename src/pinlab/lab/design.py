"""A design: hooks of the model replaced, with the state that they need.

A design is a Python module with `@kernel` functions that bear the names of hooks (see
`pinlab.lab.linux.design`). Those of the package lie in `pinlab/lab/designs/`, one file each;
any other file will do as well. A policy names the detector it builds on in `BASE`;
`DETECTOR+POLICY` on the command line combines any two.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import pinlab.lab.designs
import pinlab.lab.linux.design
from pinlab.errors import UsageError
from pinlab.lab.language.kernel import Cells, KernelFunction

PINNING = frozenset({"grab_page", "grab_page_fast", "release_page", "put_page"})
"""A design that replaces one of these counts pins in a way of its own: it is a detector."""


@dataclass(frozen=True)
class Design:
    """`hooks` by name, `own` those that it does not have from its `BASE`; `kind` is "detector" or
    "policy"; `struct_page_bytes` is what its `per_page` fields add to struct page; `path` is its
    source file."""

    name: str
    summary: str
    kind: str
    path: str
    hooks: Mapping[str, KernelFunction]
    own: Mapping[str, KernelFunction]
    struct_page_bytes: int


@cache
def hook_names() -> frozenset[str]:
    """The names of all hooks that the model offers."""
    return frozenset(
        name
        for name, value in vars(pinlab.lab.linux.design).items()
        if isinstance(value, KernelFunction) and value.role == "hook"
    )


@cache
def names() -> tuple[str, ...]:
    """The package's designs: detectors first, then policies, each by name."""
    return tuple(sorted(_names(), key=lambda name: (load(name).kind == "policy", name)))


def _names() -> list[str]:
    return [
        info.name.replace("_", "-")
        for info in pkgutil.iter_modules(pinlab.lab.designs.__path__)
        if not info.name.startswith("_")
    ]


@cache
def load(name_or_path: str) -> Design:
    """A design by its name, by DETECTOR+POLICY, or from a file. Raises UsageError."""
    if "+" in name_or_path:
        return _combined(name_or_path, [load(part) for part in name_or_path.split("+")])
    if name_or_path.endswith(".py") or "/" in name_or_path:
        return _from_module(_import_file(Path(name_or_path)), Path(name_or_path).stem)
    module = name_or_path.replace("-", "_")
    if not module.isidentifier() or (
        importlib.util.find_spec(f"{pinlab.lab.designs.__name__}.{module}") is None
    ):
        known = _names()
        close = difflib.get_close_matches(name_or_path, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}."
        raise UsageError(f"there is no design {name_or_path!r}: {hint}")
    return _from_module(importlib.import_module(f"{pinlab.lab.designs.__name__}.{module}"), module)


def _from_module(module: ModuleType, stem: str) -> Design:
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, KernelFunction)
        and value.role == "kernel"
        and value.__module__ == module.__name__
        and name in hook_names()
    }
    _refuse_strays(module)
    base = getattr(module, "BASE", None)
    if not own and base is None and not module.__name__.startswith(pinlab.lab.designs.__name__):
        raise UsageError(
            f"{module.__file__} replaces no hook: define a @kernel function named as one of "
            f"{', '.join(sorted(hook_names()))}"
        )
    below: Mapping[str, KernelFunction] = {}
    if base is not None:
        detector = base if isinstance(base, str) else base.__name__.rsplit(".", 1)[-1]
        below = load(detector.replace("_", "-")).hooks
    doc = (module.__doc__ or "").strip().splitlines()
    return _design(
        stem.replace("_", "-"),
        doc[0] if doc else "(no description)",
        "policy" if base is not None and not own.keys() & PINNING else "detector",
        str(module.__file__),
        {**below, **own},
        own,
    )


def _refuse_strays(module: ModuleType) -> None:
    """A misspelt hook must not be passed over in silence."""
    functions = {
        name: value.function
        for name, value in vars(module).items()
        if isinstance(value, KernelFunction) and value.__module__ == module.__name__
    }
    for name in functions.keys() - hook_names():
        if not any(name in f.__code__.co_names for n, f in functions.items() if n != name):
            close = difflib.get_close_matches(name, sorted(hook_names()), 1)
            hint = f"did you mean {close[0]}?" if close else f"hooks: {', '.join(hook_names())}"
            raise UsageError(f"{module.__file__}: {name} is no hook and nothing calls it; {hint}")


def _combined(name: str, parts: list[Design]) -> Design:
    """A detector with policies: of each further one only what it brings itself."""
    hooks = dict(parts[0].hooks)
    for part in parts[1:]:
        hooks |= part.own
    summary = "; ".join(part.summary for part in parts)
    return _design(name, summary, parts[-1].kind, parts[-1].path, hooks, hooks)


def _design(
    name: str,
    summary: str,
    kind: str,
    path: str,
    hooks: Mapping[str, KernelFunction],
    own: Mapping[str, KernelFunction],
) -> Design:
    return Design(name, summary, kind, path, hooks, own, sum(f.bytes for f in _fields(hooks)))


def _fields(hooks: Mapping[str, KernelFunction]) -> list[Cells]:
    """The per-page fields declared in the modules that the hooks come from."""
    found: dict[int, Cells] = {}
    for hook in hooks.values():
        for value in hook.function.__globals__.values():
            if isinstance(value, Cells) and value.length < 0:
                found[id(value)] = value
    return list(found.values())


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a design's name or an existing .py file")
    name = f"pinlab_design_{path.stem}_{abs(hash(str(path.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file: a design is a module with @kernel functions")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.msg}; correct the syntax") from error
    except Exception as error:
        raise UsageError(
            f"{path} cannot be imported: {type(error).__name__}: {error}; correct the module"
        ) from error
    return module

"""A function of the model as a file that replaces it: what a patch begins with."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from types import ModuleType

from pinlab.lab import worlds
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.world import World

WIDTH = 100
HEAD = '''"""{name}: say in one line what is changed.

A copy of {name}() of {module}. Change it, then:
    pinlab check ./FILE.py                  on the model as it is
    pinlab check DESIGN+./FILE.py           on a design (pinlab list designs)
"""

from __future__ import annotations
'''


def patch(name: str, world: World = worlds.DEFAULT) -> str:
    """A file that replaces the model's function `name` by itself. Raises UsageError if there is
    none."""
    function = world.function(name)
    module = sys.modules[function.__module__]
    head = HEAD.format(name=name, module=module.__name__)
    text, needed = text_of(function)
    return f"{head}\n{imports(module, needed)}\n\n\n{text}\n"


def text_of(function: KernelFunction) -> tuple[str, frozenset[str]]:
    """The text of a function of the model, as a design has it; and the names that it uses."""
    text = inspect.getsource(function.function).rstrip()
    if function.role == "hook":
        text = text.replace("@hook", "@kernel", 1)
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return text, frozenset(names)


def imports(module: ModuleType, names: frozenset[str]) -> str:
    """What imports those names that are global in a module of the model."""
    modules = {**imported(module), "kernel": "pinlab.lab.language.kernel"}
    found: dict[str, set[str]] = {}
    for name in names - {"__name__"}:
        if name in modules or name in vars(module):
            found.setdefault(modules.get(name, module.__name__), set()).add(name)
    standard = [_import(home, found.pop(home)) for home in sorted(found) if home == "typing"]
    own = [_import(home, found[home]) for home in sorted(found)]
    return "\n\n".join("\n".join(group) for group in (standard, own) if group)


def imported(module: ModuleType) -> Mapping[str, str]:
    """Where a module has each of the names from that it imports."""
    tree = ast.parse(inspect.getsource(module))
    return {
        alias.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _import(home: str, names: set[str]) -> str:
    ordered = sorted(names, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))
    line = f"from {home} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"from {home} import (", *(f"    {name}," for name in ordered), ")"])

"""The model's functions as a reader looks for them: by kernel file, with who calls what."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pinlab.lab import design as designs
from pinlab.lab import worlds
from pinlab.lab.build import called_from
from pinlab.lab.design import Design
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.results import Function, Hook
from pinlab.lab.trace import short
from pinlab.lab.world import World

FILE = re.compile(r"\b(?:[a-z0-9_-]+/)+[a-z0-9_-]+\.[ch]\b")
"""A file of the kernel as docstrings of the model name it."""
NAMED = re.compile(rf"\b(\w+)\(\)(?=, {FILE.pattern}|(?: with \w+\(\))? in line)")
"""A function of the kernel that one of the model stands for, under another name or as a part."""
HEAD = re.compile(rf"(?:({FILE.pattern}) )?(\w+)\(\)(?:, )?")
"""One of those that a docstring begins with: "mm/memory.c do_pte_missing(), do_fault(): ...". A
file holds for those after it as well."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a function of the model says of itself: the kernel's that it stands for, each with its
    file, what of it there is, and what is left out."""

    kernel: tuple[tuple[str, str], ...]
    says: str
    left_out: str


def function(name: str, world: World = worlds.DEFAULT) -> Function:
    """One function of a model. Raises UsageError if there is none of this name."""
    it = world.function(name)
    after = callees(world)
    return Function(
        name=name,
        role=it.role,
        file=short(inspect.getfile(it.function)),
        lines=_source(it),
        kernel=kernel_files(it),
        version=world.name,
        stands_for=tuple(sorted(stands_for(it) - {name})),
        callers=tuple(sorted(caller for caller, called in after.items() if name in called)),
        calls=tuple(sorted(after[name])),
        scenarios=tuple(
            scenario.name
            for scenario in world.scenarios().values()
            if name
            in called_from(after, (task.kernel_function().__name__ for task in scenario.tasks))
        ),
        designs=tuple(each for each in designs.names(world) if name in designs.load(each).own),
    )


def hooks(design: Design) -> tuple[Hook, ...]:
    """What a design's own files replace, beside what stands there in its world; of a patch first
    what it changes, beside what stands there in its base."""
    below = designs.below(design)
    there = {} if below is None else below.replaced
    changed = [name for name, it in design.own.items() if it is not there.get(name)]
    unchanged = [name for name in design.own if name not in changed]
    found = []
    for name in (*changed, *unchanged):
        it, before = design.own[name], design.world.function(name)
        if name in changed:
            before = there.get(name, before)
        file = short(inspect.getfile(it.function))
        found.append(Hook(name, it.role, file, _source(it), _source(before)))
    return tuple(found)


def _source(it: KernelFunction) -> tuple[tuple[int, str], ...]:
    lines, first = inspect.getsourcelines(it.function)
    return tuple((first + i, line.rstrip("\n")) for i, line in enumerate(lines))


def functions(world: World = worlds.DEFAULT) -> tuple[Function, ...]:
    """All of them, by kernel file; those of the lab alone come last."""
    found = [function(name, world) for name in world.functions]
    return tuple(sorted(found, key=lambda it: (not it.kernel, it.kernel, it.file, it.lines)))


def kernel_files(function: KernelFunction) -> tuple[str, ...]:
    """The files of the kernel that a function stands for a part of: as its docstring says, else
    its module's. None: the lab alone has it."""
    own = FILE.findall(function.function.__doc__ or "")
    return tuple(own or FILE.findall(sys.modules[function.__module__].__doc__ or ""))


def stands_for(function: KernelFunction) -> frozenset[str]:
    """The names of the kernel's functions that a function of the model is a model of."""
    text = function.function.__doc__ or ""
    heads = (name for _, name in described(text).kernel)
    return frozenset([function.__name__, *NAMED.findall(text), *heads])


def described(docstring: str) -> Described:
    """A docstring, read. One that begins with no file of the kernel is all text."""
    text = " ".join(docstring.split())
    kernel: list[tuple[str, str]] = []
    file, at = "", 0
    while (head := HEAD.match(text, at)) and (file := head[1] or file):
        kernel.append((file, head[2]))
        at = head.end()
    says, _, left_out = text[at:].partition("Left out: ")
    return Described(tuple(kernel), says.strip(" ,.:;"), left_out.rstrip("."))


@cache
def callees(world: World) -> Mapping[str, frozenset[str]]:
    """The functions of the model that each one calls, by what is written in it."""
    return {name: _called(world, it) for name, it in world.functions.items()}


def _called(world: World, function: KernelFunction) -> frozenset[str]:
    tree = ast.parse(inspect.getsource(function.function))
    names = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return frozenset(names & world.functions.keys())

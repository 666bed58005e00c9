"""A design: functions of the model replaced, with the state that they need.

A design is a Python module with functions that bear the names of the model's. Any may be
replaced; hooks (see `pinlab.lab.linux.design`) are those that designs are expected to replace.
The package's designs lie in `pinlab/lab/designs/`, one file each; any other file will do as well.
A policy, or a patch, names what it builds on in `BASE`; `DETECTOR+POLICY` on the command line
combines any two.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NoReturn, TypeVar

from pinlab import objectives
from pinlab.errors import UsageError
from pinlab.lab import worlds
from pinlab.lab.brought import own_objectives, own_scenarios, started
from pinlab.lab.language import functions, kernel
from pinlab.lab.language.kernel import BadDeclaration, Cells, KernelFunction, Struct
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.lab.world import World
from pinlab.nearest import nearest
from pinlab.objectives import Objective


@dataclass(frozen=True)
class Design:
    """`replaced` are functions by name, `own` those that it does not have from its `BASE`; `kind`
    is "detector" or "policy"; `fields` are its own `per_page` ones, with the bytes that each adds
    to its structure; `path` is its source file."""

    name: str
    summary: str
    kind: str
    path: str
    replaced: Mapping[str, KernelFunction]
    own: Mapping[str, KernelFunction]
    fields: Mapping[str, int]
    lineage: frozenset[str]
    """Its own name, and those of all designs that it builds on or combines."""
    scenarios: Mapping[str, Scenario]
    """What its files bring beside the package's."""
    objectives: Mapping[str, Objective]
    """Likewise."""
    world: World
    """Whose functions it replaces."""

    base: str | None = None
    """What it builds on, as `load` takes it, if it is a patch: if it replaces a function that is
    no hook. Of a design its own verdicts are asked for, of a patch what it changes."""

    @property
    def only_asks(self) -> bool:
        """Whether it is a file of scenarios and objectives, which replaces nothing."""
        return not self.replaced and bool(self.scenarios or self.objectives)

    @property
    def word(self) -> str:
        """What `load` takes for it: the name of one of the package or of a combination, or a
        file."""
        is_named = "+" in self.name or self.path not in self.lineage
        return self.name if is_named and self.name in self.lineage else self.path


@cache
def names(world: World = worlds.DEFAULT) -> tuple[str, ...]:
    """The designs of a world: detectors first, then policies, each by name."""
    return tuple(sorted(_names(world), key=lambda name: (load(name).kind == "policy", name)))


def _names(world: World) -> list[str]:
    if world.designs is None:
        return []
    return [
        info.name.replace("_", "-")
        for info in pkgutil.iter_modules(world.designs.__path__)
        if not info.name.startswith("_")
    ]


@cache
def load(name_or_path: str) -> Design:
    """A design by its name, by DETECTOR+POLICY, or from a file. Raises UsageError."""
    if "+" in name_or_path and not Path(name_or_path).is_file():
        if "" in name_or_path.split("+"):
            raise UsageError(f"{name_or_path!r}: write a design on either side of each +")
        return _combined(name_or_path, {part: load(part) for part in name_or_path.split("+")})
    if _is_file_name(name_or_path):
        return _from_module(_import_file(Path(name_or_path)), Path(name_or_path).stem)
    stem = name_or_path.replace("-", "_")
    for world in worlds.WORLDS.values():
        if world.designs is not None and stem.replace("_", "-") in _names(world):
            return _from_module(importlib.import_module(f"{world.designs.__name__}.{stem}"), stem)
    known = [name for world in worlds.WORLDS.values() for name in _names(world)]
    raise UsageError(f"there is no design {name_or_path!r}: {nearest(name_or_path, known)}")


def below(design: Design) -> Design | None:
    """What a patch builds on, asked what the patch brings; None if the design is no patch."""
    if design.base is None:
        return None
    found = load(design.base)
    return replace(found, scenarios=design.scenarios, objectives=design.objectives)


def _is_file_name(name: str) -> bool:
    return name.endswith(".py") or "/" in name


def _world_of(module: ModuleType) -> World:
    """The world whose model a module imports from; the default one if none. Raises UsageError if
    it imports from two."""
    used = {module.__name__, *_imported(module)}
    found = [it for it in worlds.WORLDS.values() if any(it.has(each) for each in used)]
    if len(found) > 1:
        names = " and ".join(world.name for world in found)
        raise UsageError(
            f"{module.__file__} imports from the models of {names}: a design is of one world"
        )
    return found[0] if found else worlds.DEFAULT


def _imported(module: ModuleType) -> Iterator[str]:
    """The names of the modules that one imports, or imports from."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _from_module(module: ModuleType, stem: str) -> Design:
    world = _world_of(module)
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, KernelFunction)
        and value.__module__ == module.__name__
        and name in world.functions
    }
    brought = own_objectives(module)
    played = own_scenarios(module, world, objectives.load().keys() | brought.keys())
    _refuse_unmarked(module, world)
    _refuse_strays(module, world, started(played))
    base = getattr(module, "BASE", None)
    packaged = world.designs is not None and module.__name__.startswith(world.designs.__name__)
    if not (own or brought or played or packaged) and base is None:
        raise UsageError(
            f"{module.__file__} replaces no function of the model, and brings no scenario or "
            "objective: define a function under its name; `pinlab show` names them"
        )
    below: Mapping[str, KernelFunction] = {}
    builds_on = world.empty
    lineage = frozenset([stem.replace("_", "-") if packaged else str(module.__file__)])
    if base is not None:
        builds_on = _base_name(module, base)
        detector = _load_below(module, builds_on)
        if detector.world is not world:
            raise UsageError(
                f"{module.__file__} is of the world {world.name}, and {builds_on} of "
                f"{detector.world.name}: a design builds on one of its own world"
            )
        below = detector.replaced
        played = _joined(str(module.__file__), detector.scenarios, played)
        brought = _joined(str(module.__file__), detector.objectives, brought)
        lineage |= detector.lineage
    _refuse_imported(module, world, below)
    for name, (other, why) in world.together.items():
        if name in own and other not in {**below, **own}:
            raise UsageError(f"{module.__file__}: {name} is replaced and {other} is not: {why}")
    doc = (module.__doc__ or "").strip().splitlines()
    return _design(
        stem.replace("_", "-"),
        doc[0] if doc else "(no description)",
        "policy" if base is not None and not own.keys() & world.pinning else "detector",
        str(module.__file__),
        {**below, **own},
        own,
        lineage,
        played,
        brought,
        world,
        builds_on if any(_reaches_round(world, name) for name in own) else None,
    )


_above: list[str] = []
"""The files whose bases are being loaded, the first one outermost."""


def _load_below(module: ModuleType, base: str) -> Design:
    """What a module builds on. Raises UsageError if that builds on the module in turn."""
    file = str(module.__file__)
    if file in _above:
        way = " -> ".join([*_above[_above.index(file) :], file])
        raise UsageError(f"BASE goes round in a circle: {way}; name another design in one of them")
    _above.append(file)
    try:
        return load(base)
    finally:
        _above.pop()


def _reaches_round(world: World, name: str) -> bool:
    """Whether to replace this function is a patch to the model: no design is expected to do so."""
    return world.functions[name].role != "hook"


def _base_name(module: ModuleType, base: object) -> str:
    """What `load` takes for a module's BASE. Raises UsageError."""
    if isinstance(base, ModuleType):
        return base.__name__.rsplit(".", 1)[-1].replace("_", "-")
    if not isinstance(base, str):
        raise UsageError(
            f"{module.__file__}: BASE = {base!r}: write the name of a design, or its file"
        )
    if not _is_file_name(base):
        return base.replace("_", "-")
    if module.__file__ is not None and Path(base).resolve() == Path(module.__file__).resolve():
        raise UsageError(f"{module.__file__}: BASE names this very file: name another design")
    return base


def _refuse_unmarked(module: ModuleType, world: World) -> None:
    """Without @kernel the model's own function would be judged, and nobody would notice."""
    for name, value in vars(module).items():
        replaces = name in world.functions
        if replaces and not isinstance(value, KernelFunction | FunctionType):
            raise UsageError(
                f"{module.__file__}: {name} is no @kernel function: @kernel stands alone above it"
            )
        if isinstance(value, type) and value.__module__ == module.__name__:
            inside = [n for n, it in vars(value).items() if isinstance(it, KernelFunction)]
            for method in inside:
                raise UsageError(
                    f"{module.__file__}: {value.__name__}.{method} replaces nothing: write the "
                    "function at module level"
                )
        plain = isinstance(value, FunctionType) and value.__module__ == module.__name__
        if plain:
            line = value.__code__.co_firstlineno
            raise UsageError(
                f"{module.__file__}:{line}: {name} is a plain function: mark it @kernel"
            )
        if not replaces or not isinstance(value, KernelFunction):
            continue
        if value.__module__ == module.__name__ and value.role != (role := _role(world, name)):
            line = value.function.__code__.co_firstlineno
            raise UsageError(
                f"{module.__file__}:{line}: {name} replaces a function of the model: mark it "
                f"@{role}"
            )


def _role(world: World, name: str) -> str:
    """How a function that replaces one of the model's is marked."""
    return "pure" if world.functions[name].role == "pure" else "kernel"


def _refuse_imported(module: ModuleType, world: World, below: Mapping[str, KernelFunction]) -> None:
    """Of an imported function it is not clear whether it is to be called or to replace one."""
    for name in world.functions.keys() & vars(module).keys():
        value = vars(module)[name]
        known = (world.functions[name], below.get(name))
        if getattr(value, "__module__", None) != module.__name__ and value not in known:
            raise UsageError(
                f"{module.__file__}: {name} is imported from elsewhere under the name of a "
                "function of the model: define it in this file, or import it under another name"
            )


def _refuse_strays(module: ModuleType, world: World, started: frozenset[str]) -> None:
    """A misspelt name must not be passed over in silence. In `started` tasks start."""
    functions = {
        name: value.function
        for name, value in vars(module).items()
        if isinstance(value, KernelFunction) and value.__module__ == module.__name__
    }
    used = functions.keys() & (world.functions.keys() | started)
    todo = list(used)
    while todo:
        called = functions.keys() & set(functions[todo.pop()].__code__.co_names)
        todo += called - used
        used |= called
    for name in sorted(functions.keys() - used):
        line = functions[name].__code__.co_firstlineno
        raise UsageError(
            f"{module.__file__}:{line}: {name} is no function of the model, and nothing calls it; "
            f"{nearest(name, world.functions)}"
        )


def _refuse_twice(path: Path, text: str) -> None:
    """Of two functions of one name Python keeps the last, in silence. `text` is that of `path`."""
    if "\0" in text:
        raise UsageError(f"{path} contains a NUL byte: save it as text")
    lines: dict[str, int] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            if node.name in lines:
                raise UsageError(
                    f"{path}:{node.lineno}: {node.name} is defined in line {lines[node.name]} "
                    "already: delete or rename one of them"
                )
            lines[node.name] = node.lineno


def _combined(name: str, parts: Mapping[str, Design]) -> Design:
    """A detector with policies, and patches: of each further one only what it brings itself."""
    asking = [part for part, design in parts.items() if design.only_asks]
    acting = [design for design in parts.values() if not design.only_asks]
    acting.sort(key=lambda it: it.base is not None)  # a patch goes on top of a design
    first, *others = acting or parts.values()
    world = first.world
    for word, it in parts.items():
        if it.world is not world:
            raise UsageError(
                f"{name}: {word} is of the world {it.world.name}, and {first.name} of "
                f"{world.name}: combine what is of one"
            )
    _refuse_both(parts)
    below = _below(name, acting)
    replaced = dict(first.replaced if below is None else {**load(below).replaced, **first.own})
    for part in others:
        replaced |= part.own
    summary = "; ".join(part.summary.rstrip(".") for part in parts.values())
    lineage = frozenset([name]).union(*(part.lineage for part in parts.values()))
    designs = [part for part, it in parts.items() if it.base is None and part not in asking]
    patched = any(it.base is not None for it in acting)
    base = "+".join([*(designs or [below or world.empty]), *asking]) if patched else None
    last = (first, *others)[-1]
    played: dict[str, Scenario] = {}
    brought: dict[str, Objective] = {}
    for part in parts.values():
        played = _joined(name, played, part.scenarios)
        brought = _joined(name, brought, part.objectives)
    return _design(
        name,
        summary,
        last.kind,
        last.path,
        replaced,
        replaced,
        lineage,
        played,
        brought,
        world,
        base,
    )


def _below(name: str, acting: list[Design]) -> str | None:
    """What patches build on that are given without a design; None if there is one. Raises
    UsageError if they build on different ones."""
    if not acting or acting[0].base is None:
        return None
    empty = acting[0].world.empty
    bases = sorted({it.base for it in acting if it.base is not None} - {empty})
    if len(bases) > 1:
        raise UsageError(
            f"{name}: its files build on {' and '.join(bases)}: say which, as in {bases[0]}+{name}"
        )
    return bases[0] if bases else empty


def _refuse_both(parts: Mapping[str, Design]) -> None:
    """Two patches to one function, or two policies: only one of them would count."""
    known: list[tuple[str, Design]] = []
    for name, it in parts.items():
        for other, before in known:
            alike = (before.base is None, before.kind) == (it.base is None, it.kind)
            if alike and before.path != it.path and (both := sorted(before.own.keys() & it.own)):
                raise UsageError(
                    f"{other} and {name} both replace {both[0]}: leave one out, or write one "
                    "file that does what both do"
                )
        known.append((name, it))


Brought = TypeVar("Brought", Scenario, Objective)


def _joined(
    where: str, first: Mapping[str, Brought], second: Mapping[str, Brought]
) -> dict[str, Brought]:
    """What two files bring. Raises UsageError if both bring something of one name."""
    for name, it in second.items():
        if first.get(name, it) is not it:
            raise UsageError(f"{where}: two of its files bring a {name}: rename one of them")
    return {**first, **second}


def _design(
    name: str,
    summary: str,
    kind: str,
    path: str,
    replaced: Mapping[str, KernelFunction],
    own: Mapping[str, KernelFunction],
    lineage: frozenset[str],
    scenarios: Mapping[str, Scenario],
    objectives: Mapping[str, Objective],
    world: World,
    base: str | None,
) -> Design:
    tasks = [task.kernel_function() for each in scenarios.values() for task in each.tasks]
    fields = _fields([*replaced.values(), *tasks])
    return Design(
        name,
        summary,
        kind,
        path,
        replaced,
        own,
        fields,
        lineage,
        scenarios,
        objectives,
        world,
        base,
    )


def _fields(functions: Iterable[KernelFunction]) -> dict[str, int]:
    """The `per_page` fields declared in the modules that the functions come from, in bytes."""
    return {
        name: value.bytes
        for function in functions
        for name, value in function.function.__globals__.items()
        if isinstance(value, Cells) and value.length < 0
    }


def _model() -> dict[tuple[str, str], int]:
    """The names of the models' modules and structures, and which object each of them is."""
    found: dict[tuple[str, str], int] = {}
    for module in list(sys.modules.values()):
        named = getattr(module, "__name__", "")
        if any(world.models(named) for world in worlds.WORLDS.values()):
            for name, value in vars(module).items():
                found[module.__name__, name] = id(value)
                if isinstance(value, type) and issubclass(value, Struct):
                    found |= {(value.__name__, field): id(it) for field, it in vars(value).items()}
    return found


class _Source(SourceFileLoader):
    """Reads the file itself: of kept bytecode Python looks at the second and the size only, and a
    patch that was changed just now would be judged as it was before."""

    def path_stats(self, path: str) -> NoReturn:
        raise OSError


def _import_file(path: Path) -> ModuleType:
    if path.is_dir():
        raise UsageError(f"{path} is a directory: give one .py file")
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a design's name or an existing .py file")
    name = f"pinlab_design_{path.stem}_{abs(hash(str(path.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(name, str(path)))
    if spec is None or spec.loader is None:
        raise UsageError(
            f"{path} is not a Python file: a design is a module with @kernel functions"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = _model()
    try:
        _refuse_twice(path, importlib.util.decode_source(path.read_bytes()))
        spec.loader.exec_module(module)
        after = _model()
        for where, what in sorted(k for k, it in before.items() if after.get(k) != it):
            raise UsageError(
                f"{path} changes {what} of {where}: a design replaces functions and brings fields "
                "of its own, and leaves the model as it is"
            )
    except UsageError:
        raise
    except SyntaxError as error:
        if error.lineno is None:  # nothing of it could be read
            raise UsageError(f"{path} is not UTF-8 text: save it as that") from error
        raise UsageError(f"{path}:{error.lineno}: {error.msg}; correct the syntax") from error
    except BadDeclaration as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = (kernel.__file__, functions.__file__)
        at = next(frame for frame in reversed(frames) if frame.filename not in ours)
        raise UsageError(f"{at.filename}:{at.lineno}: {error}") from error
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f":{frame.lineno}" for frame in frames if frame.filename == spec.origin]
        where = lines[-1] if lines else ""
        raise UsageError(
            f"{path}{where} cannot be imported: {type(error).__name__}: {error}; correct the module"
        ) from error
    return module

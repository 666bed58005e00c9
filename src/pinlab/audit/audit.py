"""A tree -> its audit.

Files are chosen by the words in them, parsed in several processes, and joined into one graph. Where
pages go to a function that was not read, its file is found in the same folder, and the graph is
made again: three times at most, as most drivers keep what they do with pages close together.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from pinlab.audit import cache, era, evidence, judge, syntax, tree
from pinlab.audit.api import DIRTY, PUT, UNPIN
from pinlab.audit.bearing import words
from pinlab.audit.era import Api
from pinlab.audit.facts import Function, Unit
from pinlab.audit.flow import CORE, Graph, Key, Place, folder, may_enter, reach
from pinlab.audit.results import Audit, Dirtying, Orphan, Site, Verdict
from pinlab.audit.tree import About, Contents, Progress
from pinlab.errors import UsageError
from pinlab.garbage import uncollected

ROUNDS: Final = 3
"""How often files are looked for to which pages go."""

_DEEP: Final = 6000
"""Nested expressions. The longest chain of a kernel has some hundreds."""

_TABLE: Final = re.compile(rb"^[ \t]*\.(\w+)\s*=\s*&?(\w+)\s*,", re.M)
_HEAD: Final = re.compile(rb"^(?:[A-Za-z_][\w \t*]*[ \t*])?(\w+)\(", re.M)


def audit(where: Path, progress: Progress = lambda _: None) -> Audit:
    """Audit a folder or a tar. Raises UsageError if it is no kernel's source."""
    key = cache.name_of_file(where, b"audit") if where.is_file() else None
    known = None if key is None else cache.load(key)
    if isinstance(known, Audit):
        return replace(known, tree=str(where))
    made = _audited(where, progress)
    cache.tidy()
    if key is not None:
        cache.store(key, made)
    return made


def _audited(where: Path, progress: Progress) -> Audit:
    with uncollected(), tree.unpacked(where, progress) as root:
        read = read_tree(root, where, progress)
        sites, reached = judge.sites(read.graph, read.api, read.longterm_refuses_files)
        return Audit(
            str(where),
            tree.release(root),
            read.api.era,
            read.found.files,
            len(read.units),
            dict(read.found.left_out),
            (*sites, *_loose(read)),
            tuple(_orphans(read.graph, reached)),
            tuple(_notes(root)),
        )


def _notes(root: Path) -> Iterator[str]:
    if not (root / "mm/gup.c").is_file():
        yield "no mm/gup.c: FOLL_LONGTERM is taken to accept pages of files"
    if not (root / "include/linux/uio.h").is_file():
        yield "no include/linux/uio.h: iov_iter_get_pages() and the like are not looked for"


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a tree: all that verdicts depend on."""

    found: Contents
    api: Api
    units: list[Unit]
    graph: Graph
    longterm_refuses_files: bool


def read_tree(root: Path, said: Path, progress: Progress = lambda _: None) -> Read:
    """Read a folder, which the user called `said`. Raises UsageError."""
    with tree.workers() as pool:
        found = tree.contents(root, pool, progress)
        api = era.api(tree.headers(found))
        if not any("user_page" in name for name in api.acquires):
            raise UsageError(
                f"{said} has an include/linux/mm.h that declares no get_user_pages(); "
                "say a kernel's folder"
            )
        units, outlines = _read(found, api, pool, progress)
        progress("joining what was read")
        made, units = _joined(found, api, pool, units, outlines)
    unread = sum(len(each.unread) for each in units)
    if unread:
        found.left_out["function nested too deeply"] += unread
    return Read(found, api, units, made, _longterm_refuses_files(found))


def _read(
    found: Contents, api: Api, pool: ProcessPoolExecutor, progress: Callable[[str], None]
) -> tuple[list[Unit], list[Outline]]:
    """The facts of every file that acquires or lets go, and the outlines of the other files of
    the folders in which some file acquires.

    Of a file that only puts, in a folder where nobody acquires or in the kernel's core, only the
    functions are read that can have to do with pages that others took.
    """
    folders = {
        folder(each.path)
        for each in found.candidates
        if About.acquire in each.about and each.path.endswith(".c")
    }
    whole: list[str] = []
    part: list[str] = []
    for each in found.candidates:
        path = each.path
        if each.about & (About.acquire | About.unpin):
            whole.append(path)
        elif About.put in each.about:
            is_near = folder(path) in folders and not CORE.match(path)
            (whole if is_near else part).append(path)
    units: list[Unit] = []
    wanted = {*whole, *part}
    for paths in (whole, part):
        sought = _sought(units) if paths is part else None
        for unit in _parsed(found, api, pool, paths, sought):
            units.append(unit)
            if len(units) % 50 == 0:
                progress(f"parsing: {len(units)} of {len(wanted)} files")
    near = [
        path
        for each in sorted(folders)
        if not CORE.match(each + "/")
        for path in found.neighbours.get(each, ())
        if path not in wanted
    ]
    outlines = list(pool.map(_outline, [str(found.root)] * len(near), near, chunksize=50))
    return units, outlines


class Outline(NamedTuple):
    """What of a file is known without parsing it."""

    path: str
    tables: tuple[tuple[str, str], ...]
    defines: frozenset[str]
    """Names that may be those of functions it defines."""


def _outline(root: str, path: str) -> Outline:
    try:
        source = Path(root, path).read_bytes()
    except OSError:
        source = b""
    tables = ((member.decode(), name.decode()) for member, name in _TABLE.findall(source))
    return Outline(path, tuple(tables), frozenset(map(bytes.decode, _HEAD.findall(source))))


def _sought(units: Iterable[Unit]) -> frozenset[str]:
    """What lets go or dirties, and the functions that may hand pages to other files."""
    entered = {
        function.name
        for unit in units
        for function in unit.functions
        if not function.static and may_enter(function.name, unit.path)
    }
    return frozenset({*PUT, *DIRTY, *entered})


def _parsed(
    found: Contents,
    api: Api,
    pool: ProcessPoolExecutor,
    paths: list[str],
    sought: frozenset[str] | None = None,
) -> Iterable[Unit]:
    """The facts of some files, or what of them has to do with the names sought."""
    names = sorted(api.acquires, key=len, reverse=True)
    interest = rf"\b(?:{'|'.join(map(re.escape, names))})\b".encode()
    one = partial(_unit, str(found.root), interest, sought)
    return pool.map(one, paths, chunksize=4)


def _unit(root: str, interest: bytes, sought: frozenset[str] | None, path: str) -> Unit:
    """The facts of one file, read now or before."""
    try:
        source = Path(root, path).read_bytes()
    except OSError:
        return Unit(path, (), {}, (), ())
    names = None if sought is None else sought & words(source)
    key = cache.name(source, interest + repr(names and sorted(names)).encode())
    known = cache.load(key)
    if isinstance(known, Unit):
        return known._replace(path=path)
    sys.setrecursionlimit(_DEEP)
    made = syntax.unit(path, source, re.compile(interest), names)
    cache.store(key, made)
    return made


def _joined(
    found: Contents,
    api: Api,
    pool: ProcessPoolExecutor,
    units: list[Unit],
    outlines: list[Outline],
) -> tuple[Graph, list[Unit]]:
    """The graph, with the files in it to which pages are handed."""
    tables = [Unit(each.path, (), {}, each.tables, ()) for each in outlines if each.tables]
    made = Graph()
    made.add((*units, *tables))
    for _ in range(ROUNDS):
        missing = _missing(made, api)
        have = {each.path for each in units}
        paths = [
            each.path
            for each in outlines
            if each.path not in have and not each.defines.isdisjoint(missing[folder(each.path)])
        ]
        if not paths:
            break
        more = list(_parsed(found, api, pool, paths))
        made.add(more)
        units += more
    return made, units


def _missing(made: Graph, api: Api) -> Mapping[str, set[str]]:
    """Per folder: the functions that pages are handed to and nobody read."""
    missing: dict[str, set[str]] = defaultdict(set)
    for at, number, call, acquire in evidence.acquired(made, api):
        starts = evidence.starts(made, at, number, call, acquire)
        for place in reach(made, starts):
            for caller, handed in made.handed.get(place, ()):
                if CORE.match(caller.path) or handed.name in UNPIN or handed.name in PUT:
                    continue
                if handed.through:
                    for path, name in made.behind(caller, handed.name):
                        missing[folder(path)].add(name)
                else:
                    missing[folder(caller.path)].add(handed.name)
    return missing


def _loose(read: Read) -> Iterable[Site]:
    """Sites in macros, in what the grammar does not know, and in second definitions."""
    for unit in read.units:
        for each in unit.loose:
            reason = "it is in a macro" if each.macro else "the parser does not know what is there"
            yield _unfollowed(read.api, Key(unit.path, each.function), each.line, each.name, reason)
    for key, function in read.graph.seconds:
        for call in function.calls:
            if call.name in read.api.acquires and not call.through:
                reason = f"a second definition of {key.name}(), which is not followed"
                yield _unfollowed(read.api, key, call.line, call.name, reason)


def _unfollowed(api: Api, at: Key, line: int, name: str, why: str) -> Site:
    return Site(
        at.path,
        at.name,
        line,
        name,
        api.acquires[name].family,
        ("?",),
        "?",
        Verdict.unknown,
        why,
        (),
        (),
        Dirtying.never,
    )


_ARRAY: Final = re.compile(r"\bsg_page|pages?(?:_list|_array)?\[")


def _is_of_array(function: Function, local: str) -> bool:
    """Whether a local is given pages out of a scatterlist or an array."""
    return any(each.to == local and _ARRAY.search(each.text) for each in function.flows)


def _orphans(made: Graph, reached: set[Place]) -> Iterable[Orphan]:
    """Plain releases, after dirtying, of pages that no site leads to, in a folder that pins."""
    pinning = {
        folder(key.path)
        for key, function in made.functions.items()
        if any(each.name.startswith("pin_user_page") for each in function.calls)
    }
    for key, function in sorted(made.functions.items()):
        if folder(key.path) not in pinning or CORE.match(key.path):
            continue
        made.make(key)
        for call in function.calls:
            if call.name not in PUT or not call.args:
                continue
            places = made.places(key, call.args[0])
            if not places or any(each in reached for each in places):
                continue
            if not any(each.is_shared or _is_of_array(function, each.name) for each in places):
                continue
            dirtied = any(
                each.name in DIRTY
                and each.position < call.position
                and each.args
                and set(made.places(key, each.args[0])) & set(places)
                for each in function.calls
            )
            if dirtied:
                yield Orphan(key.path, key.name, call.line, call.name, dirtied)


def _longterm_refuses_files(found: Contents) -> bool:
    """Whether FOLL_LONGTERM | FOLL_WRITE refuses files that track dirty pages (since 6.5)."""
    try:
        return b"writable_file_mapping_allowed" in (found.root / "mm/gup.c").read_bytes()
    except OSError:
        return False

"""Plain releases of pages that come from nowhere in sight.

A put_page() in a file of a site that is right so far, of pages that no site leads to and that no
function gave, may well drop what the site pinned: by a way that the graph does not have. Then
nobody can say *right*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pinlab.audit.api import PUT, Family
from pinlab.audit.flow import Graph, Key, Place, Release, key_of

_OWN = frozenset({"__free_page", "__free_pages"})
"""Who frees a page so has it of the allocator, which is more than a reference to one."""

_PAGES = frozenset({"page", "folio"})

_FAR = 200
"""Places. What comes from more of them comes from somewhere."""


def unexplained(made: Graph, paths: set[str], reached: set[Place]) -> Mapping[str, Release]:
    """Per file of `paths` that has one: a plain release whose pages come from nowhere.

    `reached` are the places to which sites lead.
    """
    here = [key for key in made.functions if key.path in paths]
    for key in here:
        made.make(key)
    back: dict[Place, list[Place]] = defaultdict(list)
    for place, edges in made.edges.items():
        for edge in edges:
            back[edge.to].append(place)
    found: dict[str, Release] = {}
    for release in _plain(made, here):
        if not any(
            each in reached or _has_source(made, back, each, reached) for each in release.places
        ):
            found.setdefault(release.at.path, release)
    return found


def _plain(made: Graph, keys: Iterable[Key]) -> Iterable[Release]:
    for key in keys:
        for call in made.functions[key].calls:
            if call.name in PUT and call.name not in _OWN and PUT[call.name] < len(call.args):
                yield Release(key, call, Family.get, made.places(key, call.args[PUT[call.name]]))


def _may_be_ours(made: Graph, result: Place, reached: set[Place]) -> bool:
    """Whether a function that nobody read got what a site leads to, or a macro may be nothing but
    another name for it."""
    key = key_of(result.owner)
    call = made.functions[key].calls[int(result.name.removeprefix("#"))]
    if call.name in made.defines.get(key.path, ()):
        return True
    if made.resolve(key, call):
        return False
    return any(
        each in reached and _is_page(made, each)
        for value in call.args
        for each in made.places(key, value)
    )


def _is_page(made: Graph, place: Place) -> bool:
    """Whether a place is declared as one of pages, and not of what leads to them."""
    if place.kind == "local":
        return made.functions[key_of(place.owner)].types.get(place.name) in _PAGES
    owner = place.owner.split(" ")[-1]
    return place.kind == "field" and made.structs.get(owner, {}).get(place.name) in _PAGES


def _has_source(
    made: Graph, back: Mapping[Place, list[Place]], place: Place, reached: set[Place]
) -> bool:
    """Whether some function's result, or a page that was passed in, may come to a place."""
    seen = {place}
    todo = [place]
    while todo:
        here = todo.pop()
        if here.kind == "result" and not _may_be_ours(made, here, reached):
            return True
        if len(seen) > _FAR:
            return True
        before = back.get(here, ())
        if not before and here.kind == "local":
            key = key_of(here.owner)
            function = made.functions[key]
            passed = here.name in function.params and function.types.get(here.name) in _PAGES
            if passed and not (function.static and not made.callers(key)):
                return True
        for each in before:
            if each not in seen:
                seen.add(each)
                todo.append(each)
    return False

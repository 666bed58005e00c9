"""The verdict of a site: from the releases that its pages can come to.

*right* is said only where every release that was found is of the site's family, and where pages
that outlive the function are let go by somebody who got them by the way they were kept. A release
in the function that acquired is evidence of one path, mostly of a failure, and proves nothing of
pages that were kept.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pinlab.audit.api import PUT, Family
from pinlab.audit.dirtying import dirtied, dirty_of, hazards, worst
from pinlab.audit.era import Api, Era
from pinlab.audit.evidence import (
    Take,
    acquired,
    balance,
    is_chosen,
    proves,
    take,
    way,
)
from pinlab.audit.facts import Function
from pinlab.audit.flow import CORE, Graph, Place, Release, key_of
from pinlab.audit.known import NOTHING_HELD
from pinlab.audit.results import Path, Site, Verdict
from pinlab.audit.unexplained import unexplained

CROWD: Final = 400
"""Places. Pages that seem to come to more are mixed with others': nothing is said of them."""

_NOT: Final = re.compile(r"^(?:0|NULL|false)$")


def sites(
    made: Graph, api: Api, longterm_refuses_files: bool, only: tuple[str, int] | None = None
) -> tuple[list[Site], set[Place]]:
    """Every site of the tree, or that on one line of a file, and every place that their pages
    come to."""
    found: list[Site] = []
    reached: set[Place] = set()
    for at, number, call, acquire in acquired(made, api):
        if only in (None, (at.path, call.line)):
            taken = take(made, api, at, number, call, acquire)
            found.append(_site(taken, longterm_refuses_files))
            reached |= set(taken.reached)
    return _doubted(made, found, reached), reached


def _doubted(made: Graph, found: list[Site], reached: set[Place]) -> list[Site]:
    """The sites, of which none is right that has a release of unknown pages in its files."""
    files = {each: _files(each) for each in found if each.verdict is Verdict.right}
    strange = unexplained(made, {path for each in files.values() for path in each}, reached)
    return [
        _doubt(each, [strange[path] for path in files.get(each, ()) if path in strange])
        for each in found
    ]


def _files(site: Site) -> set[str]:
    return {site.file, *(each.file for each in site.paths)}


def _doubt(site: Site, strange: list[Release]) -> Site:
    if not strange:
        return site
    one = strange[0]
    why = (
        f"{one.call.name}() in {one.at.path}:{one.call.line} lets go of pages that come from "
        "nowhere in sight"
    )
    return replace(site, verdict=Verdict.unknown, why=why)


def _site(taken: Take, longterm_refuses_files: bool) -> Site:
    verdict, why, paths = _verdict(taken)
    is_judged = verdict not in (Verdict.caller, Verdict.nothing_held)
    dirty = dirtied(taken.made, taken.reached) if verdict is not Verdict.nothing_held else []
    paths = paths if is_judged else ()
    broken = hazards(taken, paths, dirty, longterm_refuses_files) if is_judged else ()
    return Site(
        taken.at.path,
        taken.at.name,
        taken.call.line,
        taken.call.name,
        taken.family,
        taken.flags,
        taken.pages,
        verdict,
        why,
        paths,
        tuple(broken),
        worst(dirty, str(taken.at)),
    )


def _verdict(taken: Take) -> tuple[Verdict, str, tuple[Path, ...]]:
    """A site's verdict, its reason, and the paths that decide it."""
    if (without := _without_releases(taken)) is not None:
        return *without, ()
    paths = tuple(_path(taken, each) for each in taken.releases)
    verdicts = {each.verdict for each in paths}
    if taken.family is Family.get and taken.api.era is Era.pin and "FOLL_LONGTERM" in taken.flags:
        return Verdict.wrong, "FOLL_LONGTERM is asked for without FOLL_PIN", paths
    if Verdict.wrong in verdicts:
        one = next(each for each in paths if each.verdict is Verdict.wrong)
        return Verdict.wrong, f"taken by {taken.family}, let go by {one.release}()", paths
    if (unproved := _unproved(taken)) is not None:
        return *unproved, paths
    if Verdict.by_flag in verdicts:
        return Verdict.by_flag, "both families, chosen at run time", paths
    if taken.family is Family.get:
        return Verdict.unconverted, "a plain reference, let go as one", paths
    if (hidden := _hidden(taken)) is not None:
        return Verdict.unknown, hidden, paths
    return Verdict.right, "taken and let go as a pin", paths


def _without_releases(taken: Take) -> tuple[Verdict, str] | None:
    """A verdict for which no release is asked; None if releases decide."""
    if _NOT.match(taken.pages):
        return Verdict.nothing_held, "it asks for no pages, so no reference is taken"
    if taken.family is Family.extract:
        known = NOTHING_HELD.get(str(taken.at)) or _kernel_iterator(taken)
        if known is not None:
            return Verdict.nothing_held, known
    if taken.at.name in taken.api.acquires or taken.at.path in ("mm/gup.c", "lib/iov_iter.c"):
        return Verdict.caller, f"{taken.at.name}() is of the interface itself"
    if len(taken.reached.came) > CROWD:
        return Verdict.unknown, "its pages are mixed with those of others"
    return None


def _unproved(taken: Take) -> tuple[Verdict, str] | None:
    """Why no release proves anything of pages that were taken and kept; None if one does."""
    made, at = taken.made, taken.at
    if any(proves(taken, each) for each in taken.releases):
        return None
    kept = [place for place in taken.reached if place in made.kept]
    if taken.releases and kept:
        return Verdict.unknown, _nobody(kept)
    if _is_handed_up(taken):
        return Verdict.caller, f"{at.name}() hands them to whoever calls it"
    if taken.releases:
        return Verdict.unknown, "let go of where something failed, and nowhere else in sight"
    return Verdict.unknown, _nobody(kept)


def _hidden(taken: Take) -> str | None:
    """What, in the files of a site and its releases, lets go where it cannot be followed."""
    for path in dict.fromkeys((taken.at.path, *(each.at.path for each in taken.releases))):
        for each in taken.made.hidden.get(path, ()):
            return f"{each.name}() stands in {path}:{each.line}, where it cannot be followed"
    return _passed_on(taken)


def _passed_on(taken: Take) -> str | None:
    """To what that lets go of it, and is not followed, something of the pages is passed."""
    made = taken.made
    for place in taken.reached:
        for _, call in made.handed.get(place, ()):
            if (macro := made.macros.get(call.name)) is not None:
                return f"{call.name}() is a macro with {macro.name}()"
            for key in made.named.get(call.name, ()):
                function = made.functions[key]
                if CORE.match(key.path) and not function.static and _puts_a_parameter(function):
                    return f"{call.name}() in {key.path} puts what it is given"
    return None


def _puts_a_parameter(function: Function) -> bool:
    return any(
        place.split(".")[0] in function.params
        for call in function.calls
        if call.name in PUT and call.args
        for place in call.args[0]
    )


_KERNEL_ITERATOR: Final = re.compile(
    r"^iov_iter_(?:bvec|kvec|folio_queue|xarray)$|_load_(?:bvec|kvec|folioq|xarray)$"
)


def _kernel_iterator(taken: Take) -> str | None:
    """Why extraction takes nothing: the function itself made the iterator, of kernel memory."""
    calls = taken.made.functions[taken.at].calls
    iterators = {each.args[0] for each in calls if each.name == taken.acquire.name and each.args}
    for each in calls:
        is_one = _KERNEL_ITERATOR.search(each.name) is not None
        if is_one and any(value and value in iterators for value in each.args):
            return f"its iterator is made by {each.name}(), of memory that is not a user's"
    return None


def _nobody(kept: list[Place]) -> str:
    if not kept:
        return "nobody was seen to let go of them"
    where = ", ".join(dict.fromkeys(_named(each) for each in kept[:3]))
    return f"kept in {where}; nobody was seen to let go of them there"


def _named(place: Place) -> str:
    owner = place.owner.split(" ")[-1] if place.kind == "field" else ""
    return f"{owner}.{place.name}" if owner else place.name


def _is_handed_up(taken: Take) -> bool:
    """Whether they come to a parameter or a result of a function whom nobody here calls."""
    made = taken.made
    for place in taken.reached:
        if place.kind == "return":
            key = key_of(place.owner)
            if not made.callers(key) and not made.functions[key].static:
                return True
        elif place.kind == "local":
            key = key_of(place.owner)
            function = made.functions[key]
            if place.name in function.params and not made.callers(key) and not function.static:
                return True
    return False


def _path(taken: Take, release: Release) -> Path:
    here = taken.made.functions[release.at]
    if release.family is not taken.due and balance(taken, release) is not None:
        verdict = Verdict.nothing_held
    elif is_chosen(taken, release):
        verdict = Verdict.by_flag
    elif release.family is not taken.due:
        verdict = Verdict.wrong
    elif taken.family is Family.get:
        verdict = Verdict.unconverted
    else:
        verdict = Verdict.right
    when = " && ".join(
        each.text if each.taken else f"!({each.text})" for each in release.call.tests
    )
    label = [each.name for each in here.labels if each.position < release.call.position]
    if not when and label and re.search(r"err|fail|out|free|release|undo|unpin", label[-1]):
        when = f"{label[-1]}:"
    places = way(taken.reached, release)
    return Path(
        release.at.path,
        release.at.name,
        release.call.line,
        release.call.name,
        release.family,
        verdict,
        when,
        tuple(dict.fromkeys(_worded(each) for each in places if each.kind != "result")),
        dirty_of(taken.made, taken.reached, release),
    )


def _worded(place: Place) -> str:
    return _named(place) if place.is_shared else key_of(place.owner).name + "()"

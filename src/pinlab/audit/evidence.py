"""What is known of a site's pages, and what a release proves of them.

The pages of a site come to places, and some places are let go of. Not every release is evidence:
one may stand where something failed, drop another reference of the same page, or be one of two
between which a flag decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pinlab.audit.api import Family
from pinlab.audit.era import Acquire, Api
from pinlab.audit.facts import Call, Flow, Function, Test
from pinlab.audit.flags import flags
from pinlab.audit.flow import Graph, Key, Place, Reach, Release, key_of, reach


@dataclass(frozen=True, slots=True)
class Take:
    """A site as it is judged."""

    made: Graph
    api: Api
    at: Key
    call: Call
    acquire: Acquire
    pages: str
    """The argument that receives them, as it is written."""
    flags: tuple[str, ...]
    reached: Reach
    releases: tuple[Release, ...]

    @property
    def family(self) -> Family:
        """By which rules the pages were taken."""
        return self.acquire.family

    @property
    def due(self) -> Family:
        """By which rules they are let go."""
        return Family.pin if self.family is Family.extract else self.family


def take(made: Graph, api: Api, at: Key, number: int, call: Call, acquire: Acquire) -> Take:
    """All that is known of the n-th call of a function."""
    pages = "its result"
    if acquire.pages is not None:
        pages = call.texts[acquire.pages] if acquire.pages < len(call.texts) else ""
    names = flags(made, at, call, acquire)
    reached = reach(made, starts(made, at, number, call, acquire))
    found = tuple(_releases(made, api, at, reached))
    return Take(made, api, at, call, acquire, pages, names, reached, found)


def acquired(made: Graph, api: Api) -> Iterable[tuple[Key, int, Call, Acquire]]:
    """Every call that acquires, with its number in its function."""
    calling = {key for name in api.acquires for key in made.calling.get(name, ())}
    for at in sorted(calling):
        for number, call in enumerate(made.functions[at].calls):
            acquire = None if call.through else api.acquires.get(call.name)
            if acquire is None:
                continue
            own = made.functions.get(Key(at.path, call.name))
            if own is None or not own.static or at.path.endswith(".h"):
                yield at, number, call, acquire


def starts(made: Graph, at: Key, number: int, call: Call, acquire: Acquire) -> tuple[Place, ...]:
    """Where the pages are first."""
    if acquire.pages is None:
        return (Place("result", str(at), f"#{number}"),)
    if acquire.pages >= len(call.args):
        return ()
    return made.places(at, call.args[acquire.pages])


def _releases(made: Graph, api: Api, at: Key, reached: Reach) -> list[Release]:
    """All of them. A function that does for other kinds of objects what one in the site's own file
    does for its kind (both are behind one member of a table) is none of them."""
    own = made.tabled.get(at.path, set())
    found = {}
    for place in reached:
        for each in made.releases.get(place, ()):
            others = made.behind_which.get(each.at.name, set())
            near = each.at.path == at.path or not others & own
            if near and not _is_dead(each.call) and not _is_of_allocator(made, api, each):
                found[each.at, each.call.position] = each
    return [found[key] for key in sorted(found)]


_ALLOCATOR: Final = re.compile(r"^_*(?:dev_|vma_|filemap_)?(?:alloc_page|folio_alloc|alloc_folio)")


def _is_of_allocator(made: Graph, api: Api, release: Release) -> bool:
    """Whether a variable that is put can only hold a new page there.

    It was never set to anything else before, and the last time surely: by no statement that a goto
    or a condition passes over. Loops are not known, so if it was acquired into before, the new page
    and the put stand under one condition.
    """
    function, call = made.functions[release.at], release.call
    if release.family is not Family.get or len(call.args[0]) != 1 or "." in call.args[0][0]:
        return False
    (name,) = call.args[0]
    before = [each for each in function.flows if each.to == name and each.position < call.position]
    if not before or not all(_is_allocated(function, each) for each in before):
        return False
    last = max(before, key=lambda each: each.position)
    if call.tests[: len(last.tests)] != last.tests:
        return False
    if any(last.position < each.position < call.position for each in function.labels):
        return False
    acquired = [
        each.position
        for each in function.calls
        if each.name in api.acquires and any(name in value for value in each.args)
        if each.position < call.position
    ]
    same = bool(call.tests) and call.tests == last.tests
    return all(each < last.position and same for each in acquired)


def _is_allocated(function: Function, flow: Flow) -> bool:
    """Whether what is assigned is what an allocator of pages gave."""
    value = flow.value
    if len(value) != 1 or not value[0].startswith("#"):
        return False
    return _ALLOCATOR.match(function.calls[int(value[0][1:])].name) is not None


def _is_dead(call: Call) -> bool:
    """Whether a call stands under a condition and under its contrary, so that it is never made."""
    parts = {part.strip() for each in call.tests if each.taken for part in each.text.split("&&")}
    return any("||" not in each and f"!{each}" in parts for each in parts)


def way(reached: Reach, release: Release) -> tuple[Place, ...]:
    """The places that the pages went through, from where they were taken."""
    place: Place | None = next((each for each in release.places if each in reached), None)
    places: list[Place] = []
    while place is not None:
        places.append(place)
        place = reached.came[place]
    return tuple(reversed(places))


def proves(taken: Take, release: Release) -> bool:
    """Whether a release says anything of pages that were taken with success.

    In the function that acquired it must stand on every path. In another one no failure may be
    what leads to it: there, at its callers, or on the way that the pages took.
    """
    made, at = taken.made, taken.at
    if release.at == at:
        return is_on_every_path(made, release, taken.call.position)
    if _is_said_to_fail(made.functions[release.at], release.call):
        return False
    places = way(taken.reached, release)
    owners = [key_of(each.owner) for each in places if not each.is_shared]
    for caller, callee in (*pairwise(owners), (at, release.at)):
        calls = [call for key, call in made.callers(callee) if key == caller != callee]
        others = [key for key, _ in made.callers(callee) if key != caller]
        said = [_is_said_to_fail(made.functions[caller], each) for each in calls]
        if calls and all(said) and not others:
            return False
    return True


def is_on_every_path(made: Graph, release: Release, since: int = 0) -> bool:
    """Whether a release is no matter of failure, as its function has it.

    It stands under no condition but on what it lets go of (or on whether that is pinned), behind
    no return of success, and behind no label that only failure leads to.
    """
    own = {word for each in release.call.args[0] for word in each.split(".")}
    return not _is_failure(made.functions[release.at], release.call, own, since)


_FAILED: Final = re.compile(r"err|fail|undo|unpin|unwind|rollback|free|release|put|cleanup|bad")
_SUCCESS: Final = re.compile(
    r"^\(?\w*(?:ret|rc|res|nr|num|got|pinned)\w* ?(?:>|>=|==) ?(?!-)[\w>.-]+\)?$"
    r"|^!\w*(?:ret|rc|err|error|status)\w*$"
)
"""Conditions that hold where something has worked."""
_COUNT: Final = re.compile(
    r"^\(?(?:\w+(?:->|\.))*\w*(?:nr|num|npages|pinned|count|got)\w*\)?(?: ?> ?0)?$"
)
"""Conditions on how many pages there are."""
_ASKED: Final = re.compile(r"will_pin|is_pinned|PINNED|flag")


def _is_failure(function: Function, call: Call, own: set[str], since: int) -> bool:
    """Whether a call is made only where something failed. `own` are the words of its pages, and
    what stands before `since` says nothing of them."""
    if any(_SUCCESS.match(text) for at, text in call.guards if at > since):
        return True
    for each in call.tests:
        works = _SUCCESS.match(each.text) or _COUNT.match(each.text)
        if not each.taken:
            if _SUCCESS.match(each.text):
                return True
        elif not (works or _ASKED.search(each.text) or _is_there(each.text, own)):
            return True
    return _behind_failure(function, call)


_FAILS: Final = re.compile(
    r"\bIS_ERR|^\(?!?\w*(?:err|error|fail)\w*\)?$|^\(?\w*(?:ret|rc)\)?$"
    r"|\b\w*(?:ret|rc|res|err|nr|num|got|pinned)\w* ?(?:<|!=|<=) ?[\w>.-]+"
)
"""Conditions that hold where something has failed."""


def _is_said_to_fail(function: Function, call: Call) -> bool:
    """Whether it is plain that a call is made only where something failed."""
    if any(_SUCCESS.match(text) for _, text in call.guards):
        return True
    for each in call.tests:
        if (_FAILS if each.taken else _SUCCESS).search(each.text):
            return True
    return _behind_failure(function, call)


def _is_there(text: str, own: set[str]) -> bool:
    """Whether a condition asks for the pages themselves, and that they are there."""
    return not text.startswith("!") and bool(set(re.findall(r"[A-Za-z_]\w*", text)) & own)


def _behind_failure(function: Function, call: Call) -> bool:
    """Whether only a goto leads to a call, by labels one of which speaks of a failure, or is
    behind the return of a function that had succeeded."""
    labels = [each for each in function.labels if each.position < call.position]
    first = max((at for at, each in enumerate(labels) if each.jumped_to), default=len(labels))
    return any(each.returned or _FAILED.search(each.name) for each in labels[first:])


def _takes_both(taken: Take) -> bool:
    """Whether the function takes pages by another family as well."""
    families = {
        taken.api.acquires[each.name].family
        for each in taken.made.functions[taken.at].calls
        if each.name in taken.api.acquires and not each.through
    }
    return len(families - {Family.extract}) > 1


def is_chosen(taken: Take, release: Release) -> bool:
    """Whether it is decided at run time which family lets go here.

    It is if both families are taken in the function that acquires; if both let go in one function,
    or in two of which a third calls one or the other, or has one or the other in its tables; if a
    caller says by an argument whether to; or if what the pages were kept in is let go of by the
    other family under a test of a flag.
    """
    others = [
        each
        for each in taken.releases
        if each.family is not release.family and balance(taken, each) is None
    ]
    if _takes_both(taken) and (others or release.family is not taken.due):
        return True
    if not others:
        return False
    if any(each.at == release.at for each in others):
        return True
    if any(_is_one_or_the_other(taken.made, release.at, each.at) for each in others):
        return True
    if any(_is_of_parameter(taken.made, each) for each in (release, *others)):
        return True
    kept = {each for each in way(taken.reached, release) if each.is_shared}
    return any(
        _is_flagged(each) and kept & set(way(taken.reached, each)) for each in (release, *others)
    )


def _is_one_or_the_other(made: Graph, one: Key, other: Key) -> bool:
    """Whether somebody calls this function or that one, and never both."""
    if one.path == other.path and made.behind_which.get(one.name, set()) & made.behind_which.get(
        other.name, set()
    ):
        return True
    those = made.callers(other)
    return any(
        caller == another and _exclude_each_other(call.tests, that.tests)
        for caller, call in made.callers(one)
        for another, that in those
    )


def _exclude_each_other(some: tuple[Test, ...], others: tuple[Test, ...]) -> bool:
    """Whether two statements stand in different arms of a condition, or of a switch."""
    for one, other in zip(some, others, strict=False):
        if one == other:
            continue
        what, _, case = one.text.partition(" == ")
        switch = bool(case) and one.taken and other.taken and other.text.startswith(f"{what} == ")
        return (one.text == other.text and one.taken is not other.taken) or switch
    return False


_FLAG: Final = re.compile(r"flag|pinned|PINNED|will_pin|\bis_|_is_|& ?[A-Z]")


def _is_flagged(release: Release) -> bool:
    """Whether it stands under a test of a flag, and not only of what it lets go of."""
    return any(_FLAG.search(each.text) for each in release.call.tests)


def _is_of_parameter(made: Graph, release: Release) -> bool:
    """Whether it stands under a test of a number that the caller passes."""
    function = made.functions[release.at]
    numbers = {each for each in function.params if function.types.get(each) == "int"}
    return any(re.sub(r"^!", "", each.text) in numbers for each in release.call.tests)


_MORE: Final = frozenset(
    {"get_page", "folio_get", "try_get_page", "folio_try_get", "get_page_unless_zero"}
)
"""Functions that take one more plain reference."""


def balance(taken: Take, release: Release) -> Call | None:
    """A get_page() of the same pages in a function on the way: its reference is what goes."""
    if release.family is not Family.get:
        return None
    places = way(taken.reached, release)
    shared = any(each.is_shared for each in places)
    for key in dict.fromkeys(key_of(each.owner) for each in places if each.kind == "local"):
        for call in taken.made.functions[key].calls if shared else ():
            of = taken.made.places(key, call.args[0]) if call.name in _MORE and call.args else ()
            if any(each in taken.reached for each in of):
                return call
    return None


_UP: Final = 3
_DOWN: Final = 3
"""Levels of calls: from a site to the system call it serves, and from there to the release."""


def is_given_back(taken: Take) -> bool:
    """Whether a function above the site lets go, on every way, of what it had the site take."""
    made = taken.made
    releasing = {each.at for each in taken.releases}
    level = {taken.at}
    for _ in range(_UP):
        callers = [each for callee in level for each in made.callers(callee)]
        level = {caller for caller, _ in callers}
        for caller, call in callers:
            function = made.functions[caller]
            for later in function.calls:
                if later.position <= call.position:
                    continue
                always = call.tests[: len(later.tests)] == later.tests
                if not always or _behind_failure(function, later):
                    continue
                if _leads_to(made, caller, later, releasing):
                    return True
    return False


def _leads_to(made: Graph, at: Key, call: Call, releasing: set[Key]) -> bool:
    """Whether a call comes to a function that releases."""
    level = set(made.resolve(at, call))
    for _ in range(_DOWN):
        if level & releasing:
            return True
        level = {
            callee
            for key in level
            for each in made.functions[key].calls
            for callee in made.resolve(key, each)
        }
    return bool(level & releasing)

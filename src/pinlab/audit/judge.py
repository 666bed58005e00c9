"""The verdict of a site: from the releases that its pages can come to.

*right* is said only where every release that was found is of the site's family, and where pages
that outlive the function are let go by somebody who got them by the way they were kept. A release
in the function that acquired is evidence of one path, mostly of a failure, and proves nothing of
pages that were kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pinlab.audit.api import DIRTY, LOCKS, MAKE_DIRTY, Family
from pinlab.audit.era import Acquire, Api, Era
from pinlab.audit.facts import Call, Function
from pinlab.audit.flags import flags
from pinlab.audit.flow import Graph, Key, Place, Reach, Release, key_of, reach
from pinlab.audit.known import KNOWN_DIRTYING, NOTHING_HELD
from pinlab.audit.results import (
    Dirtied,
    Dirtying,
    Hazard,
    Moment,
    Path,
    Rule,
    Site,
    Verdict,
)

CROWD: Final = 400
"""Places. Pages that seem to come to more are mixed with others': nothing is said of them."""

_WRITES: Final = ("FOLL_WRITE", "~FOLL_WRITE")
_LONGTERM: Final = ("FOLL_LONGTERM", "~FOLL_LONGTERM")
_NOT: Final = re.compile(r"^(?:0|NULL|false)$")


def sites(
    made: Graph, api: Api, longterm_refuses_files: bool, only: tuple[str, int] | None = None
) -> tuple[list[Site], set[Place]]:
    """Every site of the tree, or that on one line of a file, and every place that their pages
    come to."""
    found: list[Site] = []
    reached: set[Place] = set()
    for at, number, call, acquire in acquired(made, api):
        if only not in (None, (at.path, call.line)):
            continue
        site, places = _site(made, api, at, number, call, acquire, longterm_refuses_files)
        found.append(site)
        reached |= places
    return found, reached


def acquired(made: Graph, api: Api) -> Iterable[tuple[Key, int, Call, Acquire]]:
    """Every call that acquires, with its number in its function."""
    for at, function in sorted(made.functions.items()):
        for number, call in enumerate(function.calls):
            acquire = None if call.through else api.acquires.get(call.name)
            if acquire is None:
                continue
            own = made.functions.get(Key(at.path, call.name))
            if own is None or not own.static or at.path.endswith(".h"):
                yield at, number, call, acquire


def _site(
    made: Graph,
    api: Api,
    at: Key,
    number: int,
    call: Call,
    acquire: Acquire,
    longterm_refuses_files: bool,
) -> tuple[Site, set[Place]]:
    first = starts(made, at, number, call, acquire)
    written = "its result"
    if acquire.pages is not None:
        written = call.texts[acquire.pages] if acquire.pages < len(call.texts) else ""
    names = flags(made, at, call, acquire)
    reached = reach(made, first)
    releases = _releases(made, at, reached)
    verdict, why, paths = _verdict(made, api, at, acquire, written, reached, releases, names)
    if verdict in (Verdict.caller, Verdict.nothing_held):
        releases, paths = [], ()
    dirtied = _dirtied(made, reached) if verdict is not Verdict.nothing_held else []
    hazards: tuple[Hazard, ...] = ()
    if verdict not in (Verdict.caller, Verdict.nothing_held):
        hazards = tuple(
            _hazards(
                made, api, at, call, acquire, names, reached, paths, dirtied, longterm_refuses_files
            )
        )
    site = Site(
        at.path,
        at.name,
        call.line,
        call.name,
        acquire.family,
        names,
        written,
        verdict,
        why,
        paths,
        hazards,
        min((each.how for each in dirtied), key=_WORST.index, default=Dirtying.never),
    )
    return site, set(reached)


_WORST: Final = (
    Dirtying.raw,
    Dirtying.lock_not_seen,
    Dirtying.lock_seen,
    Dirtying.by_flag,
    Dirtying.locked,
    Dirtying.never,
)


def starts(made: Graph, at: Key, number: int, call: Call, acquire: Acquire) -> tuple[Place, ...]:
    """Where the pages are first."""
    if acquire.pages is None:
        return (Place("result", str(at), f"#{number}"),)
    if acquire.pages >= len(call.args):
        return ()
    return made.places(at, call.args[acquire.pages])


def _releases(made: Graph, at: Key, reached: Reach) -> list[Release]:
    """All of them. A function that does for other kinds of objects what one in the site's own file
    does for its kind (both are behind one member of a table) is none of them."""
    own = {
        member
        for member, behind in made.tables.items()
        if any(path == at.path for path, _ in behind)
    }
    found = {}
    for place in reached:
        for each in made.releases.get(place, ()):
            others = made.behind_which.get(each.at.name, set())
            if each.at.path == at.path or not others & own:
                found[each.at, each.call.position] = each
    return [found[key] for key in sorted(found)]


def _verdict(
    made: Graph,
    api: Api,
    at: Key,
    acquire: Acquire,
    written: str,
    reached: Reach,
    releases: list[Release],
    names: tuple[str, ...],
) -> tuple[Verdict, str, tuple[Path, ...]]:
    family = acquire.family
    if _NOT.match(written):
        return Verdict.nothing_held, "it asks for no pages, so no reference is taken", ()
    known = NOTHING_HELD.get(str(at)) if family is Family.extract else None
    known = known or _kernel_iterator(made, at, acquire)
    if known is not None:
        return Verdict.nothing_held, known, ()
    if at.name in api.acquires or at.path in ("mm/gup.c", "lib/iov_iter.c"):
        return Verdict.caller, f"{at.name}() is of the interface itself", ()
    if len(reached.came) > CROWD:
        return Verdict.unknown, "its pages are mixed with those of others", ()
    choice = _other_family(made, api, at, acquire)
    paths = tuple(_path(made, family, reached, releases, each, choice) for each in releases)
    if family is Family.get and api.era is Era.pin and "FOLL_LONGTERM" in names:
        return Verdict.wrong, "FOLL_LONGTERM is asked for without FOLL_PIN", paths
    worst = {each.verdict for each in paths}
    if Verdict.wrong in worst:
        one = next(each for each in paths if each.verdict is Verdict.wrong)
        return Verdict.wrong, f"taken by {family}, let go by {one.release}()", paths
    kept = [place for place in reached if place in made.kept]
    outside = [each for each in releases if each.at != at or _is_on_every_path(made, each)]
    if not releases:
        if _is_handed_up(made, at, reached):
            return Verdict.caller, f"{at.name}() hands them to whoever calls it", ()
        return Verdict.unknown, _nobody(kept), ()
    if not outside and kept:
        return Verdict.unknown, _nobody(kept), paths
    if not outside and _is_handed_up(made, at, reached):
        return Verdict.caller, f"{at.name}() hands them to whoever calls it", paths
    if not outside:
        return Verdict.unknown, "let go of where something failed, and nowhere else in sight", paths
    if Verdict.by_flag in worst:
        return Verdict.by_flag, "both families, chosen at run time", paths
    if family is Family.get:
        return Verdict.unconverted, "a plain reference, let go as one", paths
    return Verdict.right, "taken and let go as a pin", paths


_KERNEL_ITERATOR: Final = re.compile(
    r"^iov_iter_(?:bvec|kvec|folio_queue|xarray)$|_load_(?:bvec|kvec|folioq|xarray)$"
)


def _kernel_iterator(made: Graph, at: Key, acquire: Acquire) -> str | None:
    """Why extraction takes nothing: the function itself made the iterator, of kernel memory."""
    if acquire.family is not Family.extract:
        return None
    calls = made.functions[at].calls
    iterators = {each.args[0] for each in calls if each.name == acquire.name and each.args}
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


_FAILED: Final = re.compile(r"err|fail|undo|unpin|unwind|rollback|free|release|put|cleanup|bad")


def _is_on_every_path(made: Graph, release: Release) -> bool:
    """Whether a release of the function that acquired is no matter of failure.

    It stands under no condition but on what it lets go of (or on whether that is pinned), and
    behind no label that speaks of a failure.
    """
    own = {word for each in release.call.args[0] for word in each.split(".")}
    for each in release.call.tests:
        if not each.taken:
            continue
        words = set(re.findall(r"[A-Za-z_]\w*", each.text))
        if not (words & own or _FLAG.search(each.text) or _COUNT.match(each.text)):
            return False
    return not _behind_failure(made.functions[release.at], release.call)


def _behind_failure(function: Function, call: Call) -> bool:
    """Whether only a goto leads to a call, by labels one of which speaks of a failure."""
    labels = [each for each in function.labels if each.position < call.position]
    first = max((at for at, each in enumerate(labels) if each.jumped_to), default=len(labels))
    return any(_FAILED.search(each.name) for each in labels[first:])


_COUNT: Final = re.compile(
    r"^!?\(?(?:\w+(?:->|\.))*\w*(?:nr|num|npages|pinned|count|got)\w*\)?(?: ?> ?0)?$"
    r"|^\w*(?:ret|rc|res|err|nr|num|got|pinned)\w* ?(?:>|>=|==) ?[\w>.-]+$"
)


def _is_handed_up(made: Graph, at: Key, reached: Reach) -> bool:
    """Whether they come to a parameter or a result of a function whom nobody here calls."""
    for place in reached:
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


def _other_family(made: Graph, api: Api, at: Key, acquire: Acquire) -> bool:
    """Whether the function takes pages by another family as well."""
    families = {
        api.acquires[each.name].family
        for each in made.functions[at].calls
        if each.name in api.acquires and not each.through
    }
    return len(families - {Family.extract}) > 1


def _path(
    made: Graph,
    family: Family,
    reached: Reach,
    releases: list[Release],
    release: Release,
    choice: bool,
) -> Path:
    here = made.functions[release.at]
    way = _way(reached, release)
    taken = Family.pin if family is Family.extract else family
    if release.family is not taken and _balance(made, reached, release) is not None:
        verdict = Verdict.nothing_held
    elif _is_chosen(made, family, reached, releases, release, choice):
        verdict = Verdict.by_flag
    elif release.family is not taken:
        verdict = Verdict.wrong
    elif family is Family.get:
        verdict = Verdict.unconverted
    else:
        verdict = Verdict.right
    when = " && ".join(
        each.text if each.taken else f"!({each.text})" for each in release.call.tests
    )
    label = [each.name for each in here.labels if each.position < release.call.position]
    if not when and label and re.search(r"err|fail|out|free|release|undo|unpin", label[-1]):
        when = f"{label[-1]}:"
    return Path(
        release.at.path,
        release.at.name,
        release.call.line,
        release.call.name,
        release.family,
        verdict,
        when,
        tuple(dict.fromkeys(_worded(each) for each in way if each.kind != "result")),
        _dirty_of(made, reached, release),
    )


def _is_chosen(
    made: Graph,
    family: Family,
    reached: Reach,
    releases: list[Release],
    release: Release,
    choice: bool,
) -> bool:
    """Whether it is decided at run time which family lets go here.

    It is if both families are taken in the function that acquires; if both let go in one function;
    if a caller says by an argument whether to; or if what the pages were kept in is let go of by
    the other family under a test of a flag.
    """
    others = [
        each
        for each in releases
        if each.family is not release.family and _balance(made, reached, each) is None
    ]
    taken = Family.pin if family is Family.extract else family
    if choice and (others or release.family is not taken):
        return True
    if not others:
        return False
    if any(each.at == release.at for each in others):
        return True
    if any(_is_of_parameter(made, each) for each in (release, *others)):
        return True
    kept = {each for each in _way(reached, release) if each.is_shared}
    return any(_is_flagged(each) and kept & set(_way(reached, each)) for each in (release, *others))


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


def _balance(made: Graph, reached: Reach, release: Release) -> Call | None:
    """A get_page() of the same pages in a function on the way: its reference is what goes."""
    if release.family is not Family.get:
        return None
    way = _way(reached, release)
    shared = any(each.is_shared for each in way)
    for key in dict.fromkeys(key_of(each.owner) for each in way if each.kind == "local"):
        for call in made.functions[key].calls if shared else ():
            of = made.places(key, call.args[0]) if call.name in _MORE and call.args else ()
            if any(each in reached for each in of):
                return call
    return None


def _way(reached: Reach, release: Release) -> tuple[Place, ...]:
    """The places that the pages went through, from where they were taken."""
    place: Place | None = next((each for each in release.places if each in reached), None)
    way: list[Place] = []
    while place is not None:
        way.append(place)
        place = reached.came[place]
    return tuple(reversed(way))


def _worded(place: Place) -> str:
    return _named(place) if place.is_shared else key_of(place.owner).name + "()"


def _dirty_of(made: Graph, reached: Reach, release: Release) -> Dirtied | None:
    """How the function of a release dirties what it lets go of."""
    position = MAKE_DIRTY.get(release.call.name)
    if position is not None and position < len(release.call.texts):
        told = release.call.texts[position]
        if told in ("true", "1"):
            return _at(release.at, release.call, Dirtying.locked, Moment.with_it)
        if told not in ("false", "0"):
            return _at(release.at, release.call, Dirtying.by_flag, Moment.with_it)
    found = list(_dirty_calls(made, release.at, reached))
    before = [each for each in found if each.position < release.call.position]
    around = release.call.tests
    after = [each for each in found if each.tests[: len(around)] == around]
    chosen = before[-1:] or after[:1]
    if not chosen:
        return None
    moment = Moment.before if before else Moment.after
    return _at(release.at, chosen[0], _how(made, release.at, chosen[0]), moment)


def _at(key: Key, call: Call, how: Dirtying, moment: Moment) -> Dirtied:
    return Dirtied(key.path, key.name, call.line, call.name, how, moment)


def _dirty_calls(made: Graph, at: Key, reached: Reach) -> Iterable[Call]:
    for call in made.functions[at].calls:
        of = made.places(at, call.args[0]) if call.name in DIRTY and call.args else ()
        if any(place in reached for place in of):
            yield call


def _how(made: Graph, at: Key, call: Call) -> Dirtying:
    match DIRTY[call.name]:
        case "locked":
            return Dirtying.locked
        case "raw":
            return Dirtying.raw
    locked = any(
        each.name in LOCKS and each.position < call.position for each in made.functions[at].calls
    )
    return Dirtying.lock_seen if locked else Dirtying.lock_not_seen


def _dirtied(made: Graph, reached: Reach) -> list[Dirtied]:
    """Everything that dirties pages of a site, wherever it is."""
    found = []
    owners = {key_of(each.owner) for each in reached if each.kind in ("local", "result")}
    owners |= {each.at for place in reached for each in made.releases.get(place, ())}
    owners |= {at for place in reached for at, _ in made.handed.get(place, ())}
    for at in sorted(owners):
        for call in _dirty_calls(made, at, reached):
            found.append(_at(at, call, _how(made, at, call), Moment.elsewhere))
        for call in made.functions[at].calls:
            position = MAKE_DIRTY.get(call.name)
            if position is None or position >= len(call.texts) or call.texts[position] in "0false":
                continue
            if any(place in reached for place in made.places(at, call.args[0])):
                sure = call.texts[position] in ("1", "true")
                how = Dirtying.locked if sure else Dirtying.by_flag
                found.append(_at(at, call, how, Moment.with_it))
    return found


def _hazards(
    made: Graph,
    api: Api,
    at: Key,
    call: Call,
    acquire: Acquire,
    names: tuple[str, ...],
    reached: Reach,
    paths: tuple[Path, ...],
    dirtied: list[Dirtied],
    longterm_refuses_files: bool,
) -> Iterable[Hazard]:
    writes = any(each in names for each in _WRITES)
    longterm = any(each in names for each in _LONGTERM) or call.name == "memfd_pin_folios"
    if acquire.family is Family.get and api.era is Era.pin and longterm:
        yield Hazard(Rule.longterm_get, at.path, call.line, f"{call.name}() with FOLL_LONGTERM")
    for each in dirtied:
        if each.how is Dirtying.lock_not_seen:
            text = f"{each.call}() in {each.function}(): lock not seen"
            yield Hazard(Rule.no_lock, each.file, each.line, text)
        elif each.how is Dirtying.raw:
            text = f"{each.call}() in {each.function}()"
            yield Hazard(Rule.raw, each.file, each.line, text)
    for path in paths:
        if path.dirty is not None and path.dirty.moment is Moment.after:
            text = f"{path.dirty.call}() after {path.release}() in {path.function}()"
            yield Hazard(Rule.after, path.file, path.dirty.line, text)
    known = KNOWN_DIRTYING.get(str(at))
    if known is not None and known[0] is Rule.raw:
        yield Hazard(Rule.raw, at.path, call.line, known[1])
    refused = longterm and longterm_refuses_files
    if writes and not dirtied and not refused and paths and known is None:
        text = f"{call.name}() with FOLL_WRITE, and nothing in sight dirties its pages"
        yield Hazard(Rule.never, at.path, call.line, text)
    kept = [
        each for each in paths if each.function != at.name and any("." in w for w in each.by_way_of)
    ]
    may_stay = acquire.family is Family.pin and kept and not longterm and "?" not in names
    if may_stay and not _is_given_back(made, at, paths):
        where = next(word for word in kept[0].by_way_of if "." in word)
        text = f"kept in {where} when {at.name}() returns; for how long is not seen"
        yield Hazard(Rule.long_lived, at.path, call.line, text)


_UP: Final = 3
_DOWN: Final = 3
"""Levels of calls: from a site to the system call it serves, and from there to the release."""


def _is_given_back(made: Graph, at: Key, paths: tuple[Path, ...]) -> bool:
    """Whether a function above the site lets go, on every way, of what it had the site take."""
    releasing = {Key(each.file, each.function) for each in paths}
    level = {at}
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

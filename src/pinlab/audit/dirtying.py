"""How the pages of a site are dirtied, and which rules of O2 that breaks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pinlab.audit.api import DIRTY, LOCKS, MAKE_DIRTY, Family
from pinlab.audit.era import Era
from pinlab.audit.evidence import Take, is_given_back
from pinlab.audit.facts import Call
from pinlab.audit.flow import Graph, Key, Reach, Release, key_of
from pinlab.audit.known import KNOWN_DIRTYING
from pinlab.audit.results import Dirtied, Dirtying, Hazard, Moment, Path, Rule

_WRITES: Final = ("FOLL_WRITE", "~FOLL_WRITE")
_LONGTERM: Final = ("FOLL_LONGTERM", "~FOLL_LONGTERM")
_WORST: Final = (
    Dirtying.raw,
    Dirtying.lock_not_seen,
    Dirtying.lock_seen,
    Dirtying.by_flag,
    Dirtying.locked,
    Dirtying.never,
)


def worst(found: list[Dirtied], site: str) -> Dirtying:
    """The worst way of dirtying that was seen, or is known of a site."""
    if site in KNOWN_DIRTYING and KNOWN_DIRTYING[site][0] is Rule.raw:
        return Dirtying.raw
    return min((each.how for each in found), key=_WORST.index, default=Dirtying.never)


def dirty_of(made: Graph, reached: Reach, release: Release) -> Dirtied | None:
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


def dirtied(made: Graph, reached: Reach) -> list[Dirtied]:
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


def hazards(
    taken: Take, paths: tuple[Path, ...], found: list[Dirtied], longterm_refuses_files: bool
) -> Iterable[Hazard]:
    """The rules that a site breaks."""
    yield from _of_dirtying(paths, found)
    yield from _of_flags(taken, paths, found, longterm_refuses_files)


def _of_dirtying(paths: tuple[Path, ...], found: list[Dirtied]) -> Iterable[Hazard]:
    for each in found:
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


def _of_flags(
    taken: Take, paths: tuple[Path, ...], found: list[Dirtied], longterm_refuses_files: bool
) -> Iterable[Hazard]:
    at, call, family = taken.at, taken.call, taken.family
    writes = any(each in taken.flags for each in _WRITES)
    longterm = any(each in taken.flags for each in _LONGTERM) or call.name == "memfd_pin_folios"
    if family is Family.get and taken.api.era is Era.pin and longterm:
        yield Hazard(Rule.longterm_get, at.path, call.line, f"{call.name}() with FOLL_LONGTERM")
    known = KNOWN_DIRTYING.get(str(at))
    if known is not None and known[0] is Rule.raw:
        yield Hazard(Rule.raw, at.path, call.line, known[1])
    refused = longterm and longterm_refuses_files
    if writes and not found and not refused and paths and known is None:
        text = f"{call.name}() with FOLL_WRITE, and nothing in sight dirties its pages"
        yield Hazard(Rule.never, at.path, call.line, text)
    kept = [
        each for each in paths if each.function != at.name and any("." in w for w in each.by_way_of)
    ]
    may_stay = family is Family.pin and kept and not longterm and "?" not in taken.flags
    if may_stay and not is_given_back(taken):
        where = next(word for word in kept[0].by_way_of if "." in word)
        text = f"kept in {where} when {at.name}() returns; for how long is not seen"
        yield Hazard(Rule.long_lived, at.path, call.line, text)

"""Two audits -> what changed between the trees: converted, new, gone, verdicts, rules broken.

Lines move with every patch, so a site is known again by its file, its function and its place among
the calls of that function; one that is in another file, by its function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pinlab.audit.api import Family
from pinlab.audit.results import Audit, Hazard, Site, Verdict


class Kind(StrEnum):
    """What became of a site, worst first."""

    not_right = "not right any more"
    worse = "wrong now"
    new_wrong = "new and wrong"
    new_hazard = "breaks a rule it did not"
    verdict = "another verdict"
    mended = "mended"
    converted = "converted"
    """From a plain reference to a pin."""
    new = "new"
    gone = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """A site before and after; None where there is none."""

    kind: Kind
    before: Site | None
    after: Site | None
    hazards: tuple[Hazard, ...] = ()
    """The rules that it did not break before."""

    @property
    def site(self) -> Site:
        """The site as it is now, or as it was."""
        site = self.after or self.before
        assert site is not None
        return site

    @property
    def is_worse(self) -> bool:
        """Whether somebody should look before the patch goes in."""
        return self.kind in (Kind.not_right, Kind.worse, Kind.new_wrong)


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that changed, worst first."""

    old: Audit
    new: Audit
    changes: tuple[Change, ...]


_ORDER = tuple(Kind)


def compare(old: Audit, new: Audit) -> Changes:
    """What changed from one tree to the other."""
    found = [
        change
        for before, after in _pairs(old.sites, new.sites)
        if (change := _change(before, after)) is not None
    ]
    found.sort(key=lambda each: (_ORDER.index(each.kind), each.site.file, each.site.line))
    return Changes(old, new, tuple(found))


def _change(before: Site | None, after: Site | None) -> Change | None:
    if after is None:
        return Change(Kind.gone, before, None)
    if before is None:
        kind = Kind.new_wrong if after.verdict is Verdict.wrong else Kind.new
        return Change(kind, None, after, after.hazards)
    known = {(each.rule, each.text) for each in before.hazards}
    fresh = tuple(each for each in after.hazards if (each.rule, each.text) not in known)
    if after.verdict is not before.verdict and before.verdict is Verdict.right:
        return Change(Kind.not_right, before, after, fresh)
    if after.verdict is not before.verdict and after.verdict is Verdict.wrong:
        return Change(Kind.worse, before, after, fresh)
    if before.verdict is Verdict.wrong and after.verdict is Verdict.right:
        return Change(Kind.mended, before, after, fresh)
    if before.family is Family.get and after.family is not Family.get:
        return Change(Kind.converted, before, after, fresh)
    if after.verdict is not before.verdict:
        return Change(Kind.verdict, before, after, fresh)
    return Change(Kind.new_hazard, before, after, fresh) if fresh else None


def _pairs(old: Iterable[Site], new: Iterable[Site]) -> Iterator[tuple[Site | None, Site | None]]:
    """Each site with what it was before."""
    left: list[Site] = []
    right: list[Site] = []
    befores, afters = _by_function(old), _by_function(new)
    for where in sorted(befores.keys() | afters.keys()):
        before, after = befores.get(where, []), afters.get(where, [])
        for one, other in _in_order(before, after):
            if one is not None and other is not None:
                yield one, other
            elif one is not None:
                left.append(one)
            elif other is not None:
                right.append(other)
    for one in left:
        name = (one.function, one.call)
        other = next((each for each in right if (each.function, each.call) == name), None)
        yield one, other
        if other is not None:
            right.remove(other)
    for other in right:
        yield None, other


def _by_function(sites: Iterable[Site]) -> dict[tuple[str, str], list[Site]]:
    found: dict[tuple[str, str], list[Site]] = defaultdict(list)
    for each in sites:
        found[each.file, each.function].append(each)
    return found


def _in_order(before: list[Site], after: list[Site]) -> Iterator[tuple[Site | None, Site | None]]:
    """The sites of a function: first those of one call, then the others in the order of lines."""
    before, after = list(before), list(after)
    for one in list(before):
        other = next((each for each in after if each.call == one.call), None)
        if other is not None:
            before.remove(one)
            after.remove(other)
            yield one, other
    for number in range(max(len(before), len(after))):
        yield (
            before[number] if number < len(before) else None,
            after[number] if number < len(after) else None,
        )

"""Claims joined with a census: which pins are explained, by whom, and which by nobody.

A census counts what is there, walkers tell who says to hold it; neither is one instant. What
does not agree is looked at again (`attribute`): what differs each time is an overcount of a
walker, or a holder that no walker knows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pinlab.field.census import Census, Confidence
from pinlab.field.census import census as take_census
from pinlab.field.census.counting import count
from pinlab.field.census.reading import read
from pinlab.field.census.result import rows_of
from pinlab.field.errors import LayoutError
from pinlab.field.holders import addresses, stale
from pinlab.field.holders.claim import Claim, Mapped
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.kernel import Kernel
from pinlab.field.holders.walker import Walker, load
from pinlab.field.layout.page import PIN_BIAS, page_layout
from pinlab.field.memory.reader import Reader

TRIES = 15
TRIES_OF_STRANGERS = 5
"""Where only plain references differ."""
PAUSE = 0.01
"""Seconds between two tries, so that they do not keep step with somebody's I/O."""
NOT_BUILT_IN = "not built into this kernel (the types of modules are not read)"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A walker that could not look, and why."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Walked:
    """What all walkers say."""

    claims: tuple[Claim, ...]
    skipped: tuple[Skipped, ...]
    races: int
    """How often something was gone when a walker came to it."""

    def of(self, pid: int | None) -> Walked:
        """The claims of one process; of all if None."""
        if pid is None:
            return self
        own = (each for each in self.claims if any(owner.pid == pid for owner in each.owners))
        return replace(self, claims=tuple(own))


@dataclass(frozen=True, slots=True)
class Share:
    """A claim, and how much of it the census knows."""

    claim: Claim
    found: int
    """Pins that lie on pinned folios; of plain references all, as a census does not list them."""
    missing: int
    """Pins claimed of frames that are not pinned, again and again. Of weak claims none."""
    passing: int = 0
    """The same, but of frames where it came and went: a race."""

    @property
    def is_passing(self) -> bool:
        """Whether none of it is there now."""
        return bool(self.passing) and not self.found and not self.missing

    @property
    def stale(self) -> bool:
        """Whether its owners have other pages where these were registered."""
        return self.claim.mapped is Mapped.stale


@dataclass(frozen=True)
class Attribution:
    """Who holds the pins of a census. Arrays are per folio of it."""

    census: Census
    shares: tuple[Share, ...]
    explained: NDArray[np.int64]
    """Pins claimed by walkers that read a registry; more than there are is an overcount."""
    weakly: NDArray[np.int64]
    """Pins explained only by weak claims."""
    skipped: tuple[Skipped, ...] = ()
    races: int = 0
    asked_references: bool = False
    """Whether the census has folios that are only referenced."""
    doubtful: NDArray[np.bool_] | None = None
    """Folios whose pins and claims differed now and agreed at another time."""
    plain: NDArray[np.int64] | None = None
    """Plain references that walkers know of; 1024 of one small folio look like a pin."""
    familiar: NDArray[np.bool_] | None = None
    """Folios whose references changed meanwhile, or were all explained at another time."""

    @property
    def pins(self) -> NDArray[np.int64]:
        """Pins of each folio, without what is known to be plain references."""
        folios = self.census.folios
        if self.plain is None or not self.plain.any():
            return folios.pins
        left = np.maximum(folios.refcount - folios.expected - self.plain, 0) // PIN_BIAS
        small = (folios.order == 0) & (self.plain > 0)
        pins: NDArray[np.int64] = np.where(small, np.minimum(folios.pins, left), folios.pins)
        return pins

    @property
    def strangers(self) -> NDArray[np.int64]:
        """Plain references of each folio that neither a book explains nor a walker claims."""
        left = self.census.references.copy()
        if self.plain is not None:
            left -= self.plain
        strange: NDArray[np.int64] = left.clip(min=0) * self.settled
        return strange if self.familiar is None else np.where(self.familiar, 0, strange)

    @property
    def unexplained(self) -> NDArray[np.int64]:
        """Pins of each folio that nobody claims: holder unknown."""
        left: NDArray[np.int64] = self.pins - self.explained - self.weakly
        return left.clip(min=0)

    @property
    def overcount(self) -> NDArray[np.int64]:
        """Pins of each folio that are claimed and not there."""
        more: NDArray[np.int64] = self.explained - self.pins
        return more.clip(min=0)

    @property
    def unknown(self) -> NDArray[np.int64]:
        """Pins of each folio that nobody claims and that surely are there."""
        return self.unexplained * self.sure

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Folios that did not change meanwhile and whose pins cannot be plain references."""
        certain: NDArray[np.bool_] = self.census.folios.confidence != Confidence.LOW
        return self.settled & certain

    @property
    def missing(self) -> int:
        """Pins claimed of frames that are not pinned at all."""
        return sum(share.missing for share in self.shares)

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Folios that did not change while they were looked at."""
        same: NDArray[np.bool_] = self.census.folios.confidence != Confidence.UNSTABLE
        return same if self.doubtful is None else same & ~self.doubtful

    @property
    def agrees(self) -> bool:
        """Whether every settled pin has a holder and every claim its pin."""
        wrong = self.unknown + self.overcount * self.settled
        return not wrong.any() and not self.missing

    def disputed(self) -> frozenset[tuple[str, int]]:
        """What does not agree, each as a sort of difference and a frame."""
        pfn = self.census.folios.pfn
        sorts = {"unexplained": self.unknown, "overcount": self.overcount}
        if self.asked_references:
            sorts["stranger"] = self.strangers
        found = {
            (sort, each)
            for sort, counts in sorts.items()
            for each in pfn[(counts > 0) & self.settled].tolist()
        }
        for share in self.shares:
            if share.missing:
                found |= {("missing", each) for each in self._absent(share).pfn.tolist()}
            if share.stale:
                found |= {("stale", share.claim.extents.first)}
        return frozenset(found)

    def _absent(self, share: Share) -> Extents:
        extents = share.claim.extents
        _, inside = rows_of(self.census.folios, extents.pfn)
        gone = ~inside
        return Extents.of_arrays(extents.pfn[gone], extents.pages[gone], extents.times[gone])

    def only(self, lasting: frozenset[tuple[str, int]]) -> Attribution:
        """The same, with every other difference taken for a race."""
        pfn = self.census.folios.pfn.tolist()
        of_folios = ("unexplained", "overcount")
        doubted = {frame for sort, frame in self.disputed() - lasting if sort in of_folios}
        doubtful = np.array([each in doubted for each in pfn], np.bool_)
        familiar = np.array([("stranger", each) not in lasting for each in pfn], np.bool_)
        if self.familiar is not None:
            familiar |= self.familiar
        shares = []
        for share in self.shares:
            absent = self._absent(share) if share.missing else Extents()
            missing = sum(each.times for each in absent if ("missing", each.pfn) in lasting)
            claim = share.claim
            if share.stale and ("stale", claim.extents.first) not in lasting:
                claim = replace(claim, mapped=None, mapped_by=None, stale_pages=0)
            passing = share.missing - missing
            shares.append(Share(claim, share.found, missing, passing))
        return replace(self, shares=tuple(shares), doubtful=doubtful, familiar=familiar)


def walk(reader: Reader, walkers: Iterable[Walker] | None = None, *, locate: bool = True) -> Walked:
    """Ask all walkers. What this kernel does not have is skipped with its reason."""
    kernel = Kernel(reader)
    claims: list[Claim] = []
    skipped: list[Skipped] = []
    for walker in load().values() if walkers is None else walkers:
        if not all(map(kernel.has, walker.needs)):
            skipped.append(Skipped(walker.kind, NOT_BUILT_IN))
            continue
        try:
            claims += walker.walk(kernel)
        except LayoutError as error:
            skipped.append(Skipped(walker.kind, str(error)))
    if locate and kernel.own:
        claims = list(stale.compare(addresses.locate(claims)))
    return Walked(tuple(claims), tuple(skipped), kernel.races)


def join(census: Census, walked: Walked) -> Attribution:
    """Claims and a census, as they are."""
    folios = census.folios
    explained = np.zeros(len(folios), np.int64)
    weakly = np.zeros(len(folios), np.int64)
    plain = np.zeros(len(folios), np.int64)
    shares: dict[int, Share] = {}
    order = sorted(range(len(walked.claims)), key=lambda n: walked.claims[n].weak)
    for number in order:
        each = walked.claims[number]
        rows, inside = rows_of(folios, each.extents.pfn)
        times = each.extents.times.astype(np.int64)
        if each.references:
            np.add.at(plain, rows[inside], times[inside])
            shares[number] = Share(each, each.extents.total, 0)
            continue
        if not each.weak:
            np.add.at(explained, rows[inside], times[inside])
            found = int(times[inside].sum())
            shares[number] = Share(each, found, each.extents.total - found)
            continue
        offered = np.zeros(len(folios), np.int64)
        np.add.at(offered, rows[inside], times[inside])
        given = np.minimum(offered, np.maximum(folios.pins - explained - weakly, 0))
        weakly += given
        shares[number] = Share(each, int(given.sum()), 0)
    kept = (shares[n] for n in range(len(walked.claims)))
    # A weak claim whose frames explain nothing is no news; one without frames is all there is.
    told = tuple(
        share
        for share in kept
        if share.found or not share.claim.weak or not len(share.claim.extents)
    )
    return Attribution(census, told, explained, weakly, walked.skipped, walked.races, plain=plain)


def changed(reader: Reader, found: Attribution) -> NDArray[np.bool_]:
    """Folios with references of strangers whose number is another after the walk than before.

    What is spliced into pipes that come and go has some at each look, and none that lasts.
    """
    folios = found.census.folios
    layout = page_layout(reader.btf)
    moved = np.zeros(len(folios), np.bool_)
    for large in (False, True):
        rows = np.flatnonzero((found.strangers > 0) & ((folios.order > 0) == large))
        now = count(read(reader, layout, folios.pfn[rows], large), layout, ())
        moved[rows] = ~now.valid | (now.folios.refcount != folios.refcount[rows])
    return moved


def attribute(reader: Reader, *, references: bool = False) -> Attribution:
    """A census and its holders, with only those differences that last; with `references` also of
    folios that are not pinned and have plain references.

    I/O that comes and goes is pinned at one look and gone at the next. So where the two differ
    both are taken again, `TRIES` times at most: what is wrong with a frame each time is wrong.
    """
    lasting: frozenset[tuple[str, int]] | None = None
    before: list[Claim] = []
    for number in range(TRIES):
        taken = take_census(reader, references=references)
        found = replace(join(taken, walk(reader)), asked_references=references)
        if references and not reader.frozen:
            found = replace(found, familiar=changed(reader, found))
        here = found.disputed()
        lasting = here if lasting is None else lasting & here
        only_strangers = all(sort == "stranger" for sort, _ in lasting)
        if not lasting or reader.frozen or (only_strangers and number + 1 >= TRIES_OF_STRANGERS):
            break
        before += (share.claim for share in found.shares)
        time.sleep(PAUSE)
    return with_glimpses(found.only(lasting or frozenset()), before)


def with_glimpses(found: Attribution, before: Iterable[Claim]) -> Attribution:
    """The same, with what was claimed at an earlier look, and is gone now, of folios whose pins
    came and went: who did that is worth a name."""
    gone = (found.unexplained > 0) & (found.unknown == 0)
    seen = {_who(share.claim) for share in found.shares}
    glimpsed: dict[object, Share] = {}
    for claim in before:
        if claim.references or claim.weak or _who(claim) in seen:
            continue
        rows, inside = rows_of(found.census.folios, claim.extents.pfn)
        if gone[rows[inside]].any():
            claim = replace(claim, mapped=None, mapped_by=None, stale_pages=0)
            glimpsed[_who(claim)] = Share(claim, 0, 0, claim.extents.total)
    return replace(found, shares=(*found.shares, *glimpsed.values()))


def _who(claim: Claim) -> object:
    return claim.kind, claim.detail, claim.owners

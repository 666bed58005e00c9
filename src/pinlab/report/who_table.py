"""`pinlab who`: holders, totals, and the pins that nobody claims, as tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.field.holders.attribution import Skipped, Walked
from pinlab.field.holders.claim import ENDED, Claim, Mapped, Owner
from pinlab.field.holders.select_holders import Selection
from pinlab.field.holders.target import Answer, Sort
from pinlab.field.holders.uses import Uses
from pinlab.field.machine.pagemap import PAGE
from pinlab.names import printable
from pinlab.report import units
from pinlab.report import who_schema as schema

FEW = 8
"""Processes that are named in a sentence."""


def who(
    answer: Answer,
    uses: Uses | None = None,
    *,
    limit: int = 40,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> RenderableType:
    """An answer: holders, totals, what is left over; of what nobody pins, who uses it."""
    whole = answer.attribution
    totals, odd = schema.totals(answer), schema.differing(answer)
    claims = tuple(share.claim for share in answer.shares)
    parts = _holders(claims, limit, selection, _passing(answer))
    if len(answer.shares) > 1:
        parts.append(_total_table(totals))
    pinned = int((whole.pins[answer.rows] > 0).sum())
    line = f"{units.counted(answer.pins, 'pin')} on {units.counted(pinned, 'folio')}: "
    line += f"{totals['explained']:,} explained, {answer.unexplained:,} unexplained"
    if answer.unsure:
        line += f", {answer.unsure:,} that came and went or may be plain references"
    if totals["references"]:
        line += f"; beside them {totals['references']:,} plain references"
    if answer.stale:
        line += f"; {units.counted(answer.stale, 'holder')} of stale memory"
    bad = bool(answer.unexplained or answer.overcount or answer.stale)
    parts.append(Text(line + ".", style="bold red" if bad else "bold"))
    if uses is not None:
        parts.append(Text(_uses(uses, pipe=answer.target.sort is Sort.file)))
    if whole.asked_references:
        claimed, strange = answer.claimed_references, answer.strangers
        words = units.counted(answer.references, "plain reference")
        words += f" that no book explains: {claimed:,} claimed, {strange:,} of strangers"
        if passing := answer.references - claimed - strange:
            words += f", {passing:,} that came and went"
        parts.append(Text(f"{words}.", style="bold red" if strange else "bold"))
        if odd.referenced:
            parts.append(_referenced_table(odd.referenced, limit))
    for title, folios in (
        ("Holder unknown:", odd.unexplained),
        ("Claimed more often than pinned (a walker's overcount):", odd.overcount),
    ):
        settled = [each for each in folios if not each["unstable"]]
        if settled:
            parts += [Text(title, style="bold red"), _folio_table(settled, limit)]
    parts += _notes(whole.skipped, whole.races, answer.unsettled)
    return Group(*parts)


def _uses(uses: Uses, *, pipe: bool) -> str:
    """Who maps it, has it open, keeps it."""
    if uses.resident is not None:
        sizes = [f"{units.size(size)} {words}" for words, size in uses.resident.items() if size]
        return f"Not pinned, but in memory: {', '.join(sizes) or 'nothing'}."
    parts = []
    if uses.mapped_by:
        names = [f"{each.command} ({each.pid})" for each in uses.mapped_by]
        parts.append(f"mapped by {_few(names)}")
    if uses.open_by:
        parts.append(f"open by {processes(uses.open_by[:FEW])}{_more(len(uses.open_by))}")
    if uses.cached:
        parts.append(f"{units.counted(uses.cached, 'page')} in the page cache")
    if parts:
        return f"Not pinned, but in use: {'; '.join(parts)}."
    if uses.cached is None and pipe:
        return "Nobody was found who has it open."
    if uses.cached is None:
        return "Nobody was found who maps it."
    return "None of it is cached, and nobody was found who has it open."


def _few(names: list[str]) -> str:
    return ", ".join(map(printable, names[:FEW])) + _more(len(names))


def _more(count: int) -> str:
    return f" and {count - FEW:,} more" if count > FEW else ""


def weak(
    walked: Walked,
    why: str,
    *,
    limit: int = 40,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> RenderableType:
    """What /proc alone tells, and why that is all."""
    parts = _holders(walked.claims, limit, selection)
    warning = printable(f"By address only, weak: {why}")
    if selection.stale:
        warning += "; whether memory is stale cannot be told this way"
    return Group(*parts, Text(warning, style="yellow"), *_notes(walked.skipped, 0, 0))


def _passing(answer: Answer) -> frozenset[int]:
    """Which of the holders have nothing any more, by their places."""
    return frozenset(number for number, it in enumerate(answer.shares) if it.is_passing)


def _nobody(selection: Selection) -> str:
    """That there is no holder of those asked for."""
    kind = f"{selection.kind} " if selection.kind else ""
    parts = ["of stale memory"] if selection.stale else []
    parts += [f"of more than {units.size(selection.over)}"] if selection.over else []
    return f"No {' '.join([f'{kind}holder', ' and '.join(parts)]).rstrip()} was found."


def _holders(
    claims: tuple[Claim, ...], limit: int, selection: Selection, passing: Collection[int] = ()
) -> list[RenderableType]:
    if not claims:
        return [Text(_nobody(selection))]
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    shown = claims[:limit] if limit else claims
    odd = any(map(_odd, shown))
    place = ("address range", "mapped") if odd else ("address range",)
    names = ("holder", "process", *place, "size", "count", "for", "accounted in")
    for name in names:
        table.add_column(name, overflow="fold")
    for number, claim in enumerate(shown):
        table.add_row(
            printable(f"{claim.kind}, {claim.detail}") + (" (weak)" if claim.weak else ""),
            processes(claim.owners),
            address_range(claim),
            *((mapped(claim),) if odd else ()),
            units.size(claim.size),
            count(claim) + (", passing" if number in passing else ""),
            age(claim),
            accounted(claim),
        )
    parts: list[RenderableType] = [table]
    if len(shown) < len(claims):
        parts.append(Text(f"... and {len(claims) - len(shown):,} more; --limit 0 shows all."))
    return parts


def address_range(claim: Claim) -> str:
    """Where its memory is for its process."""
    if claim.address is None or claim.length is None:
        return "?"
    return units.address_range(claim.address, claim.length)


def age(claim: Claim) -> str:
    """For how long it has been held."""
    return "?" if claim.seconds is None else units.duration(claim.seconds)


def count(claim: Claim) -> str:
    """How often its frames are held."""
    if not claim.known:
        return "?"
    return units.counted(claim.extents.total, "ref" if claim.references else "pin")


def _odd(claim: Claim) -> bool:
    """Whether it must be said where its memory is: not just where its only process has it."""
    return claim.mapped not in (None, Mapped.there) or _several(claim)


def _several(claim: Claim) -> bool:
    pids = {owner.pid for owner in claim.owners}
    return claim.mapped_by is not None and len(pids | {claim.mapped_by}) > 1


def mapped(claim: Claim) -> str:
    """Whether its owners have the pages, and which of several has them."""
    if claim.mapped is None:
        return "?"
    words = claim.mapped.value
    if claim.mapped is Mapped.elsewhere:
        words = f"at {claim.mapped_at or 0:x}"
    if claim.mapped is Mapped.stale and claim.stale_pages < claim.extents.frames:
        words = f"{units.counted(claim.stale_pages, 'page')} stale"
    return f"{words}, {claim.mapped_by}" if _several(claim) else words


def accounted(claim: Claim) -> str:
    """Where it is counted, and of whom if that is not plain."""
    words = ", ".join(claim.accounted_in) or "nowhere"
    if claim.payer == ENDED:
        return f"{words} of a process that ended"
    plain = {owner.pid for owner in claim.owners} == {claim.payer}
    return words if plain or claim.payer is None else f"{words} of {claim.payer}"


def processes(owners: Iterable[Owner]) -> str:
    """Each process with its descriptors, or what it has instead: "dd (12) fd 3,4"."""
    fds: dict[str, list[str]] = {}
    ways: dict[str, list[str]] = {}
    for owner in owners:
        name = printable(f"{owner.command} ({owner.pid})")
        fds.setdefault(name, []).extend([] if owner.fd is None else [str(owner.fd)])
        ways.setdefault(name, []).extend([owner.by] if owner.by else [])
    return "; ".join(_by(name, fds[name], ways[name]) for name in fds) or "nobody found"


def _by(name: str, fds: list[str], ways: list[str]) -> str:
    """A process and how it has something."""
    parts = ([f"fd {','.join(fds)}"] if fds else []) + [f"by {way}" for way in ways]
    return " ".join([name, ", ".join(parts)]) if parts else name


def _total_table(totals: schema.TotalsJson) -> RenderableType:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("total", no_wrap=True)
    for name in ("holds", "count", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for total in totals["by_kind"] + totals["by_process"]:
        name = total["name"] if total["pid"] is None else f"{total['name']} ({total['pid']})"
        count = "?" if total["count"] is None else f"{total['count']:,}"
        table.add_row(printable(name), f"{total['claims']:,}", count, units.size(total["bytes"]))
    return table


def _folio_table(folios: list[schema.FolioJson], limit: int) -> RenderableType:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("frame", "size", "pins", "claimed", "whose"):
        table.add_column(name, no_wrap=True)
    for each in folios[:limit] if limit else folios:
        table.add_row(
            f"{each['pfn']:#x}",
            units.size(PAGE << each["order"]),
            f"{each['pins']:,}",
            f"{schema.claimed(each):,}",
            each["where"],
        )
    if limit and len(folios) > limit:
        table.add_row("...", "", "", "", f"{len(folios) - limit:,} more; --limit 0 shows all")
    return table


def _referenced_table(folios: list[schema.FolioJson], limit: int) -> RenderableType:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("frame", "size", "references", "claimed", "whose"):
        table.add_column(name, no_wrap=True)
    for each in folios[:limit] if limit else folios:
        size = units.size(PAGE << each["order"])
        counts = f"{each['references']:,}", f"{each['known']:,}"
        table.add_row(f"{each['pfn']:#x}", size, *counts, each["where"])
    if limit and len(folios) > limit:
        table.add_row("...", "", "", "", f"{len(folios) - limit:,} more; --limit 0 shows all")
    return table


def notes(skipped: Iterable[Skipped], races: int, unsettled: int) -> list[str]:
    """What one should know before one believes it: what was not looked at, what moved."""
    kinds: dict[str, list[str]] = {}
    for each in skipped:
        kinds.setdefault(each.reason, []).append(each.kind)
    lines = [f"Not looked at: {', '.join(own)}: {reason}." for reason, own in kinds.items()]
    if races:
        things = units.counted(races, "thing")
        lines.append(f"{things} went away while they were read: results may be incomplete.")
    if unsettled:
        lines.append(f"{units.counted(unsettled, 'folio')} changed while they were looked at.")
    return lines


def _notes(skipped: Iterable[Skipped], races: int, unsettled: int) -> list[RenderableType]:
    lines = notes(skipped, races, unsettled)
    return [Text(printable(line), style="yellow") for line in lines]

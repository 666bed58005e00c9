"""`pinlab audit`: sites by subsystem, worst first, and one site in detail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.audit.compare import Change, Changes, Kind
from pinlab.audit.mapcount.audit import Mapcounts
from pinlab.audit.mapcount.effects import Effect, Reader
from pinlab.audit.results import RULES, Audit, Path, Site, Verdict
from pinlab.names import printable
from pinlab.report import units

STYLES = {
    Verdict.wrong: "bold red",
    Verdict.unknown: "yellow",
    Verdict.unconverted: "",
    Verdict.by_flag: "",
    Verdict.caller: "dim",
    Verdict.nothing_held: "dim",
    Verdict.right: "green",
}
_ORDER = tuple(Verdict)


def overview(audit: Audit, *, limit: int, lines: bool = False) -> RenderableType:
    """Where the sites are, by subsystem, and those that somebody should look at."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("subsystem")
    verdicts = [each for each in Verdict if any(site.verdict is each for site in audit.sites)]
    for name in (*(each.value for each in verdicts), "rules broken"):
        table.add_column(name, justify="right")
    for name, there in _by_subsystem(audit.sites):
        counted = Counter(each.verdict for each in there)
        broken = sum(len(each.hazards) for each in there)
        cells = [
            Text(str(counted[each]) if counted[each] else "", style=STYLES[each])
            for each in verdicts
        ]
        table.add_row(printable(name), *cells, str(broken) if broken else "")
    odd = [
        each
        for each in audit.sites
        if each.verdict in (Verdict.wrong, Verdict.unknown) or each.hazards
    ]
    if not odd:
        return Group(table, *_summary(audit))
    rest = sites(audit, odd, limit=limit, lines=lines)
    return Group(table, Text("To be looked at:", style="bold"), rest)


def _by_subsystem(found: Sequence[Site]) -> list[tuple[str, list[Site]]]:
    """Subsystems with their sites, worst first."""
    grouped: dict[str, list[Site]] = {}
    for each in found:
        grouped.setdefault(each.subsystem, []).append(each)
    return sorted(
        grouped.items(),
        key=lambda each: (min(_ORDER.index(site.verdict) for site in each[1]), each[0]),
    )


def _line(file: str, line: int, *words: str) -> RenderableType:
    """One thing found as compilers tell it, which editors and grep take apart."""
    text = printable(f"{file}:{line}: " + ": ".join(each for each in words if each))
    return Text(text, no_wrap=True, overflow="ignore")


def _call(site: Site) -> str:
    return " ".join((f"{site.call}()", *site.flags))


def sites(
    audit: Audit, shown: Sequence[Site], *, limit: int, lines: bool = False
) -> RenderableType:
    """A table of sites, worst first, or a line for each; and one for the whole tree."""
    parts: list[RenderableType] = []
    ordered = sorted(shown, key=lambda each: (_ORDER.index(each.verdict), each.file, each.line))
    chosen = ordered[:limit] if limit else ordered
    if chosen and lines:
        parts += [
            _line(each.file, each.line, each.verdict.value, each.function, _call(each), why(each))
            for each in chosen
        ]
    elif chosen:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for name in ("verdict", "site", "call", "flags", "why"):
            table.add_column(name, overflow="fold")
        for each in chosen:
            table.add_row(
                Text(each.verdict.value, style=STYLES[each.verdict]),
                printable(f"{each.file}:{each.line} {each.function}"),
                each.call,
                " ".join(each.flags),
                why(each),
            )
        parts.append(table)
    else:
        parts.append(Text("No site is of that kind."))
    if len(chosen) < len(ordered):
        parts.append(Text(f"{len(ordered) - len(chosen)} more; --limit 0 shows all."))
    parts += _summary(audit)
    return Group(*parts)


def why(site: Site) -> str:
    """The reason of a verdict, with the place of what is wrong, and how many rules are broken."""
    text = site.why
    bad = next((each for each in site.paths if each.verdict is Verdict.wrong), None)
    if bad is not None:
        text += f" in {bad.function}(), {bad.file}:{bad.line}"
    if site.hazards:
        text += "; " + ", ".join(dict.fromkeys(each.rule.value for each in site.hazards))
    return printable(text)


def detail(site: Site) -> RenderableType:
    """Everything about one site."""
    head = Text(site.verdict.value, style=STYLES[site.verdict])
    head.append(printable(f"  {site.file}:{site.line} {site.function}()"), style="bold")
    lines: list[RenderableType] = [
        head,
        Text(
            printable(
                f"  {site.call}() into {site.pages}"
                f"{', flags ' + ' '.join(site.flags) if site.flags else ''}: {site.why}"
            )
        ),
    ]
    for each in site.paths:
        lines += _path(each)
    for hazard in site.hazards:
        lines.append(
            Text(printable(f"  ! {hazard.file}:{hazard.line} {hazard.text}"), style="yellow")
        )
        lines.append(Text(f"    {hazard.rule.value}: {RULES[hazard.rule]}"))
    if site.verdict is Verdict.wrong:
        lines.append(Text(f"  Right would be: {_right(site)}"))
    return Group(*lines)


def _path(path: Path) -> list[RenderableType]:
    line = Text("  ")
    line.append(f"{path.verdict.value:<12}", style=STYLES[path.verdict])
    line.append(printable(f"{path.file}:{path.line} {path.release}() in {path.function}()"))
    parts: list[RenderableType] = [line]
    if path.when:
        parts.append(Text(printable(f"              when {path.when}")))
    if len(path.by_way_of) > 1:
        parts.append(Text(printable(f"              by way of {' > '.join(path.by_way_of)}")))
    if path.dirty is not None:
        how = f"{path.dirty.how.value}, {path.dirty.moment.value}"
        parts.append(Text(printable(f"              dirtied by {path.dirty.call}() ({how})")))
    return parts


def _right(site: Site) -> str:
    if any(each.rule.value == "longterm-without-pin" for each in site.hazards):
        return "pin_user_pages() with unpin_user_pages(), or no FOLL_LONGTERM"
    if site.family.value == "get":
        return "put_page() for what get_user_pages() took, or pin_user_pages() for all of it"
    return (
        "unpin_user_page(), or unpin_user_pages_dirty_lock() if the page was written "
        "(which may sleep)"
    )


def _summary(audit: Audit) -> list[RenderableType]:
    counted = Counter(each.verdict for each in audit.sites)
    line = ", ".join(f"{counted[each]} {each.value}" for each in Verdict if counted[each])
    parts: list[RenderableType] = [
        Text(f"{_name(audit)}: {units.counted(len(audit.sites), 'site')}: {line}.", style="bold")
    ]
    for each in audit.orphans:
        parts.append(
            Text(
                printable(
                    f"Orphan release: {each.file}:{each.line} {each.function}() dirties a page and "
                    f"lets go of it by {each.release}(), and no site here was seen to lead to it."
                )
            )
        )
    parts += [Text(f"Note: {printable(each)}.", style="yellow") for each in audit.notes]
    return parts + _left_out(audit.left_out, audit.files)


def _left_out(counted: Mapping[str, int], files: int) -> list[RenderableType]:
    if not counted:
        return []
    left = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counted.items()))
    return [Text(f"Left out of {files:,} files of C: {left}.", style="dim")]


EFFECT_STYLES = {
    Effect.blind: "bold red",
    Effect.never_zero: "red",
    Effect.drift: "yellow",
    Effect.shared: "yellow",
    Effect.number: "yellow",
    Effect.unknown: "yellow",
    Effect.vain: "dim",
    Effect.immune: "dim",
}


def readers(
    found: Mapcounts, shown: Sequence[Reader], *, limit: int, lines: bool = False
) -> RenderableType:
    """A table of readers, worst first, or a line for each; and Williams' question answered."""
    chosen = shown[:limit] if limit else shown
    parts: list[RenderableType] = []
    if chosen and lines:
        parts += [
            _line(each.file, each.line, each.effect.value, each.function, each.expression)
            for each in chosen
        ]
    elif chosen:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for name in ("a pin is to it", "reader", "decides", "expression"):
            table.add_column(name, overflow="fold")
        for each in chosen:
            effect = each.effect.value + (", as it should" if each.wanted else "")
            table.add_row(
                Text(effect, style="" if each.wanted else EFFECT_STYLES[each.effect]),
                printable(f"{each.file}:{each.line} {each.function}"),
                each.decides.value,
                printable(each.expression + (f"  ({each.why})" if each.why else "")),
            )
        parts.append(table)
    else:
        parts.append(Text("No reader is of that kind."))
    if len(chosen) < len(shown):
        parts.append(Text(f"{len(shown) - len(chosen)} more; --limit 0 shows all."))
    parts.append(Text(answer(found), style="bold"))
    parts.append(
        Text(
            "Large folios count their mappings elsewhere since 6.15 (CONFIG_NO_PAGE_MAPCOUNT): "
            "for them the scheme has no field.",
            style="dim",
        )
        if any(each.accessor == "_mm_id_mapcount" for each in found.readers)
        else Text(f"Scheme: {found.scheme}.", style="dim")
    )
    parts += _left_out(found.left_out, found.files)
    return Group(*parts)


def answer(found: Mapcounts) -> str:
    """How many readers would be wrong, the worst first."""
    counted = Counter(each.effect for each in found.wrong)
    how = ", ".join(f"{counted[each]} {each.value}" for each in Effect if counted[each])
    unknown = sum(each.effect is Effect.unknown for each in found.readers)
    name = f"Linux {found.release}" if found.release else printable(found.tree)
    line = (
        f"{name}, a pin as a mapping ({found.scheme}): "
        f"{len(found.wrong)} of {units.counted(len(found.readers), 'reader')} would be wrong"
    )
    line += f": {how}" if how else ""
    return line + (f"; {unknown} not known." if unknown else ".")


KIND_STYLES = {
    Kind.not_right: "bold red",
    Kind.worse: "bold red",
    Kind.new_wrong: "bold red",
    Kind.new_hazard: "yellow",
}


def changes(
    found: Changes, shown: Sequence[Change], *, limit: int, lines: bool = False
) -> RenderableType:
    """What changed between two trees, worst first: a table, or a line for each."""
    chosen = shown[:limit] if limit else shown
    parts: list[RenderableType] = []
    if chosen and lines:
        parts += [
            _line(
                each.site.file,
                each.site.line,
                each.kind.value,
                each.site.function,
                " -> ".join(filter(None, (_was(each.before), _was(each.after)))),
                "" if each.after is None else why(each.after),
            )
            for each in chosen
        ]
    elif found.changes and not chosen:
        parts.append(Text("No change is of that kind."))
    elif chosen:
        table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
        for name in ("change", "site", "before", "after", "why"):
            table.add_column(name, overflow="fold")
        for each in chosen:
            site = each.site
            table.add_row(
                Text(each.kind.value, style=KIND_STYLES.get(each.kind, "")),
                printable(f"{site.file}:{site.line} {site.function}"),
                _was(each.before),
                _was(each.after),
                why(each.after) if each.after is not None else "",
            )
        parts.append(table)
    if len(chosen) < len(shown):
        parts.append(Text(f"{len(shown) - len(chosen)} more; --limit 0 shows all."))
    counted = Counter(each.kind for each in found.changes)
    line = ", ".join(f"{counted[each]} {each.value}" for each in Kind if counted[each])
    names = f"{_name(found.old)} -> {_name(found.new)}"
    parts.append(Text(f"{names}: {line or 'no site changed'}.", style="bold"))
    return Group(*parts)


def _was(site: Site | None) -> str:
    return "" if site is None else f"{site.call}: {site.verdict.value}"


def _name(audit: Audit) -> str:
    return f"Linux {audit.release}" if audit.release else printable(audit.tree)

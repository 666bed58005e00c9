"""What a reader decides, and what a pin counted as a mapping would do to it.

What it decides comes from the expression and what surrounds it, whatever the scheme; the effect is
a table over that and the scheme.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pinlab.audit.mapcount.known import ANON_VMA, ANONYMOUS, FREED, HELPERS, SPECIAL, WANTED
from pinlab.audit.mapcount.names import Tells
from pinlab.audit.mapcount.readers import Raw
from pinlab.audit.mapcount.scheme import Counters, Pages, Scheme


class Decides(StrEnum):
    """What the number is for."""

    balance = "whether all references are explained"
    unmapped = "whether unmapping has worked"
    assertion = "asserted: not mapped"
    asserted_other = "asserted: something else"
    freed = "asserted of a page without references"
    exclusive = "whether one process has it alone"
    transition = "first or last mapping"
    walk = "whether to walk the page tables"
    skip = "whether to leave a mapped page alone"
    mapped = "whether it is mapped"
    number = "a number for people"
    below_zero = "whether it is below zero"
    unclear = "not seen"


class Effect(StrEnum):
    """What a pin would do to a reader, worst first."""

    blind = "blind to pins"
    """Both counters move and cancel out: what was refused for a pin is done."""
    never_zero = "never reaches zero"
    """Unmapping fails, is tried again, or a BUG_ON fires."""
    drift = "drift"
    """Statistics of mapped pages are changed where no mapping was."""
    shared = "looks shared"
    """An optimisation is lost."""
    number = "wrong number"
    """Shown or summed."""
    unknown = "unknown"
    vain = "walks in vain"
    """Page tables are walked, or caches flushed, and nothing is found."""
    immune = "immune"
    """No pin comes here, or it makes no difference."""


WRONG: Final = (Effect.blind, Effect.never_zero, Effect.drift, Effect.shared, Effect.number)
"""The effects that count in the answer to Williams' question."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader, judged."""

    file: str
    function: str
    line: int
    accessor: str
    expression: str
    decides: Decides
    effect: Effect
    why: str
    """How the effect is known, or why it is harmless; "" where the table says it all."""
    wanted: bool
    """It is right that a pinned page looks mapped here."""

    @property
    def is_wrong(self) -> bool:
        """Whether it would be wrong under the scheme."""
        return self.effect in WRONG and not self.wanted


_REFS: Final = re.compile(
    r"page_count|ref_?count|page_ref_count|expected|extra_pins|\bpins?\b|total_pins|refs\b"
)
_ASSERT: Final = re.compile(r"BUG_ON|WARN|VM_|ASSERT|bad_page")
_PRINT: Final = re.compile(
    r"print|pr_\w+|dump|seq_|put_user|trace_|snprintf|__entry|dev_\w+|bad_page"
)
_ONE: Final = re.compile(r"(?:[=!]=|[<>]=?) ?1\b|< ?2\b|>= ?2\b|<= 1\b")
_UNMAP: Final = re.compile(r"try_to_unmap|try_to_migrate|unmap_mapping|unmap_page|unmap_folio|zap_")
_WALK: Final = re.compile(
    r"rmap_walk|mkclean|page_referenced|unmap|vmdelete|try_to_migrate|flush|clear_refs|page_vma_mapped"
)
_FLUSH: Final = re.compile(r"^arch/|flush|copy_user_highpage|copy_(?:to|from)_user_page")
_STATISTIC: Final = re.compile(
    r"^fs/proc/|^mm/(?:debug|page_owner)|smaps|kpage|numa_maps|trace/events"
)
_RMAP: Final = re.compile(
    r"_(?:add|remove|dup)_\w*rmap|add_\w*_mapcount|sub_\w*_mapcount|large_mapcount"
)


def decides(raw: Raw) -> Decides:
    """What a reader is for."""
    texts = (raw.expression, *raw.uses)
    if raw.function in FREED:
        return Decides.freed
    if raw.transition or (_RMAP.search(raw.function) and raw.role != "argument"):
        return Decides.transition
    if raw.function in HELPERS:
        return Decides.unmapped
    if re.search(r"< 0\b", raw.expression) and "&&" not in raw.expression:
        return Decides.below_zero
    if raw.role == "argument" and _ASSERT.search(raw.of):
        return _asserted(raw)
    if raw.role == "argument" and _PRINT.search(raw.of):
        return Decides.number
    if any(_ASSERT.search(each.partition("(")[0]) for each in raw.uses):
        return _asserted(raw)
    if raw.tells is Tells.references or _compares_references(texts) or _sums(raw):
        return Decides.balance
    if raw.tells is Tells.shared or any(_ONE.search(each) for each in texts):
        return Decides.exclusive if not _is_statistic(raw) else Decides.number
    if _is_statistic(raw):
        return Decides.number
    if raw.role == "assigned" and _FLUSH.search(f"{raw.file} {raw.function}"):
        return Decides.walk
    if raw.role == "return" and "unmap" in raw.function:
        return Decides.unmapped
    if raw.tells is Tells.count and raw.role in ("assigned", "statement"):
        return _assigned(raw)
    return _mapped(raw)


def _is_statistic(raw: Raw) -> bool:
    return _STATISTIC.search(raw.file) is not None


def _compares_references(texts: tuple[str, ...]) -> bool:
    return any(
        _REFS.search(each) and re.search(r"[<>=!]=|[<>]| - ", each.replace("->", "."))
        for each in texts
    )


def _sums(raw: Raw) -> bool:
    """Whether it goes into a number of references to expect."""
    return raw.role in ("assigned", "return") and "expected" in raw.function


def _asserted(raw: Raw) -> Decides:
    text = raw.expression
    if _compares_references((text,)):
        return Decides.asserted_other
    plain = not re.search(r"[<>=!]=|[<>]", text.replace("->", "."))
    if plain and not raw.negated:
        return Decides.assertion
    zero = re.search(r"(?:!= ?(?:0|-1)\b|> ?0\b|>= ?0\b)", text)
    return Decides.assertion if zero and "&&" not in text else Decides.asserted_other


def _assigned(raw: Raw) -> Decides:
    if re.search(r"\bmapcount$|\.mapcount", raw.of):
        return Decides.walk
    if any(each.startswith(("if", "while")) for each in raw.uses):
        return Decides.mapped
    return Decides.number if raw.uses else Decides.unclear


def _mapped(raw: Raw) -> Decides:
    """A boolean: after unmapping, before a walk, or to leave a page alone."""
    if _FLUSH.search(f"{raw.file} {raw.function}") and not _UNMAP.search(" ".join(raw.before)):
        return Decides.walk
    if any(_UNMAP.search(each) for each in raw.before):
        return Decides.unmapped
    if raw.role == "if" and not raw.negated and not raw.jumps and _walks(raw):
        return Decides.walk
    if raw.role == "if" and raw.negated and raw.jumps:
        return Decides.walk
    if raw.role == "if" and raw.jumps:
        return Decides.skip
    if raw.role == "if" and raw.negated:
        return Decides.skip
    return Decides.mapped


def _walks(raw: Raw) -> bool:
    return any(_WALK.search(each) for each in raw.after[:8])


_EFFECTS: Final[dict[Decides, tuple[Effect, Effect]]] = {
    # with both counters, with _mapcount only
    Decides.balance: (Effect.blind, Effect.number),
    Decides.unmapped: (Effect.never_zero, Effect.never_zero),
    Decides.assertion: (Effect.never_zero, Effect.never_zero),
    Decides.asserted_other: (Effect.unknown, Effect.unknown),
    Decides.freed: (Effect.immune, Effect.never_zero),
    Decides.exclusive: (Effect.shared, Effect.shared),
    Decides.transition: (Effect.drift, Effect.drift),
    Decides.walk: (Effect.vain, Effect.vain),
    Decides.skip: (Effect.never_zero, Effect.never_zero),
    Decides.mapped: (Effect.unknown, Effect.unknown),
    Decides.number: (Effect.number, Effect.number),
    Decides.below_zero: (Effect.immune, Effect.immune),
    Decides.unclear: (Effect.unknown, Effect.unknown),
}


def judged(raw: Raw, scheme: Scheme) -> Reader:
    """A reader under a scheme."""
    purpose = decides(raw)
    effect = _EFFECTS[purpose][scheme.counters is Counters.mapcount]
    why = ""
    if purpose is Decides.freed and effect is Effect.immune:
        why = "a pin is a reference as well, so the page is not freed"
    if purpose is Decides.below_zero:
        why = "a pin only makes it larger"
    if (special := SPECIAL.get((raw.function, purpose.name))) is not None:
        effect, why = Effect[special[0]], special[1]
    if scheme.pages is Pages.all and "anon_vma" in raw.function and raw.tells is Tells.mapped:
        effect, why = Effect.never_zero, ANON_VMA
    anonymous = _anonymous(raw)
    if anonymous and scheme.pages is Pages.file and effect is not Effect.immune:
        effect, why = Effect.immune, f"only anonymous pages: {anonymous}"
    wanted = effect in (Effect.never_zero, Effect.unknown) and raw.function in WANTED
    if wanted:
        effect, why = Effect.never_zero, WANTED[raw.function]
    return Reader(
        raw.file,
        raw.function,
        raw.line,
        raw.accessor,
        raw.expression,
        purpose,
        effect,
        why,
        wanted,
    )


_ANON: Final = re.compile(
    r"(?<![!\w])(?:Page(?:Anon|Ksm)|folio_test_(?:anon|ksm|swapcache)|PageSwapCache)\("
)
_NOT_ANON: Final = re.compile(r"!\s*(?:PageAnon|folio_test_anon|PageKsm|folio_test_ksm)\(")
_NO_MAPPING: Final = re.compile(r"!\s*(?:page_mapping\(|folio_mapping\(|mapping\b)")


def _anonymous(raw: Raw) -> str:
    """How it is known that only anonymous pages come here; "" if it is not."""
    if raw.function in ANONYMOUS:
        return ANONYMOUS[raw.function]
    for part in _conjuncts(raw.expression):
        if found := _ANON.search(part) or _NO_MAPPING.search(part):
            return f"the condition says {_call(part, found)}"
    for each in raw.around:
        for part in _conjuncts(each.text) if each.taken else ():
            if found := _ANON.search(part):
                return f"it stands under {_call(part, found)}"
        if not each.taken and "&&" not in each.text and (found := _NOT_ANON.search(each.text)):
            return f"it stands behind {_call(each.text, found)}"
    return ""


def _conjuncts(text: str) -> list[str]:
    """The parts that must all hold; none of them has an `||` of its own."""
    text = text.strip()
    while text.startswith("(") and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and text.startswith("||", at):
            return []
        if depth == 0 and text.startswith("&&", at):
            parts.append(text[start:at])
            start = at + 2
    parts.append(text[start:])
    return [each for each in parts if "||" not in each]


def _closes(text: str) -> int:
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return at
    return -1


def _call(text: str, found: re.Match[str]) -> str:
    end = text.find(")", found.end())
    return text[found.start() : end + 1 if end >= 0 else found.end()]

"""`pinlab audit --sarif`: SARIF 2.1.0 (OASIS, 2020), which tools of code review read.

An error for what is wrong, a warning for a rule that is broken or a reader that would be wrong, a
note for what is not known. Files are named from the top of the tree (the base SRCROOT).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Final
from urllib.parse import quote

from pinlab.audit.compare import Change
from pinlab.audit.mapcount.effects import Effect, Reader
from pinlab.audit.results import RULES, Site, Verdict

Json = dict[str, object]

_SITE_RULES: Final = {
    "wrong-family": "Pages are let go by the rules of another family than they were taken by.",
    "unknown-release": "Nobody was seen to let go of pages that are kept.",
}
_READER: Final = "mapcount-"


def sites(shown: Sequence[Site]) -> Json:
    """A log of sites: those that are wrong or unknown, and every hazard."""
    return _log([result for each in shown for result in _site(each)])


def changes(shown: Sequence[Change]) -> Json:
    """A log of what changed between two trees; `baselineState` tells new from known."""
    results = []
    for change in shown:
        if change.after is None:
            continue
        fresh = {(each.rule, each.text) for each in change.hazards}
        for result, key in _keyed(change.after):
            is_new = change.is_worse if key is None else key in fresh
            results.append({**result, "baselineState": "new" if is_new else "unchanged"})
    return _log(results)


def readers(shown: Sequence[Reader]) -> Json:
    """A log of the readers of a mapcount that would be wrong."""
    return _log(
        [
            _result(
                _READER + each.effect.name.replace("_", "-"),
                "warning",
                f"{each.function}(): {each.expression}: {each.effect.value}"
                f"{' (' + each.why + ')' if each.why else ''}",
                each.file,
                each.line,
                each.function,
            )
            for each in shown
            if each.is_wrong
        ]
    )


def _site(site: Site) -> Iterator[Json]:
    for result, _ in _keyed(site):
        yield result


def _keyed(site: Site) -> Iterator[tuple[Json, tuple[object, str] | None]]:
    """Results, each with the hazard that it stands for."""
    related = [
        {
            "message": {"text": f"{each.verdict.value}: {each.release}()"},
            **_place(each.file, each.line),
        }
        for each in site.paths
    ]
    text = f"{site.function}(): {site.call}(): {site.why}"
    if site.verdict is Verdict.wrong:
        bad = [each for each in site.paths if each.verdict is Verdict.wrong]
        where = f"; {bad[0].release}() in {bad[0].function}()" if bad else ""
        result = _result("wrong-family", "error", text + where, site.file, site.line, site.function)
        yield {**result, **({"relatedLocations": related} if related else {})}, None
    elif site.verdict is Verdict.unknown:
        result = _result("unknown-release", "note", text, site.file, site.line, site.function)
        yield {**result, **({"relatedLocations": related} if related else {})}, None
    for hazard in site.hazards:
        yield (
            _result(
                hazard.rule.value, "warning", hazard.text, hazard.file, hazard.line, site.function
            ),
            (hazard.rule, hazard.text),
        )


def _place(file: str, line: int) -> Json:
    return {
        "physicalLocation": {
            "artifactLocation": {
                "uri": quote(file, errors="surrogateescape"),
                "uriBaseId": "SRCROOT",
            },
            "region": {"startLine": line},
        }
    }


def _result(rule: str, level: str, text: str, file: str, line: int, function: str) -> Json:
    place = {**_place(file, line), "logicalLocations": [{"name": function, "kind": "function"}]}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [place],
    }


def _rules(used: Iterable[str]) -> list[Json]:
    known = dict(_SITE_RULES)
    known |= {rule.value: text for rule, text in RULES.items()}
    known |= {
        _READER + each.name.replace("_", "-"): f"A pin counted as a mapping: {each.value}."
        for each in Effect
    }
    return [{"id": each, "shortDescription": {"text": known[each]}} for each in sorted(set(used))]


def _log(results: Sequence[Json]) -> Json:
    driver = {
        "name": "pinlab",
        "version": version("pinlab"),
        "rules": _rules(str(each["ruleId"]) for each in results),
    }
    return {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{"tool": {"driver": driver}, "results": list(results)}],
    }

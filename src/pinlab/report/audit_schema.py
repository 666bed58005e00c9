"""`pinlab audit --json`: pinlab.audit/1."""

from __future__ import annotations

from collections.abc import Sequence

from pinlab.audit.compare import Change, Changes
from pinlab.audit.mapcount.audit import Mapcounts
from pinlab.audit.mapcount.effects import Reader
from pinlab.audit.results import Audit, Dirtied, Hazard, Path, Site


def audit(found: Audit, shown: Sequence[Site]) -> dict[str, object]:
    """An audit, with the sites that were asked for."""
    return {
        "schema": "pinlab.audit/1",
        "tree": found.tree,
        "release": found.release,
        "era": found.era.value,
        "files": found.files,
        "parsed": found.parsed,
        "left_out": dict(found.left_out),
        "sites": [site(each) for each in shown],
        "orphans": [
            {
                "file": each.file,
                "function": each.function,
                "line": each.line,
                "release": each.release,
            }
            for each in found.orphans
        ],
        "notes": list(found.notes),
    }


def changes(found: Changes, shown: Sequence[Change]) -> dict[str, object]:
    """What changed between two trees."""
    return {
        "schema": "pinlab.audit/1",
        "old": {"tree": found.old.tree, "release": found.old.release},
        "new": {"tree": found.new.tree, "release": found.new.release},
        "changes": [
            {
                "kind": each.kind.value,
                "before": None if each.before is None else site(each.before),
                "after": None if each.after is None else site(each.after),
                "hazards": [_hazard(hazard) for hazard in each.hazards],
            }
            for each in shown
        ],
    }


def mapcounts(found: Mapcounts, shown: Sequence[Reader]) -> dict[str, object]:
    """Readers of a mapcount, those that were asked for."""
    return {
        "schema": "pinlab.audit/1",
        "tree": found.tree,
        "release": found.release,
        "scheme": {
            "pages": found.scheme.pages.value,
            "counters": found.scheme.counters.value,
        },
        "files": found.files,
        "left_out": dict(found.left_out),
        "wrong": len(found.wrong),
        "readers": [_reader(each) for each in shown],
    }


def _reader(each: Reader) -> dict[str, object]:
    return {
        "file": each.file,
        "function": each.function,
        "line": each.line,
        "accessor": each.accessor,
        "expression": each.expression,
        "decides": each.decides.value,
        "effect": each.effect.value,
        "why": each.why,
        "wanted": each.wanted,
    }


def site(each: Site) -> dict[str, object]:
    """A site."""
    return {
        "file": each.file,
        "function": each.function,
        "line": each.line,
        "call": each.call,
        "family": each.family.value,
        "flags": list(each.flags),
        "verdict": each.verdict.value,
        "why": each.why,
        "paths": [_path(path) for path in each.paths],
        "dirty": each.dirty.value,
        "hazards": [_hazard(hazard) for hazard in each.hazards],
    }


def _path(path: Path) -> dict[str, object]:
    return {
        "file": path.file,
        "function": path.function,
        "line": path.line,
        "release": path.release,
        "family": path.family.value,
        "verdict": path.verdict.value,
        "when": path.when,
        "by_way_of": list(path.by_way_of),
        "dirty": None if path.dirty is None else _dirtied(path.dirty),
    }


def _dirtied(dirty: Dirtied) -> dict[str, object]:
    return {
        "line": dirty.line,
        "call": dirty.call,
        "how": dirty.how.value,
        "moment": dirty.moment.value,
    }


def _hazard(hazard: Hazard) -> dict[str, object]:
    return {
        "rule": hazard.rule.value,
        "file": hazard.file,
        "line": hazard.line,
        "text": hazard.text,
    }

"""What a patch changes, before its verdicts: each that differs, from what to what."""

from __future__ import annotations

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlab.lab.results import Change, Difference, NewFailure, Swept
from pinlab.objectives import order
from pinlab.objectives.verdict import Outcome, Verdict
from pinlab.report import sweep
from pinlab.report.table import COLOURS

NO_PROOF = (
    "No proof that the patch changes nothing: what no scenario plays or no objective asks is not "
    "seen, nor a new way to violate what is violated anyway."
)


def difference(found: Difference, patch: str, swept: Swept | None = None) -> RenderableType:
    """What broke first, in scenarios and in pairs of operations. `patch` is how it was named."""
    compared = (
        f"{counted(found.verdicts, 'verdict')} in {counted(found.scenarios, 'scenario')} compared, "
        f"{counted(found.states, 'state')}."
    )
    count = len(found.changes)
    parts: list[RenderableType] = []
    if count:
        differ = "verdict differs" if count == 1 else "verdicts differ"
        broken = sum(change.broke for change in found.changes)
        words = f"{count:,} {differ} from {found.base}, {broken:,} for the worse. {compared}"
        parts += [Text(words, style="bold"), _table(found)]
        if worst := next((change for change in found.changes if change.broke), None):
            how = f"pinlab explain {patch} {worst.objective} --scenario {worst.scenario}"
            parts.append(Text(f"`{how}` shows how."))
    else:
        proof = "" if found.failures else f" {NO_PROOF}"
        parts += [Text(f"No verdict differs from {found.base}. {compared}{proof}")]
    for new in found.failures:
        parts.append(Text(_failure(new, patch), style="bold yellow"))
    for name, event in found.unsaid:
        words = f"{name} no longer says {event}, so what judges by that event may hold for nothing."
        parts.append(Text(words, style="bold yellow"))
    if found.stopped:
        words = f"Stopped early: {found.stopped}. What was not begun is not compared."
        parts.append(Text(words, style="bold yellow"))
    if swept is not None:
        words = f"\nEvery pair of operations that comes to what {patch} replaces:"
        parts += [Text(words, style="bold"), sweep.sweep([swept], [patch], found.base)]
    return Group(*parts, Text(f"\nAll verdicts of {patch}:", style="bold"))


def counted(number: int, what: str) -> str:
    """As "2 states": more than one has an s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _failure(new: NewFailure, patch: str) -> str:
    it = new.failed
    whose = f"that {it.objective} is violated by in {it.scenario}"
    if not new.known:
        return f"Nobody knows whether this is new, {whose}: {it.failure}, in {it.steps} steps."
    how = f"pinlab explain {patch} {it.objective} --scenario {it.scenario}"
    return (
        f"A new failure {whose}, as it was anyway: {it.failure}, in {it.steps} steps. `{how}` "
        "shows the ways to violate it."
    )


def _table(found: Difference) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("objective", no_wrap=True)
    for name in ("scenario", found.base, "now"):
        table.add_column(name)
    for change in sorted(found.changes, key=_worst_first):
        cells = (_words(change.before), _words(change.after))
        table.add_row(change.objective, change.scenario, *cells)
    return table


def _worst_first(change: Change) -> tuple[bool, bool, tuple[int, int, str], str]:
    return not change.broke, not change.opened, order(change.objective), change.scenario


def _words(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("not asked")
    holds = verdict.outcome is Outcome.HOLDS
    return Text("holds" if holds else str(verdict), style=COLOURS[verdict.outcome])

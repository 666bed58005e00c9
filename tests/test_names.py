"""Names that others chose never reach a terminal, a page or a file as they are."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Group, RenderableType

from pinlab.cli._app import run
from pinlab.cli._show import Screen, show_json
from pinlab.field.census import snapshot
from pinlab.field.census.diff import diff
from pinlab.field.census.place import Placed
from pinlab.field.events.monitor import Monitor
from pinlab.field.events.schema import Meta, Row
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.attribution import Attribution, Skipped, Walked, join
from pinlab.field.holders.claim import Claim, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.target import Answer, Sort, Target
from pinlab.names import decoded, harmless, printable
from pinlab.objectives.verdict import Verdict
from pinlab.report import census_table, events, who_schema, who_table
from pinlab.report.held import Sheet, sheets
from pinlab.report.held import page as held
from pinlab.report.timeline import build, chrome, page
from pinlab.report.timeline.model import Violation
from tests.field import samples
from tests.report import recordings

BYTES = st.binary(min_size=1, max_size=15)
NAMES = st.one_of(
    BYTES.map(decoded),
    st.text(max_size=12),
    st.sampled_from(["\x1b[31mred", "\x1b]0;pwn\a", "a\nb (1) fd 3", "\u202eevil", "\x9b2J", "\r"]),
)
TRIED = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def shown(what: RenderableType) -> str:
    """What a terminal of 200 columns would get, without colours."""
    screen = Screen()
    screen.file, screen.width = io.StringIO(), 200
    screen.print(what)
    return screen.file.getvalue()


def placed(name: str) -> Placed:
    """A census in which every name is this one."""
    whole = samples.placed()
    return replace(
        whole,
        files=tuple(it and replace(it, path=name, file_system=name) for it in whole.files),
        mappers=tuple(it and replace(it, command=name) for it in whole.mappers),
    )


def attribution(name: str) -> Attribution:
    claim = Claim(
        "bio",
        f"READ on {name}",
        (Owner(7, name, 3),),
        Extents([(3, 1, 2)]),
        accounted_in=(Accounted.VM_PIN,),
    )
    return join(placed(name).census, Walked((claim,), (Skipped("fuse", name),), 0))


def answer(name: str) -> Answer:
    whole = attribution(name)
    rows = np.arange(len(whole.census.folios))
    return Answer(Target(Sort.everything), whole, whole.shares, rows, placed(name))


def recorded(name: str) -> tuple[list[Row], Meta]:
    """A recording in which every name and word is this one."""
    rows, _ = recordings.o1(1)
    meta = replace(
        recordings.META,
        kernel=name,
        note=name,
        failed=(name,),
        attached=(name,),
        stacks=((name,),),
        flag_bits={name: 2, **recordings.META.flag_bits},
    )
    named = [
        replace(row, seq=number, comm=name, flags=row.flags | 4) for number, row in enumerate(rows)
    ]
    return named, meta


def judged(name: str) -> RenderableType:
    name = name or "-"  # what is not told has no line
    rows, meta = recorded(name.encode("utf-8", "backslashreplace").decode())  # as Parquet has text
    monitor = Monitor(("O1", "O2"))
    first, *_ = monitor.see(rows, meta.stacks)
    first.doubt = name
    held = [share.claim for share in attribution(name).shares]
    return Group(
        events.violation_to_text(first, meta, name, held),
        events.verdicts_to_text(monitor, meta),
    )


def drawn(name: str) -> str:
    rows, meta = recorded(name)
    violations = [Violation(5, "O1", name)]
    verdicts = {"O1": Verdict.inconclusive(f"lost: {name}")}
    return page.html(build.timeline(rows, meta, violations, title=name, verdicts=verdicts))


SHEETS: dict[str, Callable[[str], Sheet]] = {
    "census": lambda name: sheets.census(placed(name), placed(name).census),
    "diff": lambda name: sheets.diff(diff(placed(name), samples.placed(more=True))),
    "who": lambda name: sheets.who(answer(name)),
}


@pytest.mark.parametrize("what", SHEETS)
@TRIED
@given(name=NAMES | st.just("</table><img src=x>"))
def test_a_name_is_text_on_a_page_of_the_field(what: str, name: str) -> None:
    text = held.html(SHEETS[what](name))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "<img" not in text and text.count("</table>") == 1


RENDERED: dict[str, Callable[[str], RenderableType]] = {
    "judge": judged,
    "census": lambda name: census_table.census(placed(name), placed(name).census),
    "diff": lambda name: census_table.diff(diff(placed(name), samples.placed(more=True))),
    "who": lambda name: who_table.who(answer(name)),
}


@pytest.mark.parametrize(
    "what", [pytest.param(it, marks=[pytest.mark.slow] * (it != "who")) for it in RENDERED]
)
@TRIED
@given(name=NAMES)
def test_a_name_is_shown_by_letters_on_its_line(what: str, name: str) -> None:
    text = shown(RENDERED[what](name))
    assert all(line.isprintable() for line in text.split("\n"))
    fold = len(printable(name)) > 8  # a long one may take more lines
    assert fold or len(text.split("\n")) == len(shown(RENDERED[what]("x" * 8)).split("\n"))


@TRIED
@given(name=NAMES)
def test_json_has_the_name_and_is_printable(capsys: pytest.CaptureFixture[str], name: str) -> None:
    show_json({"name": name, "who": who_schema.who(answer(name))})
    text = capsys.readouterr().out
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text)["name"] == name


@TRIED
@given(name=NAMES)
def test_a_page_has_the_name_by_letters_and_as_text(name: str) -> None:
    text, plain = drawn(name), drawn("x")
    assert {c for c in text if not c.isprintable()} == {c for c in plain if not c.isprintable()}
    assert text.count("<script") == plain.count("<script")
    text.encode()


@TRIED
@given(name=NAMES)
def test_a_trace_for_other_viewers_is_json_of_letters(name: str) -> None:
    rows, meta = recorded(name)
    text = chrome.text(build.timeline(rows, meta, title=name))
    json.loads(text.encode())
    assert all(line.isprintable() for line in text.split("\n"))


@TRIED
@given(name=NAMES)
def test_a_census_with_any_name_can_be_saved(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    path = tmp_path_factory.mktemp("saved") / "c.parquet"
    snapshot.save(placed(name), path)
    again = snapshot.load(path)
    assert [it and it.path for it in again.files] == [
        it and printable(name) for it in placed(name).files
    ]


@settings(TRIED, max_examples=30)
@given(name=NAMES.filter(lambda name: "\0" not in name and "/" not in name))
def test_a_refusal_is_one_printable_line(capsys: pytest.CaptureFixture[str], name: str) -> None:
    for words in (
        ["census", "--open", f"/no/{name}"],
        ["judge", f"/no/{name}"],
        ["check", f"./{name}"],
    ):
        assert run(words) in (2, 3)
        said = capsys.readouterr()
        assert said.err.endswith("\n") and said.err[:-1].isprintable()


def test_the_letters_of_a_name_stay() -> None:
    assert printable("Ä µ 漢 dd") == "Ä µ 漢 dd"
    assert printable(decoded(b"\xff\xfe-bad\n")) == r"\xff\xfe-bad\n"
    assert harmless("one\ntwo\x1b[m") == "one\ntwo\\x1b[m"

"""The page of a timeline: that it is whole in one file, and what it does in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.report import browser, recordings
from tests.report.recordings import META, row

from pinlab.field.events.schema import Row
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Verdict
from pinlab.report.timeline import build, page
from pinlab.report.timeline.model import Timeline, Violation

HOSTILE = "</script><script>document.title='owned'</script>"
MANY = 100_000


def hazard(pages: int = 4) -> Timeline:
    rows, bad = recordings.o1(pages)
    violations = [Violation(number, "O1", "", evidence(rows, number)) for number in bad]
    return build.timeline(rows, META, violations, title="o1")


def evidence(rows: list[Row], number: int) -> tuple[int, ...]:
    """All that happened to the folio until then."""
    return tuple(n for n in range(number + 1) if rows[n].pfn == rows[number].pfn)


def many() -> Timeline:
    kinds = (Event.PIN, Event.DIRTY, Event.WRITEBACK_START, Event.UNPIN, Event.WRITEBACK_END)
    rows = [
        row(kinds[n // 400 % 5], n * 900, n % 400, ino=7, index=n % 400, io_id=n % 37)
        for n in range(MANY)
    ]
    return build.timeline(rows, META, [Violation(n, "O1") for n in range(0, MANY, 40)])


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page.html(hazard()), encoding="utf-8")
    return path


def attribute(text: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', text)
    assert found, f"{name} is not in the page"
    return found[1]


def test_nothing_is_fetched() -> None:
    text = page.html(hazard())
    assert not re.search(r"\b(?:src|href|action)\s*=|url\(|@import|https?:|//[a-z]+\.", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import|WebSocket|eval)\s*\(", text)
    assert "default-src 'none'" in text


def test_text_of_a_recording_stays_text() -> None:
    rows = [row(Event.DIRTY, comm=HOSTILE)]
    verdicts = {"O2": Verdict.inconclusive(HOSTILE)}
    timeline = build.timeline(
        rows, META, [Violation(0, "O2", HOSTILE)], title=HOSTILE, verdicts=verdicts
    )
    text = page.html(timeline)
    assert text.count("</script>") == 2 and HOSTILE not in text


def test_violations_are_in_the_page_itself() -> None:
    text = page.html(hazard())
    assert '<h2 id="violations-title">4 violations</h2>' in text
    assert text.count("violates O1: inode 77, page ") == 4 and "dev_store by dd (411)" in text


def test_no_mark_is_not_yet_holds() -> None:
    verdicts = {"O1": Verdict.inconclusive("3 events were lost")}
    text = page.html(build.timeline([row(Event.DIRTY)], META, verdicts=verdicts))
    assert "No violation seen" in text and "O1: inconclusive: 3 events were lost" in text


def test_it_is_drawn(shown: Path) -> None:
    text = browser.dom(shown)
    assert attribute(text, "data-ready") == "yes"
    assert attribute(text, "data-rows") == "6" and attribute(text, "data-violations") == "4"
    assert int(attribute(text, "data-shown")) == 4 * 4 + 2 + 4 * 3 + 4  # spans, events, violations


def test_keys_zoom_move_and_choose(shown: Path) -> None:
    script = """
    const press = key => chart.dispatchEvent(new KeyboardEvent("keydown", { key }));
    const wide = () => view.to - view.from;
    const before = wide();
    press("+"); say("zoomed", wide() / before);
    const from = view.from; press("ArrowRight"); say("moved", view.from > from);
    press("0"); say("all", wide() === before);
    press("v"); say("first", view.chosen.kind + " " + details.textContent);
    press("v"); say("second", tracks[view.chosen.track].name);
    press("V"); press("V"); say("around", tracks[view.chosen.track].name);
    press("Escape"); press("n"); say("event", view.chosen.start);
    press("p"); say("last", items.indexOf(view.chosen) === items.length - 1);
    """
    text = browser.dom(shown, script)
    assert float(attribute(text, "data-zoomed")) == pytest.approx(0.5)
    assert attribute(text, "data-moved") == attribute(text, "data-all") == "true"
    assert "violation violates O1 · inode 77, page 0" in attribute(text, "data-first")
    assert "dd (411)" in attribute(text, "data-first")
    assert attribute(text, "data-second") == "inode 77, page 1"
    assert attribute(text, "data-around") == "inode 77, page 3"
    assert attribute(text, "data-event") == "0" and attribute(text, "data-last") == "true"


def test_pointer_hovers_chooses_drags_and_zooms(shown: Path) -> None:
    script = """
    const box = chart.getBoundingClientRect();
    chart.setPointerCapture = () => {};
    const kinds = { wheel: WheelEvent };
    const at = (type, x, y, more) => chart.dispatchEvent(new (kinds[type] ?? PointerEvent)(type,
      { clientX: box.left + x, clientY: box.top + y, cancelable: true, ...more }));
    const span = items.find(item => item.kind === "writeback");
    const x = (toX(span.start) + toX(span.end)) / 2 + 20, y = MARKS + span.lane * LANE + 5;
    at("pointermove", x, y); say("tip", tip.hidden ? "" : tip.textContent);
    at("pointerdown", x, y); at("pointerup", x, y); say("chosen", view.chosen === span);
    at("pointerdown", 700, 5); at("pointermove", 600, 5); at("pointerup", 600, 5);
    say("dragged", view.from);
    at("wheel", 600, 5, { deltaY: -400, ctrlKey: true }); say("wide", view.to - view.from);
    document.getElementById("order").click(); say("order", view.order + " " + view.to);
    document.getElementById("only").click(); say("only", view.rows.length);
    document.getElementById("find").value = "page 2";
    document.getElementById("find").dispatchEvent(new Event("input"));
    say("found", view.rows.length);
    """
    text = browser.dom(shown, script)
    assert attribute(text, "data-tip").startswith("writeback · inode 77, page 0")
    assert attribute(text, "data-chosen") == "true"
    length = hazard().length
    assert float(attribute(text, "data-wide")) < length / 2
    assert attribute(text, "data-order").startswith("true ")
    assert attribute(text, "data-only") == "6" and attribute(text, "data-found") == "1"


def test_the_list_leads_to_the_chart(shown: Path) -> None:
    script = """
    document.getElementById("find").value = "I/O";
    document.getElementById("find").dispatchEvent(new Event("input"));
    document.querySelectorAll("button[data-mark]")[2].click();
    say("chosen", tracks[view.chosen.track].name + " " + view.rows.length);
    """
    assert attribute(browser.dom(shown, script), "data-chosen") == "inode 77, page 2 6"


@pytest.mark.slow
def test_a_hundred_thousand_events(tmp_path: Path) -> None:
    path = tmp_path / "many.html"
    path.write_text(page.html(many()), encoding="utf-8")
    script = """
    actions.next(); say("seen", (view.to - view.from) / data.length);
    const x = toX(view.chosen.start); zoom(.5);
    say("still", Math.abs(toX(view.chosen.start) - x) < 2);
    """
    text = browser.dom(path, script)
    assert float(attribute(text, "data-seen")) < 0.1 and attribute(text, "data-still") == "true"
    assert attribute(text, "data-rows") == str(10 + 37)  # at first only those with violations
    assert attribute(text, "data-violations") == str(MANY // 40)


def test_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "small.html"
    timeline = build.timeline([], META)
    path.write_text(page.html(timeline), encoding="utf-8")
    assert attribute(browser.dom(path), "data-rows") == str(len(timeline.tracks))


@pytest.mark.slow
def test_light_and_dark_look_different(shown: Path, tmp_path: Path) -> None:
    light = browser.screenshot(shown, tmp_path / "light.png")
    dark = browser.screenshot(
        shown, tmp_path / "dark.png", "--blink-settings=preferredColorScheme=0"
    )
    assert light.startswith(b"\x89PNG") and dark.startswith(b"\x89PNG")
    assert light != dark and min(len(light), len(dark)) > 20_000

"""What `pinlab who` and `pinlab hold` print, from results made by hand."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType
from tests.field.holders.test_attribution import census

from pinlab.field.acts.pinning.kind import Held
from pinlab.field.acts.pinning.memory import Memory
from pinlab.field.acts.pinning.runtime import Swept
from pinlab.field.census.place import Placed
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.attribution import Skipped, Walked, join
from pinlab.field.holders.claim import Claim, Mapped, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.holders.select_holders import Order, Selection, select_holders
from pinlab.field.holders.target import Answer, Sort, Target, parse
from pinlab.field.holders.uses import Uses
from pinlab.report import hold, units, who_schema, who_table

CLAIMS = (
    Claim(
        "io_uring",
        "buffer 0",
        (Owner(7, "qemu", 3), Owner(7, "qemu", 4)),
        Extents([(10, 1, 1), (11, 1, 1)]),
        address=0x7000,
        length=8192,
        accounted_in=(Accounted.VM_PIN,),
    ),
    Claim("pipe", "vmsplice", (Owner(8, "cat", 1),), Extents([(30, 1, 1)]), references=True),
    Claim("bio", "READ on sda", (), Extents([(512, 1, 1)]), seconds=90.0),
)


def answer() -> Answer:
    """Frame 20 has a pin that nobody claims; frame 12 is claimed by nobody and came and went."""
    taken = census([(10, 0, 1), (11, 0, 1), (12, 0, 1), (20, 0, 2), (512, 9, 1)])
    whole = join(taken, Walked(CLAIMS, (Skipped("vfio", "not there"),), 2))
    whole = whole.only(frozenset({("unexplained", 20)}))
    odd = np.flatnonzero(whole.unexplained)
    placed = Placed(taken, (None,) * 5, (None,) * 5).take(odd)
    return Answer(Target(Sort.everything), whole, whole.shares, np.arange(5), placed)


def text(of: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(of)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json() -> None:
    found = who_schema.who(answer())

    assert found["schema"] == "pinlab.who/1"
    assert [claim["kind"] for claim in found["claims"]] == ["io_uring", "pipe", "bio"]
    assert found["claims"][0]["extents"] == [(10, 2, 2)]
    assert [(each["pfn"], each["unstable"]) for each in found["unexplained"]] == [
        (12, True),
        (20, False),
    ]
    totals = found["totals"]
    assert (totals["pins"], totals["explained"], totals["unexplained"]) == (6, 3, 2)
    assert (totals["unsure"], totals["overcount"], totals["references"]) == (1, 0, 1)
    assert [each["name"] for each in totals["by_process"]] == ["qemu", "cat"]


@pytest.mark.parametrize("width", [80, 160])
def test_table(width: int) -> None:
    printed = " ".join(text(who_table.who(answer()), width).split())

    for part in ("7000-9000", "VmPin", "nowhere", "1.5 min", "nobody found", "Holder unknown:"):
        assert part in printed
    assert "6 pins on 5 folios: 3 explained, 2 unexplained, 1 that came and went" in printed
    assert "Not looked at: vfio: not there." in printed
    assert "2 things went away" in printed


def test_a_long_table_is_cut() -> None:
    assert "2 more; --limit 0 shows all" in text(who_table.who(answer(), limit=1))


def test_weak() -> None:
    walked = Walked(CLAIMS[:1], (Skipped("bio", "no"), Skipped("fuse", "no")), 0)

    assert "weak: no privilege" in text(who_table.weak(walked, "no privilege"))
    assert "bio, fuse: no" in text(who_table.weak(walked, "no privilege"))
    assert who_schema.weak(walked, "everything")["totals"]["pins"] is None


def test_frames_that_are_not_known_are_not_none() -> None:
    """Without privilege the kernel shows where a buffer is, and not its frames."""
    blind = replace(CLAIMS[0], extents=Extents(), length=40 << 10, weak=True)
    walked = Walked((blind, CLAIMS[0]), (), 0)
    (row, _) = (line for line in text(who_table.weak(walked, "no")).split("\n") if "qemu" in line)
    assert "40 KiB ?" in " ".join(row.split()) and "0 pin" not in row
    said = who_schema.weak(walked, "everything")
    first, second = said["claims"]
    assert (first["frames"], first["count"], first["found"]) == (None, None, None)
    assert (second["frames"], second["count"], second["found"]) == (2, 2, 2)
    (total,) = said["totals"]["by_kind"]
    assert (total["count"], total["bytes"]) == (None, (40 << 10) + 8192)


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (Selection(), "No holder was found."),
        (Selection(stale=True), "No holder of stale memory was found."),
        (Selection("bio"), "No bio holder was found."),
        (
            Selection("bio", over=1 << 20, stale=True),
            "No bio holder of stale memory and of more than 1 MiB was found.",
        ),
    ],
)
def test_which_holder_was_not_found(selection: Selection, sentence: str) -> None:
    nobody = replace(answer(), shares=())
    assert sentence in text(who_table.who(nobody, selection=selection))
    none = Walked((), (), 0)
    printed = text(who_table.weak(none, "no privilege", selection=selection))
    assert sentence in printed
    assert ("whether memory is stale cannot be told" in printed) is selection.stale


def test_one_page_is_one_page() -> None:
    stale = replace(CLAIMS[0], mapped=Mapped.stale, stale_pages=1)
    assert "1 page stale" in " ".join(text(who_table.weak(Walked((stale,), (), 0), "no")).split())


def test_of_a_pipe_it_is_said_who_has_it_open() -> None:
    fifo = replace(answer(), target=Target(Sort.file, path=Path("fifo")))
    nobody, somebody = Uses(None, (), ()), Uses(None, (), (Owner(7, "cat", 3),))
    assert "Nobody was found who has it open." in text(who_table.who(fifo, nobody))
    assert "in use: open by cat (7) fd 3." in text(who_table.who(fifo, somebody))


def test_selecting_leaves_what_is_said_about_pins() -> None:
    whole = answer()

    by_size = select_holders(whole, Selection(order=Order.size))
    assert by_size.shares[0].claim.kind == "io_uring"
    only = select_holders(whole, Selection("bio"))
    assert [share.claim.kind for share in only.shares] == ["bio"]
    assert only.unexplained == 2
    assert select_holders(whole, Selection(over=4096)).shares == whole.shares[:1]
    with pytest.raises(Exception, match="no kind of holder 'x'"):
        Selection("x")


def test_targets() -> None:
    assert parse("12") == Target(Sort.process, 12)
    assert parse("0x1F") == parse("pfn:31") == Target(Sort.frame, 31)
    assert parse("./12").sort is Sort.file
    assert str(parse("0x1f")) == "frame 0x1f"


def test_hold_and_sweep() -> None:
    extents = Extents([(512, 512, 1)])
    one = Held("io_uring", Memory.thp, 7, "pinlab", 3, 0x200000, 1 << 21, extents, "pins", ())
    found = hold.to_json([one])

    assert found["holds"][0]["extents"] == [(512, 512, 1)]
    assert (found["holds"][0]["frames"], found["holds"][0]["count"]) == (512, 1)
    plain = replace(one, counted_as="references")
    assert "--references" in text(hold.to_table([plain]))
    assert "--references" not in text(hold.to_table([one]))
    assert "2 MiB" in text(hold.to_table([one])) and "nowhere" in text(hold.to_table([one]))
    assert "Detached /dev/loop3." in text(hold.sweep_to_text(Swept(1, 0, (), ("/dev/loop3",))))
    assert "Nothing was left" in text(hold.sweep_to_text(Swept(0, 2, (), ())))


def test_units() -> None:
    assert [units.size(n) for n in (1, 4096, 3 << 20, 1536 << 20, 1 << 50)] == [
        "1 B",
        "4 KiB",
        "3 MiB",
        "1.5 GiB",
        "1024 TiB",
    ]
    assert [units.duration(s) for s in (0.35, 12, 180, 7200, 432000)] == [
        "350 ms",
        "12 s",
        "3 min",
        "2 h",
        "5 d",
    ]

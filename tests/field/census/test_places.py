"""Selecting, comparing, and where file systems are mounted."""

from __future__ import annotations

import numpy as np

from pinlab.field.census.diff import GroupChange, diff
from pinlab.field.census.files import mounts_of
from pinlab.field.census.mappers import Mapper, Mapping
from pinlab.field.census.meant import Meant
from pinlab.field.census.place import Placed
from pinlab.field.census.select_folios import Sort, select_folios
from tests.field import samples


def pfns(placed: Placed) -> list[int]:
    found: list[int] = placed.census.folios.pfn.tolist()
    return found


def test_select() -> None:
    placed = samples.placed()
    assert pfns(select_folios(placed)) == [3, 5, 6, 8]
    assert pfns(select_folios(placed, over=1)) == [3]
    assert pfns(select_folios(placed, unexplained=True)) == [5]
    first = Meant((samples.DATA.device, 77), None)
    assert pfns(select_folios(placed, file=first.rows)) == [3]
    assert pfns(select_folios(samples.empty(), file=first.rows)) == []


def test_a_file_is_known_by_its_frames_where_its_number_is_not_its_own() -> None:
    placed = samples.placed()
    assert pfns(select_folios(placed, file=Meant(None, np.array([3, 9], np.uint64)).rows)) == [3]
    assert pfns(select_folios(placed, file=Meant(None, np.array([9], np.uint64)).rows)) == []


def test_sort() -> None:
    placed = samples.placed(more=True)
    assert pfns(select_folios(placed, sort=Sort.pins))[:2] == [6, 3]
    assert pfns(select_folios(placed, sort=Sort.order))[0] == 16
    assert pfns(select_folios(placed, sort=Sort.file))[0] == 3
    assert pfns(select_folios(placed, sort=Sort.owner)) == [5, 6, 16, 3, 8]
    for sort in Sort:
        assert sorted(pfns(select_folios(placed, sort=sort))) == [3, 5, 6, 8, 16]


def test_where() -> None:
    words = [row.where for row in samples.placed().rows()]
    assert words == ["/srv/data.bin", "reader (4711)", "reader (4711)", "no mapping"]


def test_diff() -> None:
    before, after = samples.placed(), samples.placed(more=True, taken=1010.0)
    found = diff(before, after)
    assert [row.pfn for row in found.new] == [16] and not found.gone and not found.shrunk
    assert [(each.before.pins, each.after.pins) for each in found.grown] == [(1, 3)]
    assert found.groups == (GroupChange("reader (4711)", 2, 5),)
    assert found.comparable and found
    back = diff(after, before)
    assert [row.pfn for row in back.gone] == [16] and len(back.shrunk) == 1
    assert not diff(before, before)


def test_a_frame_used_again_is_another_folio() -> None:
    before = samples.placed()
    other = Placed(
        before.census, before.files, (*before.mappers[:1], Mapper(1, "x", 0), *before.mappers[2:])
    )
    found = diff(before, other)
    assert [row.pfn for row in found.new] == [row.pfn for row in found.gone] == [5]


def test_different_boots() -> None:
    assert not diff(samples.placed(), samples.placed(boot="other")).comparable


def test_mounts() -> None:
    text = (
        "21 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "22 1 0:22 / /run\\040here rw shared:1 - tmpfs tmpfs rw\n"
        "23 1 254:0 /part /mnt rw - ext4 /dev/vda rw\n"
    )
    assert mounts_of(text) == {"254:0": "/", "0:22": "/run here"}


def test_owner_by_index() -> None:
    mapping = Mapping(0x7000, 0x9000, 3, 12, "x")
    assert mapping.mapper(4) == Mapper(12, "x", 0x8000)
    assert mapping.mapper(5) is None and mapping.mapper(2) is None


def test_take_keeps_totals() -> None:
    placed = samples.placed()
    some = placed.take(np.array([2]))
    assert len(some) == 1 and some.census.totals == placed.census.totals

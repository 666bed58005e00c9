"""Censuses of stock kernels of other generations, in a guest and from its dump."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinlab.field.census import Confidence, census
from pinlab.field.census.place import PinnedFolio, Placed, place
from pinlab.field.errors import ReaderError
from pinlab.field.memory import choose
from tests.live import guest

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module", params=guest.parameters())
def booted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[guest.Guest]:
    try:
        with guest.boot(request.param, tmp_path_factory.mktemp("guest")) as running:
            yield running
    except guest.Missing as missing:
        pytest.skip(str(missing))


def assert_right(placed: Placed, booted: guest.Guest) -> None:
    """Exactly the frames that the guest says, references explained, the counters agree."""
    rows = {row.pfn: row for row in placed.rows()}
    assert set(rows) == {pin.pfn for pin in booted.pins}
    assert not booted.refused
    assert placed.census.agrees
    for pin in booted.pins:
        row = rows[pin.pfn]
        # A small page that waits in a CPU's batch for its LRU list has one reference more.
        assert 0 <= row.unexplained <= (0 if row.order else 1), row
        assert row.order == (0 if pin.what in ("anon", "memfd") else 9)
        assert row.confidence is (Confidence.EXACT if row.order else Confidence.BIAS)
        assert row.hugetlb == pin.what.startswith("huge")
        _whose(row, pin)


def _whose(row: PinnedFolio, pin: guest.Pin) -> None:
    if pin.what in ("memfd", "hugefile"):
        assert row.file is not None
        name = "guest" if pin.what == "memfd" else "huge"
        assert row.file.path == f"/memfd:{name} (deleted)"
    else:
        assert row.mapper is not None
        assert (row.mapper.pid, row.mapper.command, row.mapper.address) == (1, "init", pin.address)


def test_guest(booted: guest.Guest) -> None:
    with choose.choose(guest=booted.qmp) as reader:
        assert_right(place(reader, census(reader)), booted)


def test_dump(booted: guest.Guest, tmp_path: Path) -> None:
    path = tmp_path / "core"
    booted.dump(path)
    with choose.choose(core=path) as reader:
        assert reader.frozen
        assert_right(place(reader, census(reader)), booted)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(ReaderError, match="cut short"):
        choose.choose(core=path)
    path.unlink()

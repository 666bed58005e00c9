"""A census in a file comes back as it was; what is no such file says so."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinlab.errors import UsageError
from pinlab.field.census import snapshot
from pinlab.field.census.place import Placed
from tests.field import samples


def same(one: Placed, two: Placed) -> bool:
    first, second = asdict(one.census), asdict(two.census)
    del first["folios"], second["folios"]
    return first == second and same_rows(one, two)


def same_rows(one: Placed, two: Placed) -> bool:
    first, second = asdict(one.census.folios), asdict(two.census.folios)
    return (one.files, one.mappers) == (two.files, two.mappers) and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def test_round_trip(tmp_path: Path) -> None:
    for i, placed in enumerate((samples.placed(), samples.placed(more=True), samples.empty())):
        path = tmp_path / f"{i}.parquet"
        snapshot.save(placed, path, raw=True)
        assert same(snapshot.load(path), placed)
        assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_kernel_addresses_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    snapshot.save(samples.placed(), path)
    assert pq.read_table(path).column("mapping").null_count == 4
    assert not snapshot.load(path).census.folios.mapping.any()
    assert b"\xff\xff\x88\x88" not in path.read_bytes()


def test_every_truncation_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    snapshot.save(samples.placed(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match="is not a saved census, or is cut short"):
            snapshot.load(path)


def test_damage_is_said_or_leaves_every_row_as_it_was(tmp_path: Path) -> None:
    path, placed = tmp_path / "a.parquet", samples.placed()
    snapshot.save(placed, path, raw=True)
    whole = path.read_bytes()
    refused: list[str] = []
    for at in range(4, len(whole) - 8, 53):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert same_rows(snapshot.load(path), placed), f"byte {at} changed a row unnoticed"
        except UsageError as error:
            refused.append(str(error))
    assert refused and all(str(path) in each for each in refused)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"pfn": [1]}), path)
    with pytest.raises(UsageError, match="pinlab did not write it"):
        snapshot.load(path)
    good = snapshot.table(samples.placed())
    pq.write_table(good.drop_columns(["pins"]), path)
    with pytest.raises(UsageError, match="has no column pins"):
        snapshot.load(path)
    about = (good.schema.metadata or {})[b"pinlab"].replace(b"census/1", b"census/7")
    pq.write_table(good.replace_schema_metadata({b"pinlab": about}), path)
    with pytest.raises(UsageError, match=r"schema pinlab.census/7, this pinlab reads"):
        snapshot.load(path)
    pq.write_table(good.replace_schema_metadata({b"pinlab": b"{"}), path)
    with pytest.raises(UsageError, match="not JSON"):
        snapshot.load(path)
    pq.write_table(good.replace_schema_metadata({b"pinlab": b'{"schema":"pinlab.census/1"}'}), path)
    with pytest.raises(UsageError, match="is corrupt"):
        snapshot.load(path)


def test_no_file_and_no_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        snapshot.load(tmp_path / "none")
    with pytest.raises(UsageError, match="is a directory"):
        snapshot.load(tmp_path)
    with pytest.raises(UsageError, match="cannot write"):
        snapshot.save(samples.placed(), tmp_path / "none" / "a.parquet")


def test_few_bytes_with_many_rows_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    pq.write_table(pa.table({"pfn": pa.array(np.zeros(30_000_000, np.uint8))}), path)
    with pytest.raises(UsageError, match="30,000,000 rows do not fit into"):
        snapshot.load(path)


@pytest.mark.parametrize(("column", "value"), [("pins", -1), ("order", 255), ("refcount", -2)])
def test_figures_that_no_census_has_are_refused(tmp_path: Path, column: str, value: int) -> None:
    good = snapshot.table(samples.placed())
    at = good.column_names.index(column)
    values = pa.array([value] * good.num_rows, good.schema.field(column).type)
    pq.write_table(good.set_column(at, good.schema.field(column), values), tmp_path / "odd")
    with pytest.raises(UsageError, match="is corrupt"):
        snapshot.load(tmp_path / "odd")


@pytest.mark.parametrize("name", [b"\xffc.parquet", b"file:c", b"hdfs:..localhost.x"])
def test_a_name_is_a_name_and_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    snapshot.save(samples.placed(), path)
    monkeypatch.chdir(tmp_path)
    assert len(snapshot.load(Path(path.name))) == len(samples.placed())

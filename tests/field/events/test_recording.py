"""Files: written and read back, cut short, of another version or shape."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinlab.errors import UsageError
from pinlab.field.events import recording, schema
from pinlab.field.events.monitor import Monitor
from pinlab.objectives.events import Event
from pinlab.objectives.verdict import Outcome
from tests.field.events import records


def written(path: Path) -> Path:
    rows, meta = records.rows(records.o2())
    recording.write(path, recording.to_table(rows, meta))
    return path


def test_written_and_read_back(tmp_path: Path) -> None:
    rows, meta = records.rows(records.o2())
    found, said = recording.read(written(tmp_path / "a.parquet"))
    assert list(found) == rows
    assert said.rows == len(rows)
    assert said.stacks == meta.stacks
    assert said.flag_bits == meta.flag_bits
    assert [each.name for each in tmp_path.iterdir()] == ["a.parquet"]


def test_cut_short(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    whole = path.read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match="is not a recording, or is cut short"):
            recording.read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        recording.read(tmp_path / "none")


def test_another_table(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(UsageError, match="of no known schema"):
        recording.read(path)


def test_another_version(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"schema": "pinlab.events/2"}), path)
    with pytest.raises(UsageError, match=r"is pinlab.events/2, not pinlab.events/1"):
        recording.read(path)


def test_a_column_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["refcount"]), path)
    with pytest.raises(UsageError, match="has no column refcount"):
        recording.read(path)


def test_an_event_that_is_not_known(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    table = pq.read_table(path)
    strange = pa.array(["strange"] * table.num_rows).dictionary_encode()
    at = table.column_names.index("kind")
    pq.write_table(table.set_column(at, "kind", strange), path)
    with pytest.raises(UsageError, match="an event that is not known: strange"):
        recording.read(path)


@pytest.mark.parametrize("junk", [None, 7, -1, "x", [3], {"dirty": 99}, {"a": []}])
def test_metadata_that_makes_no_sense(junk: object) -> None:
    """Whatever is in the place of whatever: it is refused, or can be judged."""
    rows, meta = records.rows(records.o2())
    table = recording.to_table(rows, meta)
    whole = json.loads(table.schema.metadata[b"pinlab"])
    judged = 0
    for name in whole:
        body = json.dumps(whole | {name: junk})
        strange = table.replace_schema_metadata({"schema": schema.VERSION, "pinlab": body})
        with suppress(UsageError):
            said = recording.meta_of(strange)
            monitor = Monitor(writeback=said.writeback)
            list(monitor.see(recording.from_table(strange), said.stacks))
            assert monitor.verdicts(said)["O1"].outcome is Outcome.VIOLATED
            judged += 1
    assert judged < len(whole)


def test_kinds_are_the_objectives_own(tmp_path: Path) -> None:
    found, _ = recording.read(written(tmp_path / "a.parquet"))
    assert all(isinstance(row.kind, Event) for row in found)

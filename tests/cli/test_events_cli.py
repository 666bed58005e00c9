"""`pinlab judge` on recordings that were made up, and what `record` and `watch` refuse."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.field.events import records
from tests.field.events.records import MKWRITE, Kernel

from pinlab.cli import _events
from pinlab.cli._app import run
from pinlab.cli._wait import asked_to_end
from pinlab.errors import UsageError
from pinlab.field.events import recording

Capture = pytest.CaptureFixture[str]


def test_a_signal_interrupts_nothing_and_is_told(capsys: Capture) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with asked_to_end("watching") as ended:
        assert capsys.readouterr().err == "pinlab: watching; Ctrl-C ends it\n"
        assert not ended()
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        assert ended()
    assert signal.getsignal(signal.SIGTERM) is handler


def tape(folder: Path, kernel: Kernel) -> str:
    rows, meta = records.rows(kernel)
    path = folder / "tape.parquet"
    recording.write(path, recording.to_table(rows, meta))
    return str(path)


def judged(capsys: Capture, *words: str) -> tuple[int, dict[str, Any]]:
    status = run(["judge", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_violated(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.o2()))
    assert status == 1
    assert said["schema"] == "pinlab.judge/1"
    verdicts = {each["objective"]: each["verdict"] for each in said["verdicts"]}
    assert verdicts == {"O1": "violated", "O2": "violated", "I3": "holds"}
    store, dirty = said["violations"]
    assert [each["event"] for each in store["witness"]][-1] == "dev_store"
    assert (store["device"], store["inode"], store["command"]) == ("0:5", 42, "dd")
    assert dirty["witness"][-1]["stack"] == ["folio_mark_dirty_lock"]


def test_violated_for_people(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["judge", tape(tmp_path, records.o2())]) == 1
    said = capsys.readouterr().out
    assert "O1 violated: inode 42" in said
    assert "dev_store (inferred)" in said
    assert "by way of folio_mark_dirty_lock" in said


def test_holds(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.control()))
    assert (status, said["verdict"]) == (0, "holds")


def test_one_objective(tmp_path: Path, capsys: Capture) -> None:
    status, said = judged(capsys, tape(tmp_path, records.o1()), "-O", "o2")
    assert (status, [each["objective"] for each in said["verdicts"]]) == (0, ["O2"])


def test_a_loss(tmp_path: Path, capsys: Capture) -> None:
    kernel = records.control()
    kernel.lost = 4
    kernel.dirtied(MKWRITE)
    status, said = judged(capsys, tape(tmp_path, kernel))
    assert (status, said["verdict"]) == (3, "inconclusive")


def test_the_end_of_a_table_is_missing(tmp_path: Path, capsys: Capture) -> None:
    path = tape(tmp_path, records.control())
    pq.write_table(pq.read_table(path).slice(0, 4), path)
    status, said = judged(capsys, path)
    assert status == 3
    assert said["verdicts"][0]["reason"] == "4 rows are missing"


def test_a_kernel_without_a_tracepoint(tmp_path: Path, capsys: Capture) -> None:
    rows, meta = records.rows(records.control())
    path = tmp_path / "tape.parquet"
    recording.write(path, recording.to_table(rows, replace(meta, attached=())))
    status, said = judged(capsys, str(path))
    assert (status, said["verdict"]) == (3, "inconclusive")


def test_an_objective_that_no_event_tells(tmp_path: Path, capsys: Capture) -> None:
    assert run(["judge", tape(tmp_path, records.o1()), "-O", "O3"]) == 2
    assert "cannot be judged by events of a running kernel" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["judge", "/nowhere"], "there is no file"),
        (["judge", __file__], "is not a recording"),
        (["record", "-o", "/nowhere/x"], "there is no folder"),
        (["record", "-o", "/tmp/x", "--for", "0"], "leaves no time"),
        (["watch", "--file", "/nowhere"], "--file /nowhere: No such file"),
        (["watch", "--device", "/nowhere"], "--device /nowhere: No such file"),
        (["watch", "--device", "999999999:1"], "--device 999999999:1: No such file"),
        (["watch", "--device", "/dev/null"], "it is no block device"),
        (["watch", "--file", "/dev/null"], "is not a regular file"),
        (["watch", "--file", "/"], "is not a regular file"),
        (["watch", "--pid", "4194305"], "there is no process 4194305"),
        (["record", "-o", "/tmp/x", "--pid", "9" * 300], "there is no process 99"),
        (["record", "-o", "/tmp/x", "--memory", "0.5"], "is no size"),
        (["record", "-o", "/tmp/x", "--memory", "9" * 400 + "G"], "is no size"),
        (["record", "-o", "/"], "is not a regular file"),
        (["record", "-o", ""], "is not a regular file"),
        (["judge", "/"], "is a directory"),
        (["timeline", "/"], "is not a regular file"),
    ],
)
def test_misuse(words: list[str], sentence: str, capsys: Capture) -> None:
    assert run(words) in (2, 3)
    assert sentence in capsys.readouterr().err


COMMAND = (sys.executable, "-c", "from pinlab.cli import main; main()")


def told(table: pa.Table, **said: Any) -> pa.Table:
    """The table, its metadata saying something else."""
    metadata = dict(table.schema.metadata)
    body = {**json.loads(metadata[b"pinlab"]), **said}
    return table.replace_schema_metadata({**metadata, b"pinlab": json.dumps(body)})


def renumbered(table: pa.Table) -> pa.Table:
    numbers = pa.array(range(table.num_rows), pa.uint64())
    return table.set_column(0, table.schema.field("seq"), numbers)


def with_src(table: pa.Table, word: str | None) -> pa.Table:
    """All rows have this source, or bytes that are no text."""
    at = table.column_names.index("src")
    known = pa.array([word]) if word else pa.array([b"\xff"]).view(pa.string())
    words = pa.DictionaryArray.from_arrays(pa.array([0] * table.num_rows, pa.int32()), known)
    return table.set_column(at, table.schema.field("src"), words)


MANIPULATED: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "rows are not counted": (lambda t: told(t.slice(0, 2), rows=None), "end may be missing"),
    "two recordings": (lambda t: renumbered(pa.concat_tables([t, t])), "were recorded"),
    "another kernel": (lambda t: told(t, kernel="5.4"), "is of 5.4, but has rows of 6.18"),
    "the lab": (lambda t: told(t, kernel="model"), "is of model, but has rows of 6.18"),
    "a source of the lab": (lambda t: with_src(t, "model"), "rows whose src is model"),
    "no such source": (lambda t: with_src(t, "x"), "rows whose src is x"),
    "a name that is no text": (lambda t: with_src(t, None), "utf-8"),
    "no yes or no": (lambda t: told(t, bios_pin="no"), "not what it was made with"),
    "a column twice": (lambda t: t.append_column("seq", t["seq"]), "more than one seq"),
    "endless": (
        lambda t: t.replace_schema_metadata({"schema": "pinlab.events/1", "pinlab": "[" * 100_000}),
        "not what it was made with",
    ),
}


@pytest.mark.parametrize("how", MANIPULATED)
def test_manipulated_it_is_refused(how: str, tmp_path: Path, capsys: Capture) -> None:
    change, sentence = MANIPULATED[how]
    path = tape(tmp_path, records.o2())
    pq.write_table(change(pq.read_table(path)), path)
    for command in ("judge", "timeline"):
        assert run([command, path]) == 2
        said = capsys.readouterr()
        assert (sentence in said.err, said.err.count("\n"), said.out) == (True, 1, "")


def test_no_flipped_bit_changes_a_verdict(tmp_path: Path, capsys: Capture) -> None:
    path = Path(tape(tmp_path, records.o2()))
    _, whole = judged(capsys, str(path))
    data = path.read_bytes()
    pages = data.rfind(b"pinlab.events/1")  # behind the pages are the footer's words
    refused = 0
    for at in range(4, pages, max(1, pages // 400)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        status = run(["judge", str(path), "--json"])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        refused += status == 2
        assert status == 2 or json.loads(said.out)["verdicts"] == whole["verdicts"]
    assert refused


def test_the_name_of_its_folder_is_no_column(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "kernel=5.4"
    folder.mkdir()
    assert judged(capsys, tape(folder, records.control()))[0] == 0


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tape(tmp_path, records.control()))
    odd = path + b"\xff"
    os.rename(path, odd)
    for words in ((b"judge", odd), (b"timeline", odd), (b"timeline", odd, b"--json")):
        done = subprocess.run([*COMMAND, *words], capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


def test_what_is_no_file_is_not_replaced(tmp_path: Path, capsys: Capture) -> None:
    """As a device would be: `-o /dev/null` must not make a file of it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run(["record", "-o", str(pipe), "--for", "0.1"]) == 2
    assert "is not a regular file" in capsys.readouterr().err
    with pytest.raises(UsageError, match="is not a regular file"):
        recording.write(pipe, recording.to_table(*records.rows(records.o1())))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert run(["judge", str(pipe)]) == 2


def test_what_a_link_leads_to_is_replaced(tmp_path: Path) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    link.symlink_to(there)
    recording.write(link, recording.to_table(*records.rows(records.o1())))
    assert link.is_symlink()
    assert recording.read(there)[1].rows


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        recording.write(tmp_path / ("a" * 256), recording.to_table(*records.rows(records.o1())))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_destroys_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(tape(tmp_path, records.o2()))
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(UsageError, match="No space left"):
        recording.write(path, recording.to_table(*records.rows(records.o1())))
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


@pytest.mark.parametrize("words", [["judge"], ["judge", "--json"]])
def test_output_that_nobody_reads_is_no_verdict(words: list[str], tmp_path: Path) -> None:
    path = tape(tmp_path, records.control())
    end, begin = os.pipe()
    os.close(end)
    done = subprocess.run([*COMMAND, *words, path], stdout=begin, stderr=subprocess.PIPE)
    os.close(begin)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("words", [["judge"], ["judge", "--json"]])
def test_without_any_output_the_status_stays(words: list[str], tmp_path: Path) -> None:
    path = tape(tmp_path, records.o2())
    closed = ("sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *words, path)
    done = subprocess.run(closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("words", [["judge"], ["judge", "--json"]])
def test_output_to_a_full_disk(words: list[str], tmp_path: Path) -> None:
    path = tape(tmp_path, records.control())
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, *words, path], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert done.stderr == b"pinlab: what was found could not be written: disk full\n"


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4])
def test_ctrl_c_while_it_loads_leaves_no_trace(delay: float) -> None:
    import_ = "import pinlab.cli, os; os.write(1, b'x'); pinlab.cli.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", import_, "judge", "/nowhere"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(1)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert b"Traceback" not in err
    assert process.returncode in (-signal.SIGINT, 2, 3)


def test_the_time_begins_when_events_are_asked_for() -> None:
    over = _events.deadline(0.2)
    time.sleep(0.3)  # what attaching takes
    assert not over()
    time.sleep(0.3)
    assert over()


def test_a_name_does_not_command_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    rows, meta = records.rows(records.o2())
    path = tmp_path / "tape.parquet"
    named = [replace(row, comm="\x1b[2J\ndd") for row in rows]
    recording.write(path, recording.to_table(named, meta))
    assert run(["judge", str(path)]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert r"by \x1b[2J\ndd (pid" in said

"""`pinlab census`, `diff`, `doctor`: what they print, their exit statuses, and refusals."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.field import samples

from pinlab.cli._app import run
from pinlab.cli._show import show_json
from pinlab.field.census import snapshot
from pinlab.field.census.diff import diff
from pinlab.report import census_schema as schema

CAPABILITIES = 41
_PR_CAPBSET_DROP = 24


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two censuses, the second with a leak."""
    monkeypatch.setenv("COLUMNS", "200")
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    snapshot.save(samples.placed(), before, raw=True)
    snapshot.save(samples.placed(more=True, taken=1010.0), after, raw=True)
    return str(before), str(after)


def test_json(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["census", "--open", files[0], "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["schema"] == "pinlab.census/1" and found["kernel"] == "6.18"
    assert found["seconds"] == 0.125
    first, second, *_ = found["folios"]
    assert first == {
        "pfn": 3,
        "order": 0,
        "pins": 2,
        "refcount": 2050,
        "mapcount": 1,
        "expected": 2,
        "unexplained": 0,
        "confidence": "bias",
        "kind": "file",
        "hugetlb": False,
        "flags": ["uptodate"],
        "file": {
            "device": "254:0",
            "inode": 77,
            "file_system": "ext4",
            "path": "/srv/data.bin",
            "index": 9,
        },
        "owner": None,
        "mapping": None,
    }
    assert second["owner"] == {"pid": 4711, "command": "reader", "address": 0x7F0000001000}
    assert second["unexplained"] == 3
    totals = found["totals"]
    assert (totals["folios"], totals["pins"], totals["bytes"]) == (4, 5, 4 * 4096)
    assert totals["agrees"] is True and totals["counters"]["outstanding"] == [5, 5]


def test_kernel_addresses_only_when_asked_for(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["census", "--open", files[0], "--json"])
    run(["census", "--open", files[0]])
    assert "ffff8880" not in capsys.readouterr().out.lower()
    run(["census", "--open", files[0], "--raw"])
    assert "0xffff888000001000" in capsys.readouterr().out
    run(["census", "--open", files[0], "--json", "--raw"])
    assert json.loads(capsys.readouterr().out)["folios"][0]["mapping"] == samples.FILE


def test_table_and_filters(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["census", "--open", files[1], "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert "5 pinned folios, 8 pins, 32 KiB" in out and "3 more folios" in out
    assert "/srv/data.bin" in out and "reader (4711)" in out and "\x1b" not in out
    run(["census", "--open", files[1], "--file", "/srv/data.bin", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["pfn"] for each in found["folios"]] == [3] and found["totals"]["folios"] == 5


def test_exit_status_for_scripts(files: tuple[str, str]) -> None:
    assert run(["census", "--open", files[0]]) == 0
    assert run(["census", "--open", files[0], "--check"]) == 1
    assert run(["census", "--open", files[0], "--check", "--over", "99"]) == 0


def test_a_name_that_says_another_form_is_refused(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "census.csv"
    assert run(["census", "--open", files[0], "--save", str(table)]) == 2
    assert "name it .parquet" in capsys.readouterr().err and not table.exists()


def test_saved_again_is_the_same(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.parquet"
    run(["census", "--open", files[0], "--save", str(again), "--json"])
    first = capsys.readouterr().out
    run(["census", "--open", str(again), "--json"])
    assert capsys.readouterr().out == first


def test_a_difference_the_wrong_way_round_is_refused(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diff", files[1], files[0]]) == 2
    assert "name the earlier one first" in " ".join(capsys.readouterr().err.split())


def test_diff(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", *files]) == 1
    out = capsys.readouterr().out
    assert "5 pins, then 8 after 10.0 s: 1 folios new, 0 gone, 1 grown, 0 shrunk" in out
    assert run(["diff", files[0], files[0]]) == 0
    capsys.readouterr()
    assert run(["diff", *files, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "pinlab.diff/1" and found["seconds"] == 10
    assert [each["pfn"] for each in found["new"]] == [16]
    assert found["groups"] == [{"where": "reader (4711)", "before": 2, "after": 5}]


def test_refusals(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["census", "--open", files[0], "--core", files[0]]) == 2
    assert run(["census", "--open", files[0], "--watch", "1"]) == 2
    assert run(["census", "--open", str(tmp_path / "none")]) == 2
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    assert run(["census", "--open", str(broken)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4 and all(line.startswith("pinlab: ") for line in errors)


def _drop() -> None:
    libc = ctypes.CDLL(None)
    for capability in range(CAPABILITIES):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def unprivileged(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pinlab without any capability; a process that is not root has none anyway."""
    return subprocess.run(
        [sys.executable, "-c", "from pinlab.cli import main; main()", *arguments],
        preexec_fn=_drop if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_census_without_privilege_is_one_sentence() -> None:
    done = unprivileged("census")
    assert done.returncode == 3 and not done.stdout
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert "needs root" in done.stderr and "by /proc/vmstat" in done.stderr


def test_doctor_without_privilege_says_what_is_missing() -> None:
    done = unprivileged("doctor", "--json")
    assert done.returncode == 3 and not done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "pinlab.doctor/1"
    readers = [each for each in found["findings"] if each["kind"] == "reader"]
    assert readers and not any(each["works"] for each in readers)
    assert all(each["detail"] for each in found["findings"])


def test_doctor_without_privilege_names_the_one_walker_that_can_do_without() -> None:
    found = json.loads(unprivileged("doctor", "--json").stdout)["findings"]
    falls = {each["name"] for each in found if "falls back to /proc" in each["detail"]}
    assert falls == {"io_uring"}


def test_of_a_process_that_may_not_be_looked_at_it_is_said() -> None:
    """One that is not dumpable, of root as we are."""
    hidden = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(flush=True); input()"
    line = [sys.executable, "-c", hidden]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = unprivileged("who", str(process.pid))
        process.communicate(b"\n")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"pinlab: process {process.pid} may not be looked at")
    assert done.stderr.count("\n") == 1


def test_without_privilege_what_cannot_be_told_is_not_listed() -> None:
    done = unprivileged("who", "--all", "--stale", "--json")
    assert done.returncode == 3 and json.loads(done.stdout)["claims"] == []
    assert "No holder of stale memory was found" in unprivileged("who", "--all", "--stale").stdout
    done = unprivileged("who", "--all", "--references")
    assert done.returncode == 3 and "nothing is known of plain references" in done.stderr
    done = unprivileged("who", "--all", "--kind", "bogus")
    assert done.returncode == 2 and "no kind of holder 'bogus'" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["who", "0xffffffffffffffffffff"], "is no frame"),
        (["who", f"pfn:{'9' * 23}"], "is no frame"),
        (["who", "9" * 23], "there is no process"),
        (["who", "--all", "--watch", "nan"], "is no time"),
        (["census", "--watch", "inf"], "is no time"),
        (["census", "--watch", "0.01"], "is no time"),
        (["hold", "io_uring", "--for", "1e300"], "is no time"),
        (["hold", "io_uring", "--for", "inf"], "is no time"),
        (["record", "-o", "x", "--for", "inf"], "is no time"),
    ],
)
def test_numbers_without_end_are_refused(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_a_list_is_written_as_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    placed, later = samples.placed(), samples.placed(more=True)
    documents: list[Callable[[], Mapping[str, object]]] = [
        lambda: schema.census(placed, placed.census, raw=True),
        lambda: schema.diff(diff(placed, later)),
        lambda: schema.diff(diff(placed, placed)),
    ]
    for made in documents:
        whole = {k: list(v) if isinstance(v, Iterator) else v for k, v in made().items()}
        show_json(made())
        assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(whole))

    def numbers() -> Iterator[int]:
        for each in range(3):
            yield each
            assert capsys.readouterr().out.rstrip().endswith(str(each))

    show_json({"numbers": numbers()})

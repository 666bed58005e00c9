"""`pinlab who` and `census`: what makes no sense is refused in one sentence that says why."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from pinlab.cli._app import COMMANDS, EXITS, JUDGED, SAID, run
from pinlab.field.machine import groups

Capture = pytest.CaptureFixture[str]


def refusal(words: list[str], capsys: Capture) -> str:
    """What is said of a line that is misuse: one sentence, and nothing else."""
    assert run(words) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    "words",
    [
        ["--kind", "aio"],
        ["--kind", "bogus"],
        ["--over", "1M"],
        ["--stale"],
        ["--references"],
        ["--sort", "kind"],
        ["--watch", "1"],
        ["--json", "--watch", "1"],
    ],
)
def test_what_means_nothing_of_a_limit_is_refused(words: list[str], capsys: Capture) -> None:
    said = refusal(["who", "--user", "0", *words], capsys)
    assert f"{'--watch' if '--watch' in words else words[0]} does not go with --user" in said


@pytest.mark.parametrize(
    ("words", "both"),
    [
        (["--user", "0", "--all"], "--user and --all"),
        (["1", "--user", "0"], "'1' and --user"),
        (["--cgroup", "a", "--device", "vda"], "--cgroup and --device"),
    ],
)
def test_of_two_targets_it_is_said_that_there_are_two(
    words: list[str], both: str, capsys: Capture
) -> None:
    assert f"only one thing can be asked about at a time, not {both}" in refusal(
        ["who", *words], capsys
    )


def test_without_a_target_it_is_said_which_there_are(capsys: Capture) -> None:
    assert "say whose pins" in refusal(["who"], capsys)


@pytest.mark.parametrize(
    ("words", "both"),
    [
        (["who", "--all", "--core", "small", "--guest", "x"], "--core and --guest"),
        (["who", "--user", "0", "--core", "small", "--guest", "x"], "--core and --guest"),
        (["census", "--core", "small", "--guest", "x"], "--core and --guest"),
        (["census", "--core", "small", "--open", "x"], "--core and --open"),
    ],
)
def test_of_two_sources_it_is_said_which(words: list[str], both: str, capsys: Capture) -> None:
    assert f"only one source can be read, not {both}" in refusal(words, capsys)


@pytest.mark.parametrize("uid", ["-1", "4294967295", "99999999999999", "9" * 5000])
def test_of_a_number_it_is_said_what_a_uid_may_be(uid: str, capsys: Capture) -> None:
    assert "is no uid: they go from 0 to 4294967294" in refusal(["who", "--user", uid], capsys)


def test_of_a_dump_a_user_is_a_number(capsys: Capture) -> None:
    said = refusal(["who", "--user", "nobody", "--core", "small"], capsys)
    assert "without its names of users; give the uid" in said


def test_an_empty_name_of_a_user(capsys: Capture) -> None:
    assert "empty name" in refusal(["who", "--user", ""], capsys)


def test_of_a_process_that_is_not_there_a_frame_is_spoken_of_where_one_can_be_given(
    capsys: Capture,
) -> None:
    assert "a frame is written 0x" in refusal(["who", "999999999"], capsys)
    assert "frame" not in refusal(["census", "--process", "999999999"], capsys)


@pytest.mark.parametrize("words", [["who", ""], ["census", "--file", ""]])
def test_an_empty_name_of_a_file(words: list[str], capsys: Capture) -> None:
    assert "empty" in refusal(words, capsys)


@pytest.mark.parametrize("place", ["/proc", "/sys", "/dev/pts"])
def test_a_mount_without_pages_is_refused(place: str, capsys: Capture) -> None:
    if not os.path.ismount(place):
        pytest.skip(f"nothing is mounted at {place}")
    said = refusal(["who", "--device", place], capsys)
    assert "which has neither a device nor pages of files" in said


def test_a_mount_in_memory_has_pages() -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("nothing is mounted at /dev/shm")
    assert groups.block_device("/dev/shm").numbers


def unread(*words: str, and_errors: bool = False) -> tuple[int, bytes]:
    """The status of a command whose output, and errors if they go there as well, nobody reads."""
    end, begin = os.pipe()
    os.close(end)
    line = [sys.executable, "-c", "from pinlab.cli import main; main()", *words]
    errors = begin if and_errors else subprocess.PIPE
    done = subprocess.run(line, stdout=begin, stderr=errors, timeout=60)
    os.close(begin)
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize("words", ["--help", "census --help", "list", "list --json"])
def test_where_nobody_reads_it_is_as_of_other_programs(words: str) -> None:
    assert unread(*words.split()) == (141, b"")


def test_a_long_answer_that_is_read_in_part() -> None:
    code = "from pinlab.cli._show import show_json; show_json({'a': list(range(9 ** 6))})"
    made = f"import pinlab.cli._app as app; app._line = lambda: lambda *_, **__: exec({code!r}); "
    line = [sys.executable, "-c", f"{made}from pinlab.cli import main; main()"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"{\n"
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")


def test_a_refusal_that_nobody_reads_is_still_misuse() -> None:
    assert unread("who", "", and_errors=True) == (2, b"")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_of_its_status_what_is_so(command: str, capsys: Capture) -> None:
    run([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    judged = "0 holds, 1 violated" in said
    assert judged is (EXITS[command] == JUDGED)
    assert "Exit status: " in said
    if EXITS[command] == SAID:
        assert re.search(r"Status \d", said)


def test_every_command_says_what_its_status_is() -> None:
    assert EXITS.keys() == set(COMMANDS)
    field = ("census", "diff", "doctor", "hold", "record", "who", "timeline")
    assert JUDGED not in {EXITS[command] for command in field}

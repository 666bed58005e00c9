"""A guest that does not come up, hangs, or dies is told in a sentence, in bounded time.

QEMU is played by small programs; real kernels are booted in tests/live/test_guest_witness.py.
"""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.guest import archive, machine, root
from pinlab.guest.kernel import GuestError, Kernel, kernel

RELEASE = "6.12.0-fake"


def image(place: Path) -> Path:
    """A file that begins as a bzImage does."""
    header = bytearray(0x300)
    header[0x202:0x206] = b"HdrS"
    header[0x20E:0x210] = (0x300).to_bytes(2, "little")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(bytes(header) + bytes(0x200) + f"{RELEASE} (me@here) #1".encode() + bytes(9))
    return place


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An unpacked kernel package with one module; its image."""
    modules = tmp_path / "lib/modules" / RELEASE / "kernel/fs"
    modules.mkdir(parents=True)
    (modules / "fuse.ko").write_bytes(b"\0depends=\0")
    return image(tmp_path / f"boot/vmlinuz-{RELEASE}")


Qemu = Callable[[str], None]


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Qemu:
    """Puts a program in the place of QEMU: it has the orders' socket as file `orders`."""
    whole = tmp_path / "root.cpio"
    whole.write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    root.folder().mkdir(parents=True)
    monkeypatch.setattr(root, "root", lambda: whole)

    def put(text: str) -> None:
        program = tmp_path / "qemu"
        program.write_text(
            f"#!{sys.executable}\nimport json, os, re, socket, sys, time\n"
            "fd = next(int(w.rpartition('=')[2]) for w in sys.argv if w.startswith('socket'))\n"
            f"orders = socket.socket(fileno=fd).makefile('rw')\n{text}"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PINLAB_QEMU", str(program))

    return put


READY = "print('[]', file=orders, flush=True)\n"
ANSWER = f"""{READY}
for line in orders:
    what, words = json.loads(line)
    assert what == 'run'
    print(json.dumps([3, words[0] + ' out', words[0] + ' err', 0.5]), file=orders, flush=True)
"""


def test_what_a_command_says_is_said_here(
    package: Path, qemu: Qemu, capsys: pytest.CaptureFixture[str]
) -> None:
    qemu(ANSWER)
    assert run(["guest", "--kernel", str(package), "--", "who", "--all"]) == 3
    said = capsys.readouterr()
    assert (said.out, said.err) == ("who out", "who err")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sys.exit('no such machine')", "the guest has ended; its console ends with: no such"),
        ("print('BUG: oops', flush=True)\ntime.sleep(60)", "sign of life in 1 s; its console"),
        (
            "print('[]', file=orders, flush=True)\ntime.sleep(60)",
            "no answer to `pinlab who` in 1 s",
        ),
        (
            "print('[]', file=orders, flush=True)\norders.readline()\nprint('}', file=orders)",
            "is no",
        ),
    ],
    ids=["ends", "hangs", "never answers", "raves"],
)
def test_a_guest_that_fails_is_told_in_time(package: Path, qemu: Qemu, text: str, why: str) -> None:
    qemu(text)
    began = time.monotonic()
    with (
        pytest.raises(GuestError, match=why),
        machine.boot(kernel(package), seconds=1) as guest,
    ):
        guest.run(["who"], 1)
    assert time.monotonic() - began < 30


WAIT = """
import sys
from pathlib import Path
from pinlab.guest import machine, root
from pinlab.guest.kernel import kernel
root.root = lambda: Path(sys.argv[2])
with machine.boot(kernel(Path(sys.argv[1]))) as guest:
    print(guest.process.pid, flush=True)
    sys.stdin.read()
"""


def test_it_dies_with_us_also_after_kill_9(package: Path, qemu: Qemu, tmp_path: Path) -> None:
    qemu(f"{READY}time.sleep(600)")
    command = [sys.executable, "-c", WAIT, str(package), str(tmp_path / "root.cpio")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert [each.name for each in root.folder().iterdir()] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--kernel", "{tmp}/nothing", "--", "who"], "nothing cannot be read: No such file"),
        (["--kernel", "{tmp}/text", "--", "who"], "text is no kernel to boot"),
        (["--kernel", "{tmp}/alone", "--", "who"], f"there are no modules of {RELEASE} in"),
        (["--kernel", "{package}", "--modules", "/proc", "--", "who"], "there are no modules"),
        (["--kernel", "{package}", "--", "who"], "there is no nowhere; install it"),
    ],
    ids=["no file", "no kernel", "no modules", "no modules there", "no QEMU"],
)
def test_what_is_missing_is_a_sentence(
    tmp_path: Path,
    package: Path,
    qemu: Qemu,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.setenv("PINLAB_QEMU", "nowhere")
    (tmp_path / "text").write_text("no kernel" * 200)
    image(tmp_path / "alone")
    assert run(["guest", *(each.format(tmp=tmp_path, package=package) for each in words)]) == 3
    said = capsys.readouterr()
    assert sentence in said.err and not said.out


def test_modules_come_behind_those_they_need(tmp_path: Path) -> None:
    for name, needs in (
        ("nd-pmem", "libnvdimm,nd_btt"),
        ("nd_btt", "libnvdimm"),
        ("libnvdimm", ""),
    ):
        (tmp_path / f"{name}.ko").write_bytes(b"\0depends=" + needs.encode() + b"\0")
    found = Kernel(tmp_path, RELEASE, tmp_path).load(["nd_pmem", "built_in"])
    assert list(found) == ["libnvdimm", "nd_btt", "nd_pmem"]


def entries(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and content, as Documentation/driver-api/early-userspace has the format."""
    at = 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        start = -(-(at + 110 + length) // 4) * 4
        yield name, mode, data[start : start + size]
        at = -(-(start + size) // 4) * 4


def test_an_archive_has_each_file_behind_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    made = io.BytesIO()
    archive.write(made, {"init": b"#!", "a/b/c": file}, ["proc"])
    found = list(entries(made.getvalue()))
    assert [(name, stat.S_IFMT(mode), content) for name, mode, content in found] == [
        *((name, stat.S_IFDIR, b"") for name in ("a", "a/b", "dev", "proc")),
        ("dev/console", stat.S_IFCHR, b""),
        ("init", stat.S_IFREG, b"#!"),
        ("a/b/c", stat.S_IFREG, b"12345"),
        ("TRAILER!!!", 0, b""),
    ]

"""Where this machine refuses, one sentence says why; nothing falls through as a traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlab.cli._app import run
from pinlab.field.errors import ReaderError
from pinlab.field.layout import btf
from pinlab.field.machine import bpf
from pinlab.field.memory import choose, live
from pinlab.field.memory.live import LiveReader
from tests.field.synthetic import types


def refuse(number: int, said: str = "") -> Callable[..., int]:
    """A bpf(2) that gives this error."""

    def call(*_: object) -> int:
        raise OSError(number, said or os.strerror(number))

    return call


@pytest.fixture
def no_kcore(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise ReaderError("there is no /proc/kcore")

    monkeypatch.setattr(choose, "kcore", none)


@pytest.mark.parametrize(
    ("number", "lockdown", "capable", "words"),
    [
        (errno.ENOSYS, "", True, "CONFIG_BPF_SYSCALL"),
        (errno.EPERM, "", False, "needs root, or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN"),
        (errno.EPERM, "confidentiality", True, r"locked down \(confidentiality\)"),
        (errno.EINVAL, "none", True, "refused the BPF program .*: Invalid argument"),
    ],
)
def test_why(
    monkeypatch: pytest.MonkeyPatch, number: int, lockdown: str, capable: bool, words: str
) -> None:
    monkeypatch.setattr(bpf, "_bpf", refuse(number))
    monkeypatch.setattr(live, "_lockdown", lambda: lockdown)
    monkeypatch.setattr(live, "_capable", lambda: capable)
    with pytest.raises(ReaderError, match=words):
        LiveReader(types("6.18"))


def test_a_refused_load_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, no_kcore: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bpf, "_bpf", refuse(errno.EINVAL))
    monkeypatch.setattr(live, "_capable", lambda: True)
    assert run(["census"]) == 3
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert "refused the BPF program" in err and "there is no /proc/kcore" in err


def test_a_kernel_without_btf(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_file() -> btf.Btf:
        return read(tmp_path / "vmlinux")

    read = btf.Btf.of_file
    monkeypatch.setattr(btf.Btf, "of_file", of_file)
    assert run(["census"]) == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "CONFIG_DEBUG_INFO_BTF" in err


def test_without_drgn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import builtins

    real = builtins.__import__

    def none(name: str, *rest: object, **more: object) -> object:
        if name == "drgn" or "through_drgn" in str(rest):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(ReaderError, match=r"pip install 'pinlab\[drgn\]'"):
        choose.choose(core=tmp_path / "core")


def test_dumps_and_guests_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("drgn", reason="drgn is not installed")
    junk = tmp_path / "core"
    junk.write_bytes(b"\x7fELF" + bytes(200))
    for core in (junk, tmp_path / "none", tmp_path):
        with pytest.raises(ReaderError, match="not a dump that can be read"):
            choose.choose(core=core)
    with pytest.raises(ReaderError, match="not a QMP socket"):
        choose.choose(guest=tmp_path / "none")


def test_a_closed_reader_says_so() -> None:
    reader = LiveReader.__new__(LiveReader)
    reader._open = False
    with pytest.raises(ReaderError, match="closed"):
        reader.read(0, 8)
    reader.close()

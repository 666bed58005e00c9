"""What /proc alone tells: the buffers of a ring's fdinfo, from a /proc made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlab.field.errors import ReaderError
from pinlab.field.holders import fdinfo
from pinlab.field.holders.claim import Owner

RING = """pos:\t0
ino:\t58524
SqMask:\t0x0
UserFiles:\t1
    0: memfd:x
UserBufs:\t2
    0: 0x7f86b3c87000/131072
    3: 0x7f86b0000000/4096
PollList:
  op=1, task_works=0
    9: 0x1/1
NAPI:\tdisabled
"""
OLD = "UserBufs:\t1\n    0: 0x1000/8192\nPollList:\n"


def test_buffers() -> None:
    assert fdinfo.buffers(RING) == [(0, 0x7F86B3C87000, 131072), (3, 0x7F86B0000000, 4096)]
    assert fdinfo.buffers(OLD) == [(0, 0x1000, 8192)]
    assert fdinfo.buffers("pos:\t0\n") == []


def test_every_process_is_asked_and_every_claim_is_weak(tmp_path: Path) -> None:
    for pid, text in ((30, OLD), (4, "pos:\t0\n")):
        folder = tmp_path / str(pid) / "fdinfo"
        folder.mkdir(parents=True)
        (folder.parent / "comm").write_text(f"task{pid}\n")
        (folder / "5").write_text(text)
    (tmp_path / "99").mkdir()  # it ended
    (tmp_path / "self").mkdir()

    walked = fdinfo.walk(tmp_path)

    (claim,) = walked.claims
    assert claim.weak
    assert claim.owners == (Owner(30, "task30", 5),)
    assert (claim.address, claim.length) == (0x1000, 8192)
    assert {each.kind for each in walked.skipped} >= {"bio", "fuse", "af_xdp"}
    assert walked.of(4).claims == ()


def test_one_process_is_asked_or_said_not_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "30" / "fdinfo"
    folder.mkdir(parents=True)
    (folder.parent / "comm").write_text("task\n")
    (folder / "5").write_text(OLD)
    assert [claim.length for claim in fdinfo.walk(tmp_path, 30).claims] == [8192]
    with pytest.raises(ReaderError, match="31 ended"):
        fdinfo.walk(tmp_path, 31)

    def refuse(_: Path) -> list[Path]:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ReaderError, match="process 30 may not be looked at"):
        fdinfo.walk(tmp_path, 30)

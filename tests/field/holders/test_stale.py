"""Whether a claim's pages are where they were, by pagemaps that are only arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pinlab.field.errors import ReaderError
from pinlab.field.holders import addresses, stale
from pinlab.field.holders.claim import Claim, Mapped, Owner
from pinlab.field.holders.extents import Extents
from pinlab.field.machine import pagemap

PAGE = 4096
START = 16 * PAGE


class Machine:
    """Processes as arrays: the frame of each page from START on; 0 for none."""

    def __init__(self, **frames: list[int]) -> None:
        self.frames = {int(pid[1:]): np.array(each, np.uint64) for pid, each in frames.items()}
        self.anonymous = True

    def pagemap(self, address: int, length: int, pid: int | None = None) -> NDArray[np.uint64]:
        if pid not in self.frames:
            raise ReaderError("it ended")
        first = (address - START) // PAGE
        return self.frames[pid][first : first + length // PAGE].copy()

    def flags(self, pfns: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return np.full(len(pfns), self.anonymous << pagemap.KPF_ANON, np.uint64)

    def find(self, pid: int, frames: dict[int, NDArray[np.uint64]]) -> dict[int, int]:
        sought = addresses._Sought(frames)
        found = sought.matches(self.frames[pid])
        return {key: START + page * PAGE for key, page in found}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(p7=[10, 11, 12, 0, 0, 0])
    monkeypatch.setattr(pagemap, "frames", made.pagemap)
    monkeypatch.setattr(pagemap, "flags", made.flags)
    monkeypatch.setattr(addresses, "find", made.find)
    maps = f"{START:x}-{START + 6 * PAGE:x} rw-p\n".encode()
    monkeypatch.setattr(Path, "read_bytes", lambda _: maps)
    return made


def compared(*pids: int, frames: tuple[int, ...] = (10, 11), payer: int | None = None) -> Claim:
    extents = Extents.of_pages(np.array(frames, np.uint64))
    owners = tuple(Owner(pid, "x", 3) for pid in pids)
    length = len(frames) * PAGE
    claim = Claim("k", "d", owners, extents, address=START, length=length, payer=payer)
    return stale.compare([claim])[0]


def test_they_are_there(machine: Machine) -> None:
    assert compared(7).mapped is Mapped.there


def test_they_are_elsewhere(machine: Machine) -> None:
    found = compared(7, frames=(11, 12))
    assert (found.mapped, found.mapped_at) == (Mapped.elsewhere, START + PAGE)


def test_other_pages_are_there(machine: Machine) -> None:
    found = compared(7, frames=(10, 99, 98))
    assert (found.mapped, found.stale_pages) == (Mapped.stale, 2)


@pytest.mark.parametrize(("anonymous", "mapped"), [(True, Mapped.stale), (False, Mapped.there)])
def test_a_page_that_is_not_there_comes_back_if_it_is_a_files(
    machine: Machine, anonymous: bool, mapped: Mapped
) -> None:
    machine.frames[7][1] = 0
    machine.anonymous = anonymous
    assert compared(7).mapped is mapped


def test_of_several_processes_one_has_them(machine: Machine) -> None:
    machine.frames[8] = np.array([20, 21, 0, 0, 0, 0], np.uint64)
    found = compared(8, frames=(10, 11), payer=7)
    assert (found.mapped, found.mapped_by) == (Mapped.there, 7)


def test_of_a_process_that_ended_nothing_is_said(machine: Machine) -> None:
    assert compared(9).mapped is None

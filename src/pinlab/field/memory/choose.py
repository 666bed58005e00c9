"""Which reader: what was asked for, else the best that this machine allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

from pinlab.field.errors import ReaderError
from pinlab.field.memory.live import LiveReader
from pinlab.field.memory.reader import Reader


def choose(core: Path | None = None, guest: Path | None = None) -> Reader:
    """A dump, a guest by its QMP socket, or else the running kernel.

    The running kernel is read by BPF; where that is refused, through /proc/kcore. Raises
    ReaderError with the reason of each.
    """
    if core is not None:
        return cast(Reader, _drgn().core(core))
    if guest is not None:
        return cast(Reader, _drgn().guest(guest))
    try:
        return LiveReader()
    except ReaderError as refused:
        return _instead(refused, kcore)


def _instead(refused: ReaderError, other: Callable[[], Reader]) -> Reader:
    try:
        return other()
    except ReaderError as also:
        raise ReaderError(f"{refused}; and {also}") from None


def kcore() -> Reader:
    """The running kernel through /proc/kcore. Raises ReaderError."""
    if not Path("/proc/kcore").exists():
        raise ReaderError("there is no /proc/kcore (CONFIG_PROC_KCORE)")
    return cast(Reader, _drgn().kcore())


def _drgn() -> ModuleType:
    try:
        from pinlab.field.memory import through_drgn
    except ImportError:
        raise ReaderError(
            "drgn is not installed, which reads dumps, guests and /proc/kcore: "
            "pip install 'pinlab[drgn]'"
        ) from None
    return through_drgn

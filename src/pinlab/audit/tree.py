"""A kernel's source: a folder, a git checkout, or a tar; which of its files are worth reading."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Flag, auto
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from pinlab.audit.era import HEADERS
from pinlab.errors import UsageError

NOT_THE_KERNEL: Final = frozenset({"Documentation", "scripts", "tools", "usr", ".git", "debian"})
"""Folders at the top of a tree that hold no code of the kernel."""

LARGEST: Final = 1 << 20
"""Bytes. The files beyond it are tables of registers, 500 MB of them."""

_MAKE: Final = "include/linux/mm.h"


class About(Flag):
    """What a file speaks of, by the words that stand in it."""

    nothing = 0
    acquire = auto()
    unpin = auto()
    put = auto()
    mapcount = auto()


_WORDS: Final[tuple[tuple[About, tuple[bytes, ...]], ...]] = (
    (
        About.acquire,
        (
            *(b"get_user_page", b"pin_user_page", b"memfd_pin_folios"),
            *(b"iov_iter_get_pages", b"iov_iter_extract_"),
        ),
    ),
    (About.unpin, (b"unpin_user_", b"unpin_folio", b"put_user_page")),
    (About.put, (b"put_page(", b"folio_put(", b"release_pages(")),
    (
        About.mapcount,
        (
            *(b"mapcount", b"page_mapped(", b"folio_mapped(", b"_mapped_shared("),
            *(b"_mapped_exclusively(", b"folio_expected_ref_count("),
        ),
    ),
)

_SOME: Final = (b"page", b"folio", b"mapcount", b"iov_iter_extract_")
"""One of them stands wherever one of the words does: six files of seven have none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in which some of the words stand."""

    path: str
    about: About


@dataclass(slots=True)
class Contents:
    """What a folder has."""

    root: Path
    candidates: list[Candidate] = field(default_factory=list)
    files: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    neighbours: dict[str, list[str]] = field(default_factory=dict)
    """The .c files of each folder."""


Progress = Callable[[str], None]


@contextmanager
def unpacked(tree: Path, progress: Progress) -> Iterator[Path]:
    """The tree as a folder. Raises UsageError if it is none, or is not a kernel's."""
    if tree.is_dir():
        _require_kernel(tree, tree)
        yield tree
        return
    if not tree.exists():
        raise UsageError(f"there is no {tree}; say a kernel's folder, or a tar of it")
    if not tree.is_file():
        raise UsageError(f"{tree} is neither a folder nor a file; say a kernel's folder or a tar")
    with tempfile.TemporaryDirectory(
        prefix="pinlab-audit-", dir=os.environ.get("TMPDIR", "/var/tmp")
    ) as place:
        _unpack(tree, Path(place), progress)
        _require_kernel(Path(place), tree)
        yield Path(place)


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """As many processes as there are cores."""
    pool = ProcessPoolExecutor(
        os.cpu_count(), get_context("fork"), initializer=_end_with, initargs=(os.getpid(),)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


_PR_SET_PDEATHSIG: Final = 1


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however it does."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


_VERSION: Final = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)", re.M)


def release(root: Path) -> str:
    """VERSION.PATCHLEVEL.SUBLEVEL of a tree's Makefile; "" if there is none."""
    try:
        text = (root / "Makefile").read_text(errors="replace")
    except OSError:
        return ""
    found = dict(_VERSION.findall(text))
    return ".".join(found[each] for each in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if each in found)


def _require_kernel(folder: Path, said: Path) -> None:
    if not (folder / _MAKE).is_file():
        raise UsageError(
            f"{said} has no {_MAKE}, so it is no kernel's source; say the folder that has it"
        )


def _unpack(archive: Path, to: Path, progress: Progress) -> None:
    """The .c and .h files of a tar, without its first folder if all are in one."""
    done = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                parts = Path(member.name).parts
                parts = parts[1:] if parts[:1] == (".",) else parts
                inside = _inside(parts)
                if inside is None or not member.isfile() or member.size > LARGEST:
                    continue
                source = tar.extractfile(member)
                if source is None:
                    continue
                target = to / Path(*inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
                done += 1
                if done % 1000 == 0:
                    progress(f"unpacking {archive.name}: {done:,} files")
    except tarfile.ReadError as error:
        if not done:
            raise UsageError(
                f"{archive} is no tar (plain, gz, bz2 or xz); say a folder or a tar"
            ) from error
        raise UsageError(
            f"{archive} ends too soon, after {done:,} C files; fetch it again"
        ) from error
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise UsageError(
            f"{archive} cannot be read as a tar to its end ({error}, after {done:,} files of C); "
            "fetch it again, or unpack what there is and say the folder"
        ) from error
    except Exception as error:  # lzma.LZMAError and zlib.error have no common base
        if type(error).__module__ not in ("lzma", "_lzma", "zlib"):
            raise
        raise UsageError(f"{archive} is damaged ({error}); fetch it again") from error


def _inside(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """A member's path within the kernel; None if it is not wanted."""
    inside = parts[1:] if parts and parts[0].startswith(("linux", "kernel")) else parts
    if inside == ("Makefile",):
        return inside
    if len(inside) < 2 or ".." in inside or inside[-1][-2:] not in (".c", ".h"):
        return None
    return None if inside[0] in NOT_THE_KERNEL else inside


def contents(root: Path, pool: ProcessPoolExecutor, progress: Progress) -> Contents:
    """Every file of C of a folder, sorted by what it speaks of. Links are not followed."""
    found = Contents(root)
    paths: list[str] = []
    for path in _walk(root, found.left_out):
        paths.append(path)
        if path.endswith(".c"):
            found.neighbours.setdefault(os.path.dirname(path), []).append(path)
    found.files = len(paths)
    paths.sort()
    step = 2000
    chunks = [paths[at : at + step] for at in range(0, len(paths), step)]
    scanned = pool.map(_scan, [str(root)] * len(chunks), chunks)
    for number, (candidates, left_out) in enumerate(scanned, 1):
        found.candidates += candidates
        found.left_out.update(left_out)
        progress(f"reading: {min(number * step, len(paths)):,} of {len(paths):,} files")
    return found


def _walk(root: Path, left_out: Counter[str]) -> Iterator[str]:
    stack = [""]
    while stack:
        folder = stack.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            left_out["folder that could not be read"] += 1
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                left_out["link"] += entry.name.endswith((".c", ".h"))
            elif entry.is_dir(follow_symlinks=False):
                if folder or entry.name not in NOT_THE_KERNEL:
                    stack.append(path)
            elif entry.name.endswith((".c", ".h")) and entry.is_file(follow_symlinks=False):
                yield path


def _scan(root: str, paths: list[str]) -> tuple[list[Candidate], Counter[str]]:
    left_out: Counter[str] = Counter()
    candidates = []
    for path in paths:
        full = f"{root}/{path}"
        try:
            if os.stat(full).st_size > LARGEST:
                left_out["larger than 1 MiB"] += 1
                continue
            with open(full, "rb") as file:
                source = file.read()
        except OSError:
            left_out["could not be read"] += 1
            continue
        if not any(some in source for some in _SOME):
            continue
        about = About.nothing
        for each, words in _WORDS:
            if any(word in source for word in words):
                about |= each
        if not about:
            continue
        if b"\0" in source:
            left_out["not text"] += 1
            continue
        candidates.append(Candidate(path, about))
    return candidates, left_out


def headers(found: Contents) -> dict[str, str]:
    """The headers that declare the interface."""
    return {
        each: (found.root / each).read_text("utf-8", "replace")
        for each in HEADERS
        if (found.root / each).is_file()
    }

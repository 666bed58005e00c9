"""What every kind of hold has in common: the request, what is then held, and finding kinds."""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pinlab.errors import UsageError
from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pinning.memory import Buffer, Memory, buffer
from pinlab.field.acts.pmem import pmem
from pinlab.field.errors import FieldError
from pinlab.field.holders.accounting import Accounted
from pinlab.field.holders.extents import Extents


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that holds pages, as it is known to whoever made it."""

    kind: str
    memory: Memory
    pid: int
    command: str
    fd: int | None
    address: int
    length: int
    extents: Extents
    """The frames, and the count expected on each; empty without the privilege to know them."""
    counted_as: str
    """"pins", or "references" for holders that the pin counters do not know."""
    accounted_in: tuple[Accounted, ...]
    """Empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of hold; a file of `kinds/` defines one as KIND."""

    name: str
    summary: str
    memories: tuple[Memory, ...]
    most: int
    """The most bytes that one hold can be."""
    most_count: int
    make: Callable[[Buffer], AbstractContextManager[Held]]
    """Hold a filled buffer. Raises OSError, or FieldError with a sentence of its own."""


@cache
def load() -> Mapping[str, Kind]:
    """Every kind by name, found by its place."""
    package = importlib.import_module("pinlab.field.acts.pinning.kinds")
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(package.__path__):
        kind = importlib.import_module(f"{package.__name__}.{module.name}").KIND
        assert isinstance(kind, Kind)
        found[kind.name] = kind
    return MappingProxyType(found)


@contextmanager
def hold(
    name: str,
    size: int,
    *,
    memory: Memory = Memory.anon,
    count: int = 1,
    device: Path | None = None,
) -> Iterator[tuple[Held, ...]]:
    """Hold `count` buffers of `size` bytes each, until the block ends. Those of FS-DAX are on a new
    file system on `device`, whatever was there.

    Raises UsageError for a request that makes no sense, FieldError where this machine refuses.
    """
    kind = load().get(name)
    if kind is None:
        raise UsageError(f"there is no kind {name!r}; there are {', '.join(load())}")
    if memory not in kind.memories:
        choice = ", ".join(kind.memories)
        raise UsageError(f"{name} does not pin --memory {memory}; it pins {choice}")
    if not 0 < size <= kind.most:
        raise UsageError(f"{name} holds from one byte to {kind.most >> 20} MiB at once")
    if not 0 < count <= kind.most_count:
        raise UsageError(f"{name} is made from 1 to {kind.most_count} times at once")
    if (memory is Memory.dax) != (device is not None):
        raise UsageError(
            "--memory dax goes with --pmem /dev/pmemN: persistent memory, which is overwritten"
        )
    with ExitStack() as stack:
        held = []
        folder = None
        if device is not None:
            folder = stack.enter_context(pmem(FileSystem.ext4, device)).mount
        for _ in range(count):
            pages = stack.enter_context(buffer(memory, size, folder))
            try:
                held.append(stack.enter_context(kind.make(pages)))
            except OSError as error:
                raise FieldError(f"this machine does not allow {name}: {_why(error)}") from error
        yield tuple(held)


HINTS = {
    errno.EPERM: "that needs root",
    errno.EACCES: "that needs root",
    errno.ENOMEM: "RLIMIT_MEMLOCK may be too low (ulimit -l), or memory is short",
    errno.ENOSYS: "the kernel was built without it",
    errno.EAFNOSUPPORT: "the kernel was built without it",
    errno.ENOENT: "the kernel was built without it, or its module is not loaded",
    errno.EFAULT: "the kernel refuses to pin such memory",
}


def _why(error: OSError) -> str:
    words = error.strerror or str(error)
    if error.filename is not None:
        words = f"{error.filename}: {words}"
    hint = HINTS.get(error.errno or 0)
    return f"{words} ({hint})" if hint else words


def held(
    kind: str,
    pages: Buffer,
    extents: Extents,
    *,
    fd: int | None = None,
    references: bool = False,
    accounted_in: tuple[Accounted, ...] = (),
) -> Held:
    """A `Held` of our own process."""
    return Held(
        kind=kind,
        memory=pages.memory,
        pid=os.getpid(),
        command=command(),
        fd=fd,
        address=pages.address,
        length=pages.length,
        extents=extents,
        counted_as="references" if references else "pins",
        accounted_in=accounted_in,
    )


def command() -> str:
    """Our name as the kernel has it (task->comm)."""
    with open("/proc/self/comm", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().rstrip("\n")

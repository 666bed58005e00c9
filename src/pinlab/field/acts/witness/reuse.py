"""O3: a block of an FS-DAX file is given to another file while a device still stores into it.

A new file on a file system of our own, mapped shared; a direct read from a device that withholds
its answer, into that mapping, so that pages of the file, which are blocks of the device, are held.
Then the file is unmapped, closed and unlinked, and new files are made until one has its first
block, or none does. At last the device answers. What is done that may wait is done by a child.

The control run cuts the file by truncate, for which every kernel with FS-DAX waits until the page
is idle (ext4_break_layouts, xfs_break_dax_layouts): its blocks must not be met.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from pinlab import objectives
from pinlab.field.acts.file_system import FileSystem
from pinlab.field.acts.pinning.kinds import fuse
from pinlab.field.acts.pinning.memory import Buffer, Memory
from pinlab.field.acts.pmem import Pmem, pmem
from pinlab.field.acts.witness.evidence import HEAD, SENT
from pinlab.field.acts.witness.placement import places
from pinlab.field.census.struct_page import column
from pinlab.field.errors import FieldError
from pinlab.field.layout.page import PageLayout, page_layout
from pinlab.field.machine import pagemap, syscalls
from pinlab.field.machine.pagemap import PAGE
from pinlab.field.memory import choose
from pinlab.field.memory.reader import Reader
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event
from pinlab.objectives.judge import Judgement, judge
from pinlab.objectives.verdict import Outcome, Verdict

FILE: Final = "file"
SIZE: Final = 256 << 10
"""Bytes of a file. ext4 takes small files' blocks out of a group of their own for each CPU, where
one of 64 KiB was not met in 150 files."""
HELD: Final = 4
"""Pages that the device stores into."""
FILES: Final = 40
"""New files that are made to meet the block. XFS gave it to the 1st to 10th."""
WAITS: Final = 1.0
"""Seconds after which unlink or truncate is said to wait; without a pin it takes milliseconds."""
PATIENCE: Final = 30.0
"""Seconds for it to end once the pin is gone."""


@dataclass(frozen=True, slots=True)
class Met:
    """A new file that has the block."""

    number: int
    """The how many-th it was."""
    pfn: int
    refcount: int
    before: bytes
    """Its first bytes there, while the device had not answered."""
    after: bytes = b""
    """And after that."""


@dataclass(slots=True)
class Run:
    """What happened in one run."""

    control: bool
    steps: list[tuple[int, str]] = field(default_factory=list)
    """When, in ns of the monotonic clock, and what."""
    events: list[Event] = field(default_factory=list)
    """Of the page, in their order."""
    block: int = 0
    """The byte of the device at which the file's first block begins."""
    pfn: int = 0
    idle: int = 0
    """Its references before it was pinned."""
    pinned: int = 0
    """And when the device had it."""
    waited: bool = False
    """Whether unlink, or truncate, waited for the device."""
    files: int = 0
    """New files that were made."""
    met: Met | None = None
    warnings: list[str] = field(default_factory=list)
    """What the kernel said of DAX meanwhile."""

    def say(self, text: str) -> None:
        """Add a step."""
        self.steps.append((time.monotonic_ns(), text))

    @property
    def judgement(self) -> Judgement:
        """O3 over the events of the page."""
        objective = objectives.load()["O3"]
        assert isinstance(objective, Automaton)
        return judge(objective, self.events)

    @property
    def reproduced(self) -> bool:
        """Whether O3 was violated."""
        return bool(self.judgement.violations)

    @property
    def verdict(self) -> Verdict:
        """That of O3: *holds* takes that somebody waited for the page."""
        bounds = f"1 page of a file of {SIZE >> 10} KiB, {self.files} new files"
        if self.reproduced or self.waited:
            return self.judgement.verdict(bounds)
        return Verdict.inconclusive("nobody waited for the page, and no new file got it", bounds)


@dataclass(slots=True)
class Reuses:
    """The runs that were played to their end."""

    file_system: FileSystem
    control: bool
    asked: int
    kernel: str = ""
    runs: list[Run] = field(default_factory=list)
    ended: str = ""
    """Why there are fewer runs than were asked for."""

    @property
    def reproduced(self) -> int:
        """Runs in which O3 was violated."""
        return sum(run.reproduced for run in self.runs)

    @property
    def kept(self) -> int:
        """Runs in which it was kept."""
        return sum(run.verdict.outcome is Outcome.HOLDS for run in self.runs)


def repeat(series: Reuses, device: Path) -> Generator[Run]:
    """Play what is asked for, each run as it is over, when `series` has it.

    Raises FieldError if not even one can be played; a later failure ends the series.
    """
    try:
        with choose.choose() as reader, pmem(series.file_system, device) as disk:
            series.kernel = reader.release
            layout = page_layout(reader.btf)
            for _ in range(series.asked):
                run = _play(disk, reader, layout, series.control)
                series.runs.append(run)
                yield run
    except (FieldError, OSError) as error:
        series.ended = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if not series.runs:
            raise FieldError(
                f"o3 cannot be shown on {series.file_system}: {series.ended}"
            ) from None


def _play(disk: Pmem, reader: Reader, layout: PageLayout, control: bool) -> Run:
    """One run. Raises FieldError, OSError."""
    run = Run(control)
    said = _kernel_log()
    with ExitStack() as stack:
        # Left to right: the last one in is the first to go.
        stack.callback(_remove, disk, FILE)
        file = stack.enter_context(ExitStack())
        fd = _create(disk, FILE, os.urandom(HEAD))
        file.callback(os.close, fd)
        run.block = _block(disk, fd)
        address = _map(fd, file)
        run.pfn, run.idle = _frame(address), _references(reader, layout, _frame(address))
        run.say(
            f"a file of {SIZE >> 10} KiB on {disk.kind}, dax=always, mapped shared: its first "
            f"block is at byte {run.block:,}, frame {run.pfn}; references: {run.idle}"
        )
        hold = stack.enter_context(ExitStack())
        held = hold.enter_context(fuse.make(Buffer(Memory.file, address, HELD * PAGE)))
        run.pinned = _references(reader, layout, run.pfn)
        if run.pinned <= run.idle:
            raise FieldError("the device's read took no reference of the page")
        run.events.append(Event.PIN)
        run.say(
            f"a direct read into it is in flight, held by fd {held.fd}; references: {run.pinned}"
        )
        if control:
            child = _Child("truncate", partial(os.ftruncate, fd, 0))
        else:
            file.close()
            child = _Child("unlink", partial(os.unlink, FILE, dir_fd=disk.mount))
        stack.callback(child.end)
        stack.callback(hold.close)  # what waits for the device ends no sooner
        _wait(run, child)
        _meet(run, disk, partial(_references, reader, layout), hold)
        if run.met is None:
            if run.waited and child.done(0):
                run.waited = False
                run.say(f"{child.what} has returned meanwhile, before the device answered")
            hold.close()
            run.events.append(Event.UNPIN)
        if not child.done(PATIENCE):
            raise FieldError(f"{child.what} did not end when the device had answered")
    run.warnings = [line for line in said() if "dax" in line.lower()]
    return run


def _wait(run: Run, child: _Child) -> None:
    """Whether what frees the blocks waits for the device."""
    began = time.perf_counter()
    if child.done(WAITS):
        run.events.append(Event.BLOCK_FREE)
        took = (time.perf_counter() - began) * 1e3
        run.say(f"{child.what} returned after {took:.0f} ms, while the device may store")
        return
    stack = child.stack()
    inner = next((n for n, name in enumerate(stack) if _DAX.search(name)), None)
    run.waited = inner is not None
    if inner is None:
        run.say(f"{child.what} has not returned in {WAITS:g} s, and not for the page that one sees")
    else:
        run.say(f"{child.what} waits: {' < '.join(stack[inner : inner + 3])}")


def _meet(run: Run, disk: Pmem, references: Callable[[int], int], hold: ExitStack) -> None:
    """Make new files until one has the block; then let the device answer."""
    disk.sync()
    with ExitStack() as stack:
        for number in range(1, FILES + 1):
            name, mark = f"new{number}", os.urandom(HEAD)
            stack.callback(_remove, disk, name)
            try:
                fd = _create(disk, name, mark)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                break
            run.files = number
            with ExitStack() as file:
                file.callback(os.close, fd)
                if _block(disk, fd) == run.block:
                    pfn = _frame(_map(fd, file))
                    _reused(run, Met(number, pfn, references(pfn), os.pread(fd, HEAD, 0)), fd, hold)
                    return
        run.say(f"{run.files} new files: none has its block")


def _reused(run: Run, met: Met, fd: int, hold: ExitStack) -> None:
    """The block has another owner: is the page the same, and whose bytes are in it at last?"""
    if met.pfn != run.pfn:
        raise FieldError("the block is behind another frame, so nothing can be said")
    run.say(
        f"new file {met.number} has its block, and so its frame; references: {met.refcount}; "
        f"it reads {met.before.hex()}"
    )
    if met.refcount > run.idle:
        run.events.append(Event.BLOCK_REUSE)
    hold.close()
    run.met = replace(met, after=os.pread(fd, HEAD, 0))
    run.events += [Event.DEV_STORE] * (run.met.after == SENT) + [Event.UNPIN]
    run.say(
        f"the device has answered, {SENT.hex()}; new file {met.number} reads {run.met.after.hex()}"
    )


_DAX: Final = re.compile(r"dax|layout")
"""In the names of functions that wait until an FS-DAX page is idle: ext4_break_layouts,
xfs_break_dax_layouts, ext4_wait_dax_page, dax_break_layout_final."""


class _Child:
    """Somebody who does what may wait, and cannot be killed while it does."""

    def __init__(self, what: str, act: Callable[[], object]) -> None:
        self.what = what
        self._status: int | None = None
        self._pid = os.fork()
        if not self._pid:
            status = 1
            try:
                act()
                status = 0
            except OSError as error:
                status = error.errno or 1
            finally:
                os._exit(status)

    def done(self, seconds: float) -> bool:
        """Whether it ends within so many seconds. Raises OSError if it failed."""
        end = time.monotonic() + seconds
        while self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                return False
            else:
                time.sleep(0.002)
        if self._status:
            raise OSError(self._status, f"{self.what}: {os.strerror(abs(self._status))}")
        return True

    def stack(self) -> list[str]:
        """The functions it is in, the innermost first; none if the kernel does not tell."""
        try:
            text = Path(f"/proc/{self._pid}/stack").read_text()
        except OSError:
            return []
        return re.findall(r"^\[<0>\] (\w+)", text, re.M)

    def end(self) -> None:
        """Have it ended, if it can be."""
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            with suppress(OSError):
                self.done(PATIENCE)


def _create(disk: Pmem, name: str, mark: bytes) -> int:
    """A new file, `mark` at the begin of each page, on the device. Raises OSError."""
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=disk.mount)
    try:
        os.pwrite(fd, mark.ljust(PAGE, b"\0") * (SIZE // PAGE), 0)
        os.fsync(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def _remove(disk: Pmem, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=disk.mount)


def _block(disk: Pmem, fd: int) -> int:
    """The byte of the device at which a file begins."""
    at = places(disk.kind, fd, 1)[0]
    if at is None:
        raise FieldError("a synced file has no block")
    return at


def _map(fd: int, stack: ExitStack) -> int:
    """Map a file shared for as long as `stack` lasts, and every page of it. Raises OSError."""
    access = syscalls.PROT_READ | syscalls.PROT_WRITE
    address = syscalls.mmap(SIZE, access, syscalls.MAP_SHARED, fd)
    stack.callback(syscalls.munmap, address, SIZE)
    syscalls.touch(address, range(0, SIZE, PAGE))
    return address


def _frame(address: int) -> int:
    return int(pagemap.frames(address, PAGE)[0])


def _references(reader: Reader, layout: PageLayout, pfn: int) -> int:
    """The reference count of a frame, whatever is in it."""
    return int(column(reader.pages(pfn, 1), layout.refcount)[0])


def _kernel_log() -> Callable[[], list[str]]:
    """Gives the lines that the kernel has logged since; none if its log cannot be read."""
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return list
    os.lseek(log, 0, os.SEEK_END)

    def since() -> list[str]:
        lines = []
        with suppress(BlockingIOError, BrokenPipeError), os.fdopen(log, "rb", buffering=0) as file:
            while record := file.read(8192):
                lines.append(record.decode("utf-8", "replace").partition(";")[2].split("\n")[0])
        return lines

    return since

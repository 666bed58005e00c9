"""The census of this machine beside what else walks all pages; as ratios, in one run.

    python benchmarks/bench_field.py [--quick]

The measure is the time of copying all struct pages out of the kernel and doing nothing with
them. page-types (C, tools/mm of the kernel's source; $PAGE_TYPES or on the path) and the two
files of /proc it reads see no pins and no reference counts; they are what people have. drgn
walks the same pages from Python; it needs /proc/kcore and debug information. What is missing is
said and left out.

Then holders, beside those who list open files: `who --all` beside `lsof -n` and drgn's
for_each_file, with many pipes open, and `who FILE` beside `lsof FILE` and `fuser FILE`. These know
no pins; whole commands are measured, with what it takes to start them.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import Missing, needs
from pinlab.errors import UsageError
from pinlab.field.acts.pinning.kind import hold
from pinlab.field.census import census
from pinlab.field.census.place import place
from pinlab.field.errors import FieldError
from pinlab.field.layout.btf import Btf
from pinlab.field.layout.page import page_layout
from pinlab.field.memory.live import LiveReader

PAGE = 4096
HELD = 100_000
RUNS = 7
DRGN_PAGES = 20_000
PIPES = (300, 40)
PINLAB = (sys.executable, "-c", "from pinlab.cli import main; main()")


def best(action: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of the fastest run."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def copying(reader: LiveReader) -> None:
    for _ in reader.chunks(reader.ranges()):
        pass


def page_types() -> float:
    tool = os.environ.get("PAGE_TYPES") or shutil.which("page-types")
    if tool is None:
        raise Missing("page-types is not installed (tools/mm of the kernel's source, `make`)")
    try:
        return best(lambda: subprocess.run([tool], stdout=subprocess.DEVNULL, check=True), 3)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"page-types: {error}") from None


def proc_files(reader: LiveReader) -> float:
    """Reading /proc/kpagecount and /proc/kpageflags of all frames, without decoding them."""

    def read() -> None:
        for name in ("/proc/kpagecount", "/proc/kpageflags"):
            try:
                with open(name, "rb", buffering=0) as file:
                    for each in reader.ranges():
                        at, end = 8 * each.first, 8 * each.end
                        while at < end:
                            at += len(os.pread(file.fileno(), min(1 << 20, end - at), at))
            except OSError as error:
                raise Missing(f"{name}: {error.strerror}") from error

    return best(read, 3)


def drgn_here() -> Any:
    """Drgn's program of the running kernel, with debug information."""
    try:
        import drgn
    except ImportError:
        raise Missing("drgn is not installed") from None
    if not Path("/proc/kcore").exists():
        raise Missing("drgn: there is no /proc/kcore")
    program = drgn.Program()
    try:
        program.set_kernel()
        program.load_default_debug_info()
    except (OSError, drgn.MissingDebugInfoError) as error:
        raise Missing(f"drgn: {error}") from None
    return program


def through_drgn(pages: int) -> float:
    """The walk of drgn over all pages, extrapolated from the first ones."""
    program = drgn_here()
    from drgn.helpers.linux.mm import for_each_page

    started = time.perf_counter()
    for page in islice(for_each_page(program), DRGN_PAGES):
        page._refcount.counter.value_()
    return (time.perf_counter() - started) / DRGN_PAGES * pages


def files_by_drgn() -> float:
    """All open files of all processes by drgn's helpers."""
    program = drgn_here()
    from drgn.helpers.linux.fs import for_each_file
    from drgn.helpers.linux.pid import for_each_task

    def walk() -> None:
        for task in for_each_task(program):
            for _, file in for_each_file(task):
                file.f_op.release.value_()

    return best(walk, 2)


def command(*words: str) -> float:
    """Seconds of a command, whatever its status: that of `who` tells more than success."""
    needs(words[0])
    return best(lambda: subprocess.run(words, capture_output=True, check=False), 3)


@contextmanager
def many_pipes(processes: int, pipes: int) -> Iterator[None]:
    """Processes that have so many empty pipes open each."""
    opens = f"import os; p = [os.pipe() for _ in range({pipes})]; print(flush=True); input()"
    pipe = subprocess.PIPE
    words = [sys.executable, "-S", "-c", opens]
    children: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(processes):
            children.append(subprocess.Popen(words, stdin=pipe, stdout=pipe))
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        yield
    finally:
        for child in children:
            child.kill()
            child.communicate()


def holders() -> None:
    """Print who is quicker to say who has what."""
    with many_pipes(*PIPES):
        print(f"  {PIPES[0]} processes of {PIPES[1]} empty pipes each, beside all others")
        compare(
            ("lsof -n", lambda: command("lsof", "-n"), "open files; no pins, no vmsplice"),
            ("pinlab who --all", lambda: command(*PINLAB, "who", "--all"), "holders of all pins"),
            ("drgn, for_each_file", files_by_drgn, "open files"),
        )
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(1 << 20))
        file.flush()
        print("  who has one file of 1 MiB")
        compare(
            ("lsof FILE", lambda: command("lsof", file.name), "who has it open"),
            ("fuser FILE", lambda: command("fuser", file.name), "who has it open"),
            ("pinlab who FILE", lambda: command(*PINLAB, "who", file.name), "who pins its pages"),
        )


def compare(*peers: tuple[str, Callable[[], float], str]) -> None:
    """A line for each; the first that is there is the measure."""
    unit = 0.0
    for name, measure, says in peers:
        try:
            seconds = measure()
        except Missing as missing:
            print(f"  skipped: {missing}")
            continue
        unit = unit or seconds
        line(name, seconds, unit, says)


def line(name: str, seconds: float, unit: float, says: str) -> None:
    print(f"{name:34} {seconds * 1000:9.1f} ms {seconds / unit:8.2f}x  {says}")


def main(quick: bool = False) -> None:
    runs = 2 if quick else RUNS
    print(f"field: Linux {platform.release()}, {os.cpu_count()} processors")
    try:
        reader = LiveReader()
    except FieldError as error:
        print(f"  skipped: {error}")
        return
    with reader:
        count = sum(each.count for each in reader.ranges())
        print(f"  {count:,} struct pages of {count * PAGE / 2**30:.1f} GiB; best of {runs}")
        layout = page_layout(reader.btf)
        unit = best(lambda: copying(reader), runs)
        line("copying struct pages", unit, unit, "the measure")
        line("census", best(lambda: census(reader, layout), runs), unit, "pins of every folio")
        with ExitStack() as stack:
            try:
                for _ in range(-(-HELD // (64 * 2048))):
                    stack.enter_context(hold("io_uring", 2048 * PAGE, count=-(-HELD // 2048)))
                taken = census(reader, layout)
                seconds = best(lambda: census(reader, layout), runs)
                line(f"census, {len(taken.folios):,} folios pinned", seconds, unit, "")
                seconds = best(lambda: place(reader, taken), 2)
                line("  whose they are, besides", seconds, unit, "process, file, address")
            except (UsageError, OSError) as error:
                print(f"  skipped: {HELD:,} pinned pages: {error}")
        line("parsing BTF, once", best(Btf.of_file, runs), unit, "the layout")
        for name, peer, says in (
            ("page-types", page_types, "flags; no pins, no references"),
            ("/proc/kpagecount, kpageflags", lambda: proc_files(reader), "mappings and flags"),
            ("drgn, page by page", lambda: through_drgn(count), "references"),
        ):
            try:
                line(name, peer(), unit, says)
            except Missing as missing:
                print(f"  skipped: {missing}")
    holders()


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])

"""The census of this machine beside what else walks all pages; as ratios, in one run.

    python benchmarks/bench_field.py [--quick]

The measure is the time of copying all struct pages out of the kernel and doing nothing with
them. page-types (C, tools/mm of the kernel's source; $PAGE_TYPES or on the path) and the two
files of /proc it reads see no pins and no reference counts; they are what people have. drgn
walks the same pages from Python; it needs /proc/kcore and debug information. What is missing is
said and left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import Missing
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


def through_drgn(pages: int) -> float:
    """The walk of drgn over all pages, extrapolated from the first ones."""
    try:
        import drgn
        from drgn.helpers.linux.mm import for_each_page
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
    started = time.perf_counter()
    for page in islice(for_each_page(program), DRGN_PAGES):
        page._refcount.counter.value_()
    return (time.perf_counter() - started) / DRGN_PAGES * pages


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


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])

"""What watching costs a load of random 4 KiB writes; as ratios to the same load alone, in one run.

    python benchmarks/bench_watch.py [--quick]

fio writes a file of its own by pwrite, with an fsync each 64 writes, and once more by O_DIRECT.
Beside it run, in turn: nothing; `pinlab watch` as it is by default (pinned folios); `pinlab watch
--all` on that file system; bpftrace, which prints a line of each event of the same tracepoints.
It knows no counts of folios and judges nothing. Each ratio is the median over rounds of seconds
beside seconds alone in that round.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers import Missing, needs

ROUNDS = 5
WRITES = {"buffered": 400_000, "direct": 60_000}
SIZE = 64 << 20
PINLAB = (sys.executable, "-c", "from pinlab.cli import main; main()")
TRACEFS = Path("/sys/kernel/tracing")
SCRIPT = """
tracepoint:block:block_bio_queue {
    printf("queue %lu %d %d %lu %d\\n", nsecs, pid, args->dev, args->sector, args->nr_sector);
}
tracepoint:block:block_rq_complete {
    printf("complete %lu %d %d %lu %d\\n", nsecs, pid, args->dev, args->sector, args->nr_sector);
}
tracepoint:writeback:writeback_dirty_folio {
    printf("dirty %lu %d %lu %lu\\n", nsecs, pid, args->ino, args->index);
}
tracepoint:filemap:mm_filemap_add_to_page_cache {
    printf("add %lu %d %lu %lu %lu\\n", nsecs, pid, args->pfn, args->i_ino, args->index);
}
tracepoint:filemap:mm_filemap_delete_from_page_cache {
    printf("del %lu %d %lu %lu %lu\\n", nsecs, pid, args->pfn, args->i_ino, args->index);
}
"""

Beside = Callable[[Path], AbstractContextManager[dict[str, Any]]]


def load(path: Path, direct: bool, writes: int) -> float:
    """Seconds that fio's writes take, as it measures them itself."""
    needs("fio")
    sync = ["--direct=1"] if direct else ["--fsync=64"]
    done = subprocess.run(
        [
            "fio",
            *("--name=load", f"--filename={path}", f"--size={SIZE}", "--rw=randwrite", "--bs=4k"),
            *(f"--io_size={4096 * writes}", "--norandommap", "--ioengine=psync", "--randseed=1"),
            *("--output-format=json", *sync),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    job = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]
    return float(job["write"]["runtime"]) / 1e3


@contextmanager
def _running(command: list[str], ready: Callable[[], bool]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"{command[0]} did not start")
            time.sleep(0.1)
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def watched(*options: str) -> Beside:
    """`pinlab watch`; what it says of its cost at its end."""

    @contextmanager
    def beside(path: Path) -> Iterator[dict[str, Any]]:
        figures: dict[str, Any] = {}
        where = ["watch", "--device", str(path.parent), "--json", *options]
        with _running([*PINLAB, *where], _after(3)) as child:
            yield figures
            child.send_signal(signal.SIGINT)
            said = child.communicate(timeout=120)[0]
        figures |= json.loads(said.splitlines()[-1])

    return beside


@contextmanager
def bpftrace(path: Path) -> Iterator[dict[str, Any]]:
    """A line of each event, into a file."""
    needs("bpftrace", "unshare")
    with tempfile.TemporaryDirectory() as folder:
        script, out = Path(folder, "events.bt"), Path(folder, "out")
        script.write_text(SCRIPT)
        mount = "" if any(TRACEFS.iterdir()) else f"mount -t tracefs tracefs {TRACEFS} && "
        # In a mount namespace of its own: nobody else sees what it mounts.
        command = ["unshare", "-m", "sh", "-c", f"{mount}exec bpftrace -o {out} {script}"]
        figures: dict[str, Any] = {}
        with _running(command, lambda: out.exists() and b"Attaching" in out.read_bytes()) as child:
            time.sleep(2)
            yield figures
            os.killpg(child.pid, signal.SIGINT)
            child.communicate(timeout=120)
        lines = out.read_text(errors="replace").splitlines()
        figures["records"] = sum(line.count(" ") >= 4 for line in lines)
        lost = [int(line.split()[1]) for line in lines if line.startswith("Lost ")]
        figures["lost"] = sum(lost)


BESIDE: dict[str, Beside] = {
    "pinlab watch": watched(),
    "pinlab watch --all": watched("--all"),
    "bpftrace, printing": bpftrace,
}


def compare(path: Path, direct: bool, rounds: int, writes: int) -> None:
    """Print the ratios of one load."""
    load(path, direct, writes)  # the file is made
    ratios: dict[str, list[float]] = {}
    figures: dict[str, dict[str, Any]] = {}
    seconds = []
    for _ in range(rounds):
        alone = load(path, direct, writes)
        seconds.append(alone)
        for name, beside in BESIDE.items():
            try:
                with beside(path) as said:
                    took = load(path, direct, writes)
            except Missing as missing:
                print(f"  {name}: left out: {missing}")
                continue
            ratios.setdefault(name, []).append(took / alone)
            figures[name] = said
    rate = writes / statistics.median(seconds)
    print(f"  alone: {rate:,.0f} writes/s, {max(seconds) / min(seconds):.2f}x from run to run")
    for name, found in ratios.items():
        print(f"  {name}: {statistics.median(found):.2f}x ({_told(figures[name])})")


def _told(figures: dict[str, Any]) -> str:
    said = f"{figures['records']:,} records, {figures['lost']:,} lost"
    if figures.get("kernel_microseconds_per_run") is not None:
        said += f", {figures['kernel_microseconds_per_run']:.2f} us of the kernel each of "
        said += f"{figures['kernel_runs']:,} times"
    if figures.get("sustained_per_second"):
        said += f", {figures['microseconds_per_record']:.1f} us of ours for a record"
        said += f" (keeps up with {figures['sustained_per_second']:,}/s)"
    return said


def main(rounds: int = ROUNDS, part: int = 1) -> None:
    """Print all of it; `part`: only so much of the writes."""
    print("\nwatching beside random 4 KiB writes, in seconds of the load alone")
    if shutil.which("fio") is None:
        print("  left out: fio is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="pinlab-bench-", dir="/var/tmp") as folder:
        file = Path(folder, "file")
        print(" buffered, fsync each 64:")
        compare(file, False, rounds, WRITES["buffered"] // part)
        print(" O_DIRECT:")
        compare(file, True, rounds, WRITES["direct"] // part)


if __name__ == "__main__":
    if "--quick" in sys.argv[1:]:
        main(rounds=2, part=4)
    else:
        main()

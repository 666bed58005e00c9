"""Writes the table of docs/field.md: what was run on which kernel, and what came of it.

    python -m tools.kernels_page VMLINUZ...

boots each in a guest; the running kernel is tried first, if that is allowed. A cell is read from
what the commands said, never set by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pinlab.guest.kernel import kernel
from pinlab.guest.machine import Done, boot

PAGE = Path(__file__).parents[1] / "docs" / "field.md"
BEGIN = "<!-- tried: begin (python -m tools.kernels_page) -->"
END = "<!-- tried: end -->"
SECONDS = 300.0

Run = Callable[[Sequence[str]], Done]

WITNESSES = ("o1", "o2", "truncate")
WALKERS = ("af_xdp", "bio", "fuse", "io_uring", "pipe", "process_vm")
HEAD = ("kernel", "holders that `who` finds", *(f"witness {each}" for each in WITNESSES))
LAST = ("witness o3", "watch")


def here(words: Sequence[str]) -> Done:
    """What a command says on this machine."""
    command = [sys.executable, "-c", "from pinlab.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    return Done(done.returncode, done.stdout, done.stderr, 0.0)


def row(run: Run, *, has_pmem: bool) -> list[str]:
    """The cells of one kernel."""
    census = json.loads(run(["census", "--json"]).out)
    found = json.loads(run(["doctor", "--json"]).out)["findings"]
    works = [each["name"] for each in found if each["kind"] == "walker" and each["works"]]
    watch = run(["watch", "--json", "--for", "1"])
    hooks = json.loads(watch.out[watch.out.index("{") :])["hooks"]
    return [
        census["kernel"].partition("+")[0].partition("-")[0],
        ", ".join(each for each in WALKERS if each in works),
        *(_seen(run(["witness", each, "--json"])) for each in WITNESSES),
        _reuse(run(["witness", "o3", "--pmem", "/dev/pmem0", "--json"])) if has_pmem else "no pmem",
        f"{len(hooks)} hooks",
    ]


def _seen(done: Done) -> str:
    if not done.out:
        return done.err.removeprefix("pinlab: ").strip()
    said: dict[str, Any] = json.loads(done.out)
    if said["reproduced"]:
        return "seen"
    reasons = {each["reason"] for each in said["verdicts"] if each["reason"]}
    return "not seen" + (f": {min(reasons).partition(' (')[0]}" if reasons else "")


def _reuse(done: Done) -> str:
    if not done.out:
        return done.err.removeprefix("pinlab: ").strip()
    said: dict[str, Any] = json.loads(done.out)
    return "seen" if said["reproduced"] else "kept" if said["kept"] else "not seen"


def main() -> None:
    """Try them all, and write the table."""
    rows = [row(here, has_pmem=False)] if os.geteuid() == 0 else []
    for each in sys.argv[1:]:
        with boot(kernel(Path(each))) as guest:
            rows.append(row(partial(guest.run, seconds=SECONDS), has_pmem=True))
    lines = [[*HEAD, *LAST], ["---"] * (len(HEAD) + len(LAST)), *sorted(rows, key=_release)]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


def _release(cells: Sequence[str]) -> list[int]:
    return [int(part) for part in cells[0].partition("-")[0].split(".")]


if __name__ == "__main__":
    main()

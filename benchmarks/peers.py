"""SPIN and Rumur on the filter lock, if they are installed; a C compiler is needed for both."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MODELS = Path(__file__).with_name("filter_lock")
DEEPEST = 5_000_000  # SPIN searches depth first and must know how deep


@dataclass(frozen=True, slots=True)
class Figures:
    """What one engine did. `bytes` is the whole of its memory; None where it does not say."""

    engine: str
    states: int
    transitions: int
    depth: int | None
    seconds: float
    bytes: int | None
    overhead: float | None = None  # bytes of a state beyond its packed form


class Missing(Exception):
    """A peer that is not installed."""


def run(folder: str, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"no {pattern!r} in:\n{text[-600:]}")
    return float(found.group(1))


def spin(n: int) -> Figures:
    """SPIN's exact search, without its reductions; its time is that of the search alone."""
    needs("spin", "gcc")
    others = "&&".join(f"(_pid=={k}||level[{k}]<j)" for k in range(n))
    head = f"#define N {n}\n#define NOBODY_AT(j) ({others})\n"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "filter.pml")
        model.write_text(head + (MODELS / "filter.pml").read_text())
        run(folder, "spin", "-o1", "-o3", "-a", model.name)
        flags = ("-O2", "-DNOREDUCE", "-DSAFETY", "-DMEMLIM=8000")
        run(folder, "gcc", *flags, "-w", "-o", "pan", "pan.c")
        depth = DEEPEST if n > 5 else DEEPEST // 10
        text = run(folder, "./pan", f"-m{depth}")
    if "errors: 0" not in text:
        raise RuntimeError(text[-600:])
    return Figures(
        "SPIN",
        int(number(r"(\d+) states, stored", text)),
        int(number(r"(\d+) transitions", text)),
        None,
        max(number(r"elapsed time ([\d.]+)", text), 0.01),
        int(number(r"([\d.]+)\s+total actual memory", text) * (1 << 20)),
    )


def rumur(n: int) -> Figures:
    """Rumur on one thread, without symmetry reduction."""
    needs("rumur", "gcc")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "filter.m")
        model.write_text((MODELS / "filter.m").read_text().replace("@N@", str(n)))
        options = ("--symmetry-reduction", "off", "--threads", "1")
        run(folder, "rumur", *options, "--output", "filter.c", model.name)
        flags = ("-std=c11", "-O3", "-march=native", "-w")
        run(folder, "gcc", *flags, "-o", "filter", "filter.c", "-lpthread")
        start = time.perf_counter()
        text = run(folder, "./filter")
        seconds = time.perf_counter() - start
    if "No error found" not in text:
        raise RuntimeError(text[-600:])
    states = int(number(r"(\d+) states, \d+ rules fired in", text))
    fired = int(number(r"\d+ states, (\d+) rules fired in", text))
    return Figures("Rumur", states, fired, None, seconds, None)

"""Both explorers beside SPIN and Rumur, on Peterson's filter lock; and alone on a model of mm.

    python benchmarks/bench_lab.py [--quick]

Each process of the lock has five steps, the wait being one atomic await. What is timed is the
search: SPIN's and Rumur's generation and compilation of C is left out, and so is the making
of machine code (shown on its own). Native runs once to warm up, so that numba's cache is
there. A depth is a number of moves; SPIN searches depth first and Rumur gives none.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.lab.explore.programs import filter_lock

from benchmarks.peers import Figures, Missing, rumur, spin
from pinlab.lab import build
from pinlab.lab.design import load
from pinlab.lab.explore import machine, native, reference
from pinlab.lab.explore.codegen import assemble
from pinlab.lab.explore.initial import pack
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.explore.squeeze import squeeze
from pinlab.lab.language.program import Actor, System
from pinlab.lab.scenarios import scenario

COUNTS = {
    4: (14_844, 44_120, 36),
    5: (344_805, 1_205_325, 54),
    6: (8_786_754, 35_331_480, 75),
}
DESIGN, SCENARIO = "mapcount-v1", "fork-private-fsync"
SECOND = Actor("fsync2", "do_fsync", (1, 0))
TRIED = Limits(max_states=5_000)  # the interpreter's rate needs no more


def packed_bytes(system: System) -> int:
    """The size of a stored state."""
    place = machine.load(system.program).assembly.place
    run = Interpreter(system)
    return 8 * squeeze(system, place, pack(system, place, run.places.frames, run.initial())).words


def figures(engine: str, found: Exploration, packed: int | None = None) -> Figures:
    overhead = None if packed is None else found.memory_bytes / found.states - packed
    return Figures(
        engine,
        found.states,
        found.transitions,
        found.depth,
        found.seconds,
        found.memory_bytes,
        overhead,
    )


def show(rows: list[Figures], base: Figures) -> None:
    """The rows of one model; rates as multiples of that of `base`."""
    print(f"  {'engine':12} {'states':>10} {'transitions':>12} {'depth':>5} {'seconds':>8}", end="")
    print(f" {'states/s':>10} {'bytes/state':>11} {'overhead':>8}  native is")
    rate = base.states / base.seconds
    for row in rows:
        own = row.states / row.seconds
        depth = "-" if row.depth is None else str(row.depth)
        size = "-" if row.bytes is None else f"{row.bytes / row.states:.1f}"
        over = "-" if row.overhead is None else f"{row.overhead:.1f}"
        print(f"  {row.engine:12} {row.states:>10,} {row.transitions:>12,} {depth:>5}", end=" ")
        print(f"{row.seconds:>8.2f} {own:>10,.0f} {size:>11} {over:>8}", end="  ")
        print(f"{rate / own:.2f} times as fast" if row is not base else "1")


def compare(n: int) -> None:
    """The filter lock with `n` processes."""
    print(f"\nPeterson's filter lock, N = {n}")
    it = filter_lock(n)
    native_row = figures("native", native.explore(it), packed_bytes(it))
    rows = [native_row]
    if n < 5:
        rows.append(figures("interpreter", reference.explore(it)))
    peers: tuple[Callable[[int], Figures], ...] = (spin, rumur) if n < 6 else (spin,)
    for peer in peers:
        try:
            rows.append(peer(n))
        except Missing as missing:
            print(f"  {peer.__name__} is skipped: {missing}")
    show(rows, native_row)
    for row in rows:
        got = (row.states, row.transitions, row.depth)
        # SPIN counts the initial state as a transition
        extra = 1 if row.engine == "SPIN" else 0
        want = COUNTS[n]
        if got[:2] != (want[0], want[1] + extra) or row.depth not in (None, want[2]):
            raise SystemExit(f"{row.engine} counts {got}, where every checker agrees on {want}")


def mm() -> None:
    """A scenario of Linux mm with one more fsync; no peer can read it."""
    design, chosen = load(DESIGN), scenario.load()[SCENARIO]
    base = build.system(design, chosen, {}, tuple(chosen.judges))
    it = replace(base, actors=(*base.actors, SECOND))
    print(f"\n{DESIGN}, {SCENARIO} and another fsync: {len(it.actors)} actors", end=", ")
    size = packed_bytes(it)
    print(f"{size} bytes a state")
    native_row = figures("native", native.explore(it), size)
    slow = figures("interpreter", reference.explore(it, TRIED))
    show([native_row, slow], native_row)
    print(f"  (the interpreter stopped after {TRIED.max_states:,} states)")


def code() -> None:
    """What making code costs, and what the cache saves."""
    program = build.program(load(DESIGN))
    nodes = len(program.nodes)
    start = time.perf_counter()
    assembly = assemble(program)
    written = time.perf_counter()
    made = machine._compile(assembly.text)
    compiled = time.perf_counter()
    machine._link(assembly, nodes, made)
    linked = time.perf_counter()
    print(f"\nMaking code of {DESIGN}, {nodes} nodes")
    print(f"  assembly {1000 * (written - start):.0f} ms", end=", ")
    print(f"LLVM {1000 * (compiled - written):.0f} ms", end=" ")
    print(f"({1000 * (compiled - start) / nodes:.2f} ms a node together)", end=", ")
    print(f"loading what is cached {1000 * (linked - compiled):.0f} ms")


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs", end=", ")
    print(f"Python {platform.python_version()}; one core each, in one run")
    native.explore(filter_lock(3))
    for n in (4, 5) if "--quick" in sys.argv[1:] else (4, 5, 6):
        compare(n)
    mm()
    code()


if __name__ == "__main__":
    main()

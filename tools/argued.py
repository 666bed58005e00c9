"""Every reason of 4.20 put to the test: its mutant in all combinations that execute it.

`python -m tools.argued` hunts them without the limit that the score has, for which it takes a
quarter of an hour. It ends with status 1 if one is noticed: its reason is wrong.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from functools import partial

from pinlab.lab import design as designs
from pinlab.lab import worlds
from pinlab.lab.mutants import equivalent, score
from pinlab.lab.mutants.base import SIZE, base
from pinlab.lab.mutants.hunt import hunt
from pinlab.lab.probes import probe
from pinlab.lab.processes import in_processes
from pinlab.lab.results import Wanted


def main() -> int:
    """Print what notices a mutant that has a reason, and how many were hunted how far."""
    home = designs.load(worlds.DEFAULT.empty)
    reasons = equivalent.reasons(worlds.DEFAULT.name)
    argued = [it for it in score.chosen(home, ()) if equivalent.name_of(it) in reasons]
    jobs = os.cpu_count() or 1
    touching = Wanted(SIZE, touching=tuple(sorted({it.function for it in argued})))
    asked = base(home, probe(home).known, jobs, None, touching)
    assert asked is not None
    explored = wrong = 0
    with closing(in_processes(partial(hunt, base=asked), argued, jobs)) as hunts:
        for number, (it, found) in enumerate(zip(argued, hunts, strict=True), 1):
            print(f"{number} of {len(argued)}", file=sys.stderr)
            explored += found.explored
            if found.kill is not None:
                wrong += 1
                by = f"{', '.join(found.kill.operations)} from {found.kill.state}"
                print(f"{it.function}, {it.kind}: {it.what}: {by}: {found.kill.what}")
    print(f"{len(argued):,} mutants, {explored:,} explorations: {wrong:,} noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""What a design costs, counted from the program: one pin and one unpin, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pinlab.lab import build
from pinlab.lab.design import Design
from pinlab.lab.explore.interpreter import Interpreter
from pinlab.lab.language.primitives import TABLE
from pinlab.lab.language.program import Node, SetLocal, Shared, subexpressions
from pinlab.lab.results import Cost
from pinlab.lab.scenarios.scenario import Scenario
from pinlab.objectives.events import Event

KINDS: Mapping[str, str] = {"rmw": "atomic_rmw", "lock": "locks", "allocation": "allocations"}
WALKS = "page_table_walks"

MAX_STEPS = 2_000


def cost(
    design: Design, pinning: Scenario, unpinning: Scenario, keys: Mapping[str, int | None]
) -> Cost:
    """Count along the solo runs of two probes: up to the event `pin`, and from `unpin` on.

    A pin is a whole get_user_pages call for one page that is present, by GUP-fast if the design
    has it; what every design pays is in it (compare with `untracked`). A key that is not known
    counts as 0.
    """
    assumed = {name: value or 0 for name, value in keys.items()}
    before_pin, _ = _split(design, pinning, assumed, Event.PIN)
    _, after_unpin = _split(design, unpinning, assumed, Event.UNPIN)
    return Cost(
        design=design.name,
        pin=_count(design, before_pin),
        unpin=_count(design, after_unpin),
        struct_page_bytes=_struct_page_bytes(design),
        gup_fast=_as_bool(keys.get("gup_fast_works")),
        irq_unpin=_as_bool(keys.get("irq_unpin_works")),
    )


def _struct_page_bytes(design: Design) -> int:
    """What the design's fields of struct page add to it; it may have some of others."""
    struct = design.world.judged.__name__
    used = {var.name for var in build.program(design).vars}
    return sum(bytes for name, bytes in design.fields.items() if f"{struct}.{name}" in used)


def _as_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _split(
    design: Design, scenario: Scenario, keys: Mapping[str, int], event: Event
) -> tuple[list[Node], list[Node]]:
    """The nodes executed up to and including the step with `event`, and those after it, when
    the actors run one after another."""
    run = Interpreter(build.system(design, scenario, keys))
    state = run.initial()
    before: list[Node] = []
    after: list[Node] = []
    seen = False
    for _ in range(MAX_STEPS):
        move = next(iter(run.moves(state)), None)
        if move is None:
            break
        step = run.step(state, move)
        (after if seen else before).extend(run.program.nodes[pc] for pc in step.nodes)
        seen = seen or any(name == event for name, _ in step.events)
        if step.state is None:
            break
        state = step.state
    return before, after


def _count(design: Design, nodes: list[Node]) -> dict[str, int]:
    program = build.program(design)
    counts = Counter(dict.fromkeys(KINDS.values(), 0))
    walkers: set[str] = set()  # functions that load page table entries: each is one walk
    for node in nodes:
        kind = TABLE[node.primitive].cost if node.primitive in TABLE else ""
        if kind in KINDS:
            counts[KINDS[kind]] += 1
        loads = (op.value for op in node.ops if isinstance(op, SetLocal))
        if any(
            isinstance(e, Shared) and program.vars[e.var].name in design.world.walks
            for load in loads
            for e in subexpressions(load)
        ):
            walkers.add(node.function)
    counts[WALKS] = len(walkers)
    return dict(counts)

"""What one move does to a state.

A move executes one visible node and what is invisible behind it, up to the next visible one.
"""

from __future__ import annotations

from pinlab.lab.explore.meaning import Failed, Meanings, Work
from pinlab.lab.explore.places import Places
from pinlab.lab.language.program import HALTED, PC, Failure

LOOK_AGAIN = 1024
"""Nodes that one move runs before it is asked whether they go round in a circle: a power of 2."""


class Circle:
    """Finds out that a move never ends, as R. P. Brent does: the state that it works on says all of
    where it goes, so if that comes back once, it comes back forever.

    It is compared with one that is kept, and a new one is kept at each power of 2: one of them is
    in the circle, and further from the next than the circle is long. A long way is no circle.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.kept: tuple[int, list[int]] = HALTED, []

    def closed(self, pc: int, values: list[int]) -> bool:
        """Whether the move, one node further and now before `pc`, is where it was before."""
        self.nodes += 1
        if self.nodes < LOOK_AGAIN:
            return False
        if self.nodes.bit_count() == 1:
            self.kept = pc, list(values)
            return False
        return (pc, values) == self.kept


def run(meanings: Meanings, places: Places, work: Work) -> None:
    """Execute the actor's node and what is invisible behind it; forget what is dead.

    Raises Failed.
    """
    nodes, values, here, circle = meanings.program.nodes, work.values, work.slots[PC], Circle()
    pc = values[here]
    while True:
        node, meaning = nodes[pc], meanings.of(pc)
        work.nodes.append(pc)
        if node.visible and meaning.guard is not None:
            meaning.guard(work)  # it is true, or it fails and the step with it
        for act in meaning.ops:
            act(work)
        pc = meaning.next(work)
        if pc == HALTED or nodes[pc].visible:
            break
        if circle.closed(pc, values):
            message = f"{node.function} loops without a step"
            raise Failed(Failure("livelock", message, about=""))
    places.frame(work.move.actor, pc).forget(values)
    values[here] = pc

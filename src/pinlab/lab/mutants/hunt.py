"""Who notices a mutant: the first combination of operations in which it breaks what held."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from pinlab.lab import build, ledger
from pinlab.lab.design import Design
from pinlab.lab.explore import choose, machine
from pinlab.lab.explore.result import Limits
from pinlab.lab.language.kernel import KernelFunction
from pinlab.lab.language.program import Program, SetLocal, System
from pinlab.lab.language.source import LanguageError
from pinlab.lab.mutants.base import Answer, Asking, Base, Elsewhere, Question, answer
from pinlab.lab.mutants.mutation import Mutant
from pinlab.lab.mutants.place import in_place_of
from pinlab.lab.mutants.results import Kill

RULES: Final = 4
"""Of what is noticed; with other ones what was kept is not known."""

Asked = Base | Elsewhere

ALONE: Final = "alone it ends otherwise"
"""What is noticed of an operation that breaks nothing, and does something else."""

SILENT: Final = "alone it never comes to {}"
"""What is noticed of an operation of which the judges hear less."""

BESIDE: Final = "they end as they never did"
"""What is noticed of two that break nothing, and come to a state at rest that was not possible."""

GROWTH: Final = 4
"""How many times as many states as before are explored,"""
ENOUGH: Final = 50_000
"""or so many, if that is more: a mutant that has more is not killed by that combination."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of a mutant in the combinations of one design that execute it."""

    kill: Kill | None
    executing: int
    """How many of them there are."""
    explored: int
    cut_off: int
    changed: int
    """In how many the numbers of states, or the states at rest, were others."""
    refused: str = ""
    """Why it cannot be compiled."""
    is_same: bool = False
    """It is compiled to the very same: no mutant at all."""


FIRST: Final = 12
"""Combinations that the interpreter explores before machine code is made: most die there,"""
FEW: Final = 100
"""as long as they have no more states."""

MANY: Final = 400
"""Combinations that a mutant is hunted in where it need not be hunted in all of them: of an earlier
model nine of ten that died (178) did so in the first 233."""


def hunt(mutant: Mutant, base: Asked, most: int | None = None) -> Hunt:
    """Explore the combinations that execute what is changed, the smallest first and `most` of them,
    until one breaks what it did not break before, or one operation alone ends otherwise. What was
    hunted once is kept."""
    executing = base.executing(mutant.function, mutant.lines)
    key = _key(mutant, base, executing, most)
    kept = ledger.store().get(key)
    if kept is not None:
        return read(kept)
    found = _hunt(mutant, base, executing, most)
    ledger.store().put(key, written(found))
    return found


def known(mutant: Mutant, base: Asked, most: int | None = None) -> Hunt | None:
    """What was found when it was hunted; None if it was not."""
    executing = base.executing(mutant.function, mutant.lines)
    kept = ledger.store().get(_key(mutant, base, executing, most))
    return None if kept is None else read(kept)


def _key(mutant: Mutant, base: Asked, executing: Sequence[int], most: int | None) -> bytes:
    """A digest of what is changed, and of all that is explored with it."""
    found = hashlib.sha256(f"mutant\0{RULES}\0{most}\0{mutant.text}\0".encode())
    found.update(base.program.digests.get(mutant.function, "").encode())
    for number in executing:
        found.update(base.key(number))
    return found.digest()


def written(found: Hunt) -> bytes:
    """As it is kept."""
    return json.dumps(asdict(found)).encode()


def read(kept: bytes) -> Hunt:
    """What was kept."""
    said = json.loads(kept)
    kill = said.pop("kill")
    if kill is not None:
        kill = Kill(kill["design"], tuple(kill["operations"]), kill["state"], kill["what"])
    return Hunt(kill, **said)


def _hunt(mutant: Mutant, base: Asked, executing: Sequence[int], most: int | None) -> Hunt:
    if mutant.function not in base.program.digests:
        return Hunt(None, 0, 0, 0, 0)
    if mutant.kind in ("dropped", "swapped") and any(_is_silent(base, it) for it in mutant.calls):
        return Hunt(None, len(executing), 0, 0, 0)
    try:
        program = _program(mutant, base)
    except LanguageError as error:
        return Hunt(None, 0, 0, 0, 0, refused=error.message)
    if program.digests[mutant.function] == base.program.digests[mutant.function]:
        return Hunt(None, 0, 0, 0, 0, is_same=True)
    explored = cut_off = changed = 0
    engine = "interpreter"
    steps = base.steps(mutant.function, mutant.lines)
    for number in executing:
        if explored == most:
            break
        before, question = base.answer(number), base.question(number)
        if not steps & before.covered:
            continue
        if engine == "interpreter" and (explored == FIRST or before.states > FEW):
            engine = "auto"
            machine.load(program, keep=False)
        now = _ask(base.asking, question, program, before, engine)
        explored += 1
        cut_off += not now.complete
        changed += (now.states, now.ends) != (before.states, before.ends)
        what = _noticed(question, before, now)
        if what:
            kill = Kill(base.asking.design.name, question.operations, question.state, what)
            return Hunt(kill, len(executing), explored, cut_off, changed)
    return Hunt(None, len(executing), explored, cut_off, changed)


def _is_silent(base: Asked, function: str) -> bool:
    """Whether to call a function or not is the same: it only computes, as a hook does that no
    design has replaced."""
    if base.program.calls.get(function, {""}):
        return False
    own = [node for node in base.program.nodes if node.function == function]
    return not any(
        node.visible or node.primitive or not all(isinstance(op, SetLocal) for op in node.ops)
        for node in own
    )


def _noticed(question: Question, before: Answer, now: Answer) -> str:
    """What breaks now, or empty. Of what was not explored to its end nothing is said."""
    if not before.complete:
        return ""
    if new := now.hits - before.hits:
        return min(new)
    if not now.complete:
        return ""
    if len(question.operations) > 1:
        return BESIDE if now.ends - before.ends else ""
    if now.ends != before.ends:
        return ALONE
    less = before.events - now.possible
    return SILENT.format(min(less)) if less else ""


def _program(mutant: Mutant, base: Asked) -> Program:
    """The program of the design with the mutant in it, which nobody will ask for again."""
    design = base.asking.design
    original = function_of(design, mutant.function)
    changed = {**design.replaced, mutant.function: in_place_of(original, mutant)}
    return build.passing(replace(design, replaced=changed), (mutant.function,))


def function_of(design: Design, name: str) -> KernelFunction:
    """The function that runs under a name. Raises UsageError."""
    return design.replaced.get(name) or design.world.function(name)


def _ask(
    asking: Asking, question: Question, program: Program, before: Answer, engine: str = "auto"
) -> Answer:
    was = asking.system(question)
    declared = {var.name for var in program.vars}
    initial = {name: values for name, values in was.initial.items() if name in declared}
    audit = asking.audit(question)
    found = choose.explore(
        System(program, was.actors, initial, was.watch),
        Limits(max_states=max(ENOUGH, GROWTH * before.states)),
        asking.goals(question),
        audit=audit,
        engine=engine,
        known=before.hits,
    )
    return answer(program, found, audit)

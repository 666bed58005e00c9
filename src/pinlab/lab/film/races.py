"""Which orders a counterexample needs: each race of two steps is explored the other way round.

Two steps of different actors race if they touch a cell that one of them changes; what the
objective's automaton hears of a page is a cell as well. Of a weak memory model a cell is touched
when a store of it leaves a buffer, too. The question of a race is asked in the state before its
first step: the actor of that step is held until the other one has taken the second, and then all
go on as they like. If the violation comes all the same, the order is free; if it cannot come any
more, the order is needed. Where the second step cannot be taken before the first (it waits for it,
or is computed from it), there is no race.

Each actor's own steps keep their order, so a needed order makes others needed: an earlier step of
the one actor before a later step of the other. Only the tightest orders are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pinlab.lab.explore.interpreter import Interpreter, State, Step
from pinlab.lab.explore.result import Audit, Move
from pinlab.lab.film import Order, Why
from pinlab.lab.language.program import Program, System
from pinlab.lab.results import Trace
from pinlab.lab.trace import element
from pinlab.lab.weak.story import Buffers
from pinlab.objectives.failures import FAILURES

STATES = 200_000
"""Visited at most, for all questions of a counterexample."""

TOO_MANY = f"more than {STATES:,} states would have to be visited"
STOPPED = "the search for it was stopped"
PROGRESS = (
    "it is not asked, as at its end something can never happen any more, and that is no single "
    "step's doing"
)

Ends = Callable[[State], bool]
"""Whether a state is the violation: all is done and the books are wrong, or nobody can go on."""

Place = tuple[int, int]


class TooMany(Exception):
    """No more states are visited."""


class Search:
    """What is reachable in a system, and remembered."""

    def __init__(self, run: Interpreter, objective: str, ends: Ends, most: int) -> None:
        self.run = run
        self.objective = objective
        self.ends = ends
        self.most = most
        self.visited = 0
        self._breaks: dict[State, bool] = {}
        self._ends_well: dict[State, bool] = {}

    def violates(self, step: Step) -> bool:
        """Whether this step is the violation."""
        failure = step.failure
        return self.objective in step.violated or (
            failure is not None and FAILURES[failure.kind] == self.objective
        )

    def breaks(self, start: State) -> bool:
        """Whether the violation is reachable."""
        return self._reaches(start, self._breaks, self._is_broken)

    def ends_well(self, start: State) -> bool:
        """Whether everybody can finish without the violation."""
        return self._reaches(start, self._ends_well, self._is_well)

    def after(self, state: State) -> Iterator[tuple[Move, Step]]:
        """What may happen next. Raises TooMany."""
        self.visited += 1
        if self.visited > self.most:
            raise TooMany
        for move in self.run.moves(state):
            yield move, self.run.step(state, move)

    def _is_broken(self, state: State, steps: Sequence[Step]) -> bool:
        return any(map(self.violates, steps)) or self.ends(state)

    def _is_well(self, state: State, steps: Sequence[Step]) -> bool:
        return self.run.finished(state) and not self.ends(state)

    def _reaches(
        self,
        start: State,
        known: dict[State, bool],
        is_goal: Callable[[State, Sequence[Step]], bool],
    ) -> bool:
        before: dict[State, State | None] = {start: None}
        todo = [start]
        while todo:
            state = todo.pop()
            if known.get(state) is False:
                continue
            steps = [] if state in known else [step for _, step in self.after(state)]
            if known.get(state) or is_goal(state, steps):
                at: State | None = state
                while at is not None:
                    known[at] = True
                    at = before[at]
                return True
            for step in steps:
                if step.state is None or step.state in before or self.violates(step):
                    continue
                before[step.state] = state
                todo.append(step.state)
        known.update(dict.fromkeys(before, False))
        return False


def why(it: System, trace: Trace, audit: Audit | None = None, most: int = STATES) -> Why:
    """Ask for every race of a trace of this system. Its moves must be possible. Ctrl-C ends it with
    what was found."""
    run = Interpreter(it)
    states, steps = [run.initial()], []
    for move in trace.moves:
        steps.append(run.step(states[-1], move))
        states.append(steps[-1].state or states[-1])
    search = Search(run, trace.objective, _ends(run, trace.objective, audit), most)
    last = states[-1]
    if not steps or not (search.violates(steps[-1]) or search.ends(last)):
        return Why((), (), None, 0, PROGRESS)
    races = _races(run, trace.objective, Buffers(it.program), trace.moves, states, steps)
    needed: list[Order] = []
    free: list[Order] = []
    chance, unknown = None, ""
    try:
        said: set[tuple[int, int]] = set()
        for (first, second), cells in sorted(races.items()):
            who = first, trace.moves[second - 1].actor
            if who in said:
                continue
            answer = _is_needed(search, trace.moves, states, first, second)
            if answer is not None:
                named = tuple(_name(it.program, trace.objective, cell) for cell in cells)
                (needed if answer else free).append(Order(first, second, named))
            if answer:
                said.add(who)
        numbers = range(len(steps), 0, -1)
        chance = next((n for n in numbers if search.ends_well(states[n - 1])), None)
    except TooMany:
        unknown = TOO_MANY
    except KeyboardInterrupt:
        unknown = STOPPED
    return Why(
        _tightest(needed, trace.moves), tuple(free), chance, min(search.visited, most), unknown
    )


def _name(program: Program, objective: str, cell: Place) -> str:
    number, index = cell
    if number in program.automaton_vars:
        return f"what {objective} hears of page {index + 1}"
    return element(program, number, index)


def _ends(run: Interpreter, objective: str, audit: Audit | None) -> Ends:
    def ends(state: State) -> bool:
        if run.finished(state):
            return audit is not None and any(audit(run.shared(state)))
        return FAILURES["deadlock"] == objective and not any(True for _ in run.moves(state))

    return ends


def _is_needed(
    search: Search, moves: Sequence[Move], states: Sequence[State], first: int, second: int
) -> bool | None:
    """Whether the violation cannot come any more once `second` was taken before `first`; None if
    it cannot be."""
    run = search.run
    held, other = moves[first - 1].actor, moves[second - 1].actor
    place = run.pc(states[second - 1], other)
    between = range(first, second)
    times = sum(moves[n].actor == other and run.pc(states[n], other) == place for n in between)
    start = states[first - 1], times
    seen, todo, turned = {start}, [start], False
    while todo:
        state, left = todo.pop()
        for move, step in search.after(state):
            if move.actor == held:
                continue
            if search.violates(step):
                return False
            if step.state is None:
                continue
            now = left - (move.actor == other and run.pc(state, other) == place)
            if now == 0:
                turned = True
                if search.breaks(step.state):
                    return False
            elif (step.state, now) not in seen:
                seen.add((step.state, now))
                todo.append((step.state, now))
    return True if turned else None


def _tightest(needed: Sequence[Order], moves: Sequence[Move]) -> tuple[Order, ...]:
    """Without orders that follow from another one, as each actor's own steps keep their order."""

    def follows(one: Order, other: Order) -> bool:
        actors = (moves[it.before - 1].actor for it in (one, other))
        others = (moves[it.after - 1].actor for it in (one, other))
        return (
            one != other
            and len(set(actors)) == len(set(others)) == 1
            and one.before <= other.before
            and other.after <= one.after
        )

    return tuple(one for one in needed if not any(follows(one, other) for other in needed))


def _races(
    run: Interpreter,
    objective: str,
    buffers: Buffers,
    moves: Sequence[Move],
    states: Sequence[State],
    steps: Sequence[Step],
) -> dict[tuple[int, int], list[Place]]:
    """The pairs of steps, by number, that race, and for which cells."""
    seen: dict[Place, list[tuple[int, bool]]] = {}
    found: dict[tuple[int, int], list[Place]] = {}
    for number, (move, step) in enumerate(zip(moves, steps, strict=True), 1):
        reads, writes = _touched(run, objective, buffers, states[number - 1], move, step)
        for cell in sorted(reads | writes):
            for one, wrote in seen.setdefault(cell, []):
                if moves[one - 1].actor != move.actor and (wrote or cell in writes):
                    found.setdefault((one, number), []).append(cell)
            seen[cell].append((number, cell in writes))
    return found


def _touched(
    run: Interpreter, objective: str, buffers: Buffers, before: State, move: Move, step: Step
) -> tuple[set[Place], set[Place]]:
    """The cells that a step reads, and those that it changes; of automata the objective's only."""
    start, program = run.places.vars, run.program
    own = {var for name, (_, var) in run.watched.items() if name == objective}
    after = step.state or before
    writes = {
        (number, at - start[number])
        for number in range(len(program.vars))
        if number in own or number not in program.automaton_vars
        for at in range(start[number], start[number + 1])
        if before[at] != after[at]
    }
    reads = set(run.read(before, move)) | set(run.guarded(before, move.actor))
    for event, page in step.events:
        reads |= {(var, page - 1) for _, var, _ in run.listening(event) if var in own}
    landed = buffers.landed(run.shared(before), run.shared(after))
    return set(buffers.visible(reads)), {*buffers.visible(writes), *landed}

"""The pictures of a film: the trace is executed again, and looked at between the steps."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Iterator
from functools import cache

from pinlab.lab.explore.interpreter import Interpreter, State
from pinlab.lab.film import COUNT, FLAG, LOCK, VALUE, Cell, Film, Frame, Listing, Waiting
from pinlab.lab.language.program import HALTED, Program, System, Var
from pinlab.lab.results import Trace
from pinlab.lab.trace import Show, element, of_var, shown_node
from pinlab.lab.trace import short as short_name
from pinlab.lab.weak.story import is_hidden
from pinlab.objectives.automaton import Automaton

LOCKS = ("spinlock", "mutex", "rwsem")


def film(it: System, trace: Trace, show: Show) -> Film:
    """The film of a trace of this system. Its moves must be possible."""
    run = Interpreter(it)
    states = [run.initial()]
    nodes = []
    events: tuple[tuple[str, int], ...] = ()
    for move in trace.moves:
        step = run.step(states[-1], move)
        nodes.append(shown_node([it.program.nodes[pc] for pc in step.nodes]))
        states.append(step.state or states[-1])
        events = step.events or events
    places = _places(it.program, trace)
    automaton = next((a for a, _ in run.watched.values() if a.name == trace.objective), None)
    page = events[-1][1] if automaton is not None and events else 0
    listings = [listing(node.file, node.function, node.line) for node in nodes]
    kept = list(dict.fromkeys(listings))
    return Film(
        trace=trace,
        cells=tuple(_cell(it.program, var, index) for var, index in places),
        frames=tuple(_frame(run, places, automaton, page, state, show) for state in states),
        automaton=automaton,
        page=page,
        listings=tuple(kept),
        places=tuple(kept.index(each) for each in listings),
    )


Place = tuple[int, int]
"""A variable by number, and an element of it."""


def _places(program: Program, trace: Trace) -> list[Place]:
    """What is drawn: what the trace touches, and all of a page that it touches."""
    touched = {name for step in trace.steps for name, _ in step.reads}
    touched |= {name for step in trace.steps for name, _, _ in step.changes}
    every = [
        (number, index)
        for number, var in enumerate(program.vars)
        if number not in program.automaton_vars and not is_hidden(var.name)
        for index in range(var.length)
    ]
    cells = {place: _cell(program, *place) for place in every}
    counted = {cell.owner for cell in cells.values() if cell.owner and cell.kind == COUNT}
    pages = {cell.owner for cell in cells.values() if cell.name in touched} & counted
    chosen = [it for it in every if cells[it].name in touched or cells[it].owner in pages]

    def place(it: Place) -> tuple[bool, bool, str, bool, str, int]:
        """Pages first, what belongs to nobody last; in each, counts before the rest by name."""
        cell = cells[it]
        where = cell.owner not in pages, not cell.owner, cell.owner
        return (*where, cell.kind != COUNT, program.vars[it[0]].name, it[1])

    return sorted(chosen, key=place)


def _cell(program: Program, number: int, index: int) -> Cell:
    var, name = program.vars[number], element(program, number, index)
    owner, _, field = name.rpartition(".")
    return Cell(name, owner, field, _kind(var))


def _kind(var: Var) -> str:
    if var.kind in LOCKS:
        return LOCK
    if var.kind == "refcount" or var.lo < 0:
        return COUNT
    is_bit = (var.lo, var.hi) == (0, 1) and var.of_word != var.name
    return FLAG if is_bit else VALUE


def _frame(
    run: Interpreter,
    places: Iterable[Place],
    automaton: Automaton | None,
    page: int,
    state: State,
    show: Show,
) -> Frame:
    start = run.places.vars
    values = (of_var(run.system, show, var, state[start[var] + i]) for var, i in places)
    told = ""
    if automaton is not None and page:
        _, var = run.watched[automaton.name]
        told = automaton.states[state[start[var] + page - 1]]
    return Frame(tuple(values), tuple(_waiting(run, state)), told)


def _waiting(run: Interpreter, state: State) -> Iterator[Waiting]:
    able = {move.actor for move in run.moves(state)}
    for number, actor in enumerate(run.system.actors):
        if number in able or run.pc(state, number) == HALTED or not run.may_run(state, number):
            continue
        cells = run.guarded(state, number)
        yield Waiting(actor.name, tuple(element(run.program, var, i) for var, i in cells))


@cache
def listing(file: str, function: str, line: int) -> Listing:
    """The function of a file that has this line; the line alone if there is none."""
    lines = linecache.getlines(file)
    found = [
        it
        for it in ast.walk(_parsed("".join(lines)))
        if isinstance(it, ast.FunctionDef) and it.name == function
        if it.lineno <= line <= (it.end_lineno or it.lineno)
    ]
    first, last = (found[-1].lineno, found[-1].end_lineno or line) if found else (line, line)
    text = tuple(each.rstrip("\n") for each in lines[first - 1 : last])
    return Listing(function, short_name(file), first, text)


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError:  # it has changed since
        return ast.Module([], [])

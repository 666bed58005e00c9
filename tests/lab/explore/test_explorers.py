"""What an exploration reports, by systems small enough to enumerate on paper; both explorers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pinlab.lab.explore import choose, native
from pinlab.lab.explore.result import (
    INTERRUPTED,
    AlwaysPossible,
    Limits,
    Move,
    Progress,
)
from pinlab.lab.language.program import (
    Actor,
    Binary,
    Branch,
    Check,
    Chosen,
    Const,
    Cpu,
    Emit,
    Entry,
    Failure,
    Halt,
    Local,
    Lookup,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    System,
    Var,
)
from pinlab.objectives.automaton import Automaton
from pinlab.objectives.events import Event

from .programs import ONE, OWN, ZERO, Explore, actors, add, equals, filter_lock, node, program


def lock(number: int) -> SetShared:
    return SetShared(number, ZERO, ONE)


def release(number: int) -> SetShared:
    return SetShared(number, ZERO, ZERO)


def free(number: int) -> Binary:
    return Binary("==", Shared(number, ZERO), ZERO)


def test_two_steps_of_two_actors(explore: Explore) -> None:
    """Each actor is at node 1, 2 or has finished: nine states."""
    found = explore(System(program([node(to=2), node(to=Halt())]), actors(2)))
    assert (found.states, found.transitions, found.depth) == (9, 12, 4)
    assert found.covered == {1, 2}
    assert found.complete


def test_invisible_nodes_cost_no_state(explore: Explore) -> None:
    nodes = [node(to=2), node(SetLocal(OWN, ONE), to=3, visible=False), node(to=Halt())]
    found = explore(System(program(nodes, slots=[Slot("x", 0, 1, "f")]), actors(2)))
    assert (found.states, found.covered) == (9, frozenset({1, 2, 3}))


def test_dead_locals_are_forgotten(explore: Explore) -> None:
    nodes = [node(SetLocal(OWN, Chosen()), to=2, choices=3), node(to=Halt())]
    it = System(program(nodes, slots=[Slot("x", -1, 2, "f")]), actors(1))
    assert explore(it).states == 3
    kept = [replace(it.program.nodes[1]), replace(it.program.nodes[2], live=frozenset({0, OWN}))]
    it = replace(it, program=replace(it.program, nodes=(it.program.nodes[0], *kept)))
    assert explore(it).states == 5


def test_deadlock(explore: Explore) -> None:
    """Two locks taken in opposite orders."""
    nodes = [
        node(lock(1), to=2, guard=free(1)),
        node(release(1), to=Halt(), guard=free(2)),
        node(lock(2), to=4, guard=free(2)),
        node(release(2), to=Halt(), guard=free(1)),
    ]
    made = program(
        nodes,
        shared=[Var("a", 0, 1), Var("b", 0, 1)],
        entries={"f": Entry(1, ()), "g": Entry(3, ())},
    )
    found = explore(System(made, (Actor("x", "f"), Actor("y", "g"))))
    assert found.hits["failure:deadlock"] == (Move(0), Move(1))
    assert found.messages["failure:deadlock"] == "waiting forever: x in f, y in f"


def test_a_daemon_may_wait_for_ever(explore: Explore) -> None:
    it = System(program([node(to=Halt(), guard=ZERO)]), (Actor("d", "f", daemon=True),))
    assert explore(it).hits == {}
    assert explore(replace(it, actors=actors(1))).hits == {"failure:deadlock": ()}


def test_a_failing_move_leads_nowhere(explore: Explore) -> None:
    check = Check(equals(Shared(1, ZERO), 0), Failure("bug", "not twice"))
    nodes = [node(check, SetShared(1, ZERO, ONE), to=2), node(to=Halt())]
    found = explore(System(program(nodes, shared=[Var("a", 0, 1)]), actors(2)))
    assert found.hits == {"failure:bug": (Move(0), Move(1))}
    assert found.messages == {"failure:bug": "not twice"}
    assert (found.states, found.transitions) == (5, 8)


def test_overflow_and_null(explore: Explore) -> None:
    nodes = [node(SetShared(1, Shared(1, ZERO), Const(2)), to=1)]
    found = explore(System(program(nodes, shared=[Var("a", 0, 4, 2)]), actors(1)))
    assert found.hits == {"failure:null": (Move(0),) * 2}
    assert found.messages == {"failure:null": "a[2] does not exist"}
    nodes = [node(SetShared(1, ZERO, add(Shared(1, ZERO), 1)), to=1)]
    found = explore(System(program(nodes, shared=[Var("a", -1, 3)]), actors(1)))
    assert found.hits == {"failure:overflow": (Move(0),) * 4}
    assert found.messages == {"failure:overflow": "a = 4, outside [-1, 3]"}


def test_a_guard_that_fails_is_a_move_that_fails(explore: Explore) -> None:
    nodes = [node(to=Halt(), guard=Shared(1, Const(5)))]
    found = explore(System(program(nodes, shared=[Var("a", 0, 1)]), actors(1)))
    assert found.hits == {"failure:null": (Move(0),)}
    assert found.messages == {"failure:null": "a[5] does not exist"}
    assert found.covered == {1}


@pytest.mark.parametrize("index", [4, -1])
def test_a_broken_promise_is_an_error_not_a_verdict(explore: Explore, index: int) -> None:
    table = Lookup((0, 1, 2), add(Shared(1, ZERO), index))
    nodes = [node(SetShared(1, ZERO, table), to=Halt())]
    with pytest.raises(IndexError):
        explore(System(program(nodes, shared=[Var("a", 0, 3)]), actors(1)))


def interrupt_system(off: int) -> System:
    """Actor 0 takes three steps, the second with interrupts `off`; an interrupt takes two."""
    nodes = [
        node(SetShared(0, Cpu(), Const(off)), to=2),
        node(SetShared(0, Cpu(), ZERO), to=3),
        node(to=Halt()),
        node(to=5),
        node(to=Halt()),
    ]
    made = program(nodes, entries={"f": Entry(1, ()), "irq": Entry(4, ())})
    return System(made, (Actor("task", "f"), Actor("irq", "irq", irq_of=0)))


@pytest.mark.parametrize(("off", "states"), [(0, 12), (1, 11)])
def test_interrupts(explore: Explore, off: int, states: int) -> None:
    """Where the task stands (4) times before, in and after the handler (3); with interrupts
    off at its second step the handler cannot be half done there."""
    assert explore(interrupt_system(off)).states == states


def test_an_interrupted_task_waits(explore: Explore) -> None:
    it = interrupt_system(0)
    found = explore(it)
    own = explore(replace(it, actors=(it.actors[0], Actor("task", "irq"))))
    assert found.states == own.states
    assert found.transitions < own.transitions


@pytest.mark.parametrize("off", [0, 1])
def test_a_handler_may_come_back_to_where_it_began(explore: Explore, off: int) -> None:
    """It takes its first step twice, also with interrupts `off`, then another: four places of its
    own, times two of the task, which moves only before the first and behind the last."""
    count = Shared(1, ZERO)
    nodes = [
        node(to=Halt()),
        node(
            SetShared(1, ZERO, add(count, 1)),
            SetShared(0, Cpu(), Const(off)),
            to=Branch(equals(count, 2), 3, 2),
        ),
        node(SetShared(0, Cpu(), ZERO), to=Halt()),
    ]
    made = program(nodes, shared=[Var("n", 0, 2)], entries={"f": Entry(1, ()), "irq": Entry(2, ())})
    found = explore(System(made, (Actor("task", "f"), Actor("irq", "irq", irq_of=0))))
    assert (found.states, found.transitions) == (8, 8)


WATCHER = Automaton(
    "twice",
    "no page is pinned twice",
    "a test",
    ("free", "pinned"),
    {("free", Event.PIN): "pinned", ("pinned", Event.UNPIN): "free"},
    frozenset({("pinned", Event.PIN)}),
)


def pinners(watch: tuple[str, ...]) -> System:
    page = add(Chosen(), 0)
    nodes = [
        node(SetLocal(OWN, page), Emit("pin", page), to=2, choices=3),
        node(Emit("unpin", Local(OWN)), to=Halt(), live=[OWN]),
    ]
    slots = [Slot("page", 0, 2, "f")]
    made = program(nodes, slots=slots, automata=[WATCHER], pages=2)
    return System(made, actors(2), watch=watch)


def test_violations_are_recorded_and_exploration_goes_on(explore: Explore) -> None:
    found = explore(pinners(("twice",)))
    assert found.hits == {"twice": (Move(0, 1), Move(1, 1))}
    assert found.complete
    assert found.depth == 4
    assert explore(pinners(())).hits == {}


def test_an_event_of_a_page_that_does_not_exist(explore: Explore) -> None:
    nodes = [node(Emit("pin", Const(3)), to=Halt())]
    made = program(nodes, automata=[WATCHER], pages=2)
    assert explore(System(made, actors(1), watch=("twice",))).messages == {
        "failure:null": "pin: page 3 does not exist"
    }
    assert explore(System(made, actors(1))).hits == {}


def test_progress(explore: Explore) -> None:
    """A fork in the road: one way pins, the other spins forever."""
    nodes = [
        node(to=Branch(Chosen(), 2, 4), choices=2),
        node(to=3),
        node(Emit("pin", ONE), to=Halt()),
        node(to=5),
        node(to=4),
    ]
    goals = (
        AlwaysPossible("finish"),
        AlwaysPossible("pin", "pin"),
        AlwaysPossible("dirty", "dirty"),
    )
    found = explore(System(program(nodes), actors(1)), None, goals)
    assert found.hits == {}
    assert found.stuck == {"finish": (Move(0, 0),), "pin": (Move(0, 0),), "dirty": ()}


@pytest.mark.parametrize("moves", [65_535, 65_536, 65_537])
def test_progress_from_a_state_of_many_moves(explore: Explore, moves: int) -> None:
    """The last choice of all pins; the others lead to where nobody ever does."""
    nodes = [
        node(to=Branch(equals(Chosen(), moves - 1), 2, 3), choices=moves),
        node(Emit("pin", ONE), to=Halt()),
        node(to=3),
    ]
    found = explore(System(program(nodes), actors(1)), None, (AlwaysPossible("pin", "pin"),))
    assert found.stuck == {"pin": (Move(0, 0),)}


def test_a_limit_of_states(explore: Explore) -> None:
    found = explore(filter_lock(3), Limits(max_states=100))
    assert (found.complete, found.stopped) == (False, "more than 100 states")
    assert 100 < found.states < 104
    assert explore(filter_lock(3), Limits(max_states=705)).complete


def test_limits_of_memory_and_time(explore: Explore) -> None:
    found = explore(filter_lock(4), Limits(memory_bytes=100_000))
    assert (found.complete, found.stopped) == (False, "memory limit (98 KiB)")
    found = explore(filter_lock(4), Limits(seconds=0.0))
    assert (found.complete, found.stopped) == (False, "more than 0 seconds")


def test_no_progress_verdict_without_the_whole_space(explore: Explore) -> None:
    never = (AlwaysPossible("pin", "pin"),)
    assert explore(filter_lock(3), Limits(max_states=100), never).stuck == {}
    assert explore(filter_lock(3), None, never).stuck == {"pin": ()}


def test_ctrl_c(explore: Explore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "SHARE", 1000)
    reports: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        reports.append(progress)
        if len(reports) == 2:
            raise KeyboardInterrupt

    found = explore(filter_lock(4), None, (), on_progress)
    assert (found.complete, found.stopped) == (False, INTERRUPTED)
    assert found.states == reports[1].states > reports[0].states > 0
    assert found.transitions == reports[1].transitions
    assert reports[0].memory_bytes > 0
    assert reports[0].frontier > 0


@pytest.mark.parametrize("engine", ["auto", "interpreter", "native"])
def test_choice_of_the_engine(engine: str) -> None:
    small = choose.explore(interrupt_system(0), engine=engine)
    large = choose.explore(filter_lock(4), Limits(seconds=600), engine=engine)
    assert (small.states, large.states) == (12, 14_844)
    stopped = choose.explore(filter_lock(4), Limits(max_states=50), engine=engine)
    assert stopped.stopped == "more than 50 states"
    with pytest.raises(ValueError, match="auto, interpreter or native"):
        choose.explore(interrupt_system(0), engine="magic")


def test_numbers_beyond_a_word() -> None:
    """Only the interpreter can explore them; `auto` knows."""
    big = 1 << 40
    product = Binary("*", Shared(1, ZERO), Shared(1, ZERO))
    nodes = [node(Check(Binary("==", product, Self()), Failure("bug", "x")), to=Halt())]
    it = System(program(nodes, shared=[Var("a", 0, big)]), actors(1), {"a": (big,)})
    assert choose.explore(it).hits == {"failure:bug": (Move(0),)}
    with pytest.raises(ValueError, match="may be as large as"):
        choose.explore(it, engine="native")


def test_a_scenario_out_of_bounds_is_refused() -> None:
    code = program([node(to=Halt())], shared=[Var("a", 0, 1)])
    with pytest.raises(ValueError, match=r"a = 2 is outside \[0, 1\]"):
        System(code, actors(1), {"a": (2,)})

"""The tables that search.py works on: what is in them and where.

Numbers and addresses only, because that is what machine code can be given; arrays.py makes
the tables of a model, native.py those that grow.
"""

from __future__ import annotations

from typing import NamedTuple

AUTOMATA = 64
EVERY_GOAL = 0xFFFFFFFF
LIVELOCK = -1000
"""Status of a move whose invisible nodes never end."""

STATES, NEXT, TRANSITIONS, LEVEL, LEVEL_END, EDGES, COUNTERS = range(7)
"""Positions among the counters, and their number. `NEXT` is the state to expand next; its
distance from the initial state is `LEVEL`, and `LEVEL_END` the first state further away."""

FINISHED, AGAIN, FULL, TOO_MANY, BROKE = range(5)
"""Why a call of `search` returned: nothing is left; it has done its share; the store needs
room; there are more states than allowed; the program broke a promise of the language."""

FRAME, ON_CPU, RUNNING, MUST_FINISH, IRQS_WORD, IRQS_MASK, IRQS_ON, ACTOR_COLUMNS = range(8)
"""Columns of the table of actors: first word of the frame, CPU, the bit of the frame that says of
a handler that it runs (0: no handler), a flag, and where the CPU says that its interrupts are on: a
word, a mask and its value."""


class Model(NamedTuple):
    """A system: numbers, and addresses of tables that are never written.

    `keep` has, per node, the bits of a frame that survive before it.
    """

    words: int  # of a state as it is stored
    wide: int  # words of a state as code sees it
    runs: int  # see squeeze.py
    run: int  # int64[runs, RUN_COLUMNS]
    constant: int  # uint64[wide]
    frame_words: int
    actors: int
    actor: int  # int64[actors, ACTOR_COLUMNS]
    nodes: int  # int64[nodes], addresses of code
    visible: int  # uint8[nodes]
    choices: int  # int64[nodes]
    keep: int  # uint64[nodes, frame_words]
    pc_word: int  # in the frame
    pc_shift: int
    pc_mask: int
    irq_word: int  # in the frame, the one that `RUNNING` is of
    irqs: int  # the actors that are interrupt handlers, as bits
    goals: int  # whether there are any
    goal_of_event: int  # uint32[64], the goals that an event fulfils, as bits
    goal_of_finish: int  # the goals that all actors finishing fulfils
    livelock: int  # kind of failure
    deadlock: int
    look_again: int  # see transition.py


class Work(NamedTuple):
    """Addresses of the room for one batch, and of what is found."""

    room: int  # successors
    moves: int  # the most that one state can have
    places: int  # nodes, or 1 if hits at different nodes are not told apart
    before: int  # uint64[wide], the state being expanded
    state: int  # uint64[wide], a successor in the making
    kept: int  # uint64[wide + 1], the same some nodes before, and the node
    states: int  # uint64[room, words], the successors
    hashes: int  # uint64[room]
    parents: int  # uint32[room]
    context: int  # int64[CONTEXT]
    counters: int  # int64[COUNTERS]
    covered: int  # uint8[nodes]
    hits: int  # int64[AUTOMATA + sites, places, 3]: state, actor, choice; -1: none


class Store(NamedTuple):
    """Addresses of every state found. The last three are used only if there are goals."""

    capacity: int  # states
    states: int  # uint64[capacity, words]
    parents: int  # uint32[capacity]
    size: int  # of the table, a power of 2
    table: int  # uint32[size]: 0, or bits of the hash above 1 + number of the state
    edge_capacity: int
    edges: int  # uint32[edge_capacity]: successors, state by state
    degrees: int  # uint32[capacity]: how many
    goals: int  # uint32[capacity]: goals fulfilled by a move from here

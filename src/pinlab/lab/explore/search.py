"""Breadth-first search over packed states, compiled once and for all by numba.

What a state costs beyond its own words: four bytes of parent, and four bytes in a hash table
between 35 and 70 percent full. The table holds the number of a state, not the state; the bits
that its number does not need hold some of its hash, so that a probe hardly ever reads a state
other than the one it looks for. No move is kept: a path is found again by running the moves
of each parent in their fixed order until one gives the child.

Nearly all the time is spent waiting for memory, so the search works in batches: the moves of
some states are run, the table's lines they will need are asked for, then the states those
lines name, and only then is each successor looked up. Successors are entered in the order
in which they came about, so batches change nothing in what is found.

The functions work on addresses, as C would: numba's arrays carry reference counts, and
counting them costs several times what the search itself does (measured: 0.3 against 2 million
states a second). native.py owns the arrays and keeps them alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from pinlab.lab.explore.assembly import (
    ACTOR,
    BROKEN,
    CHOICE,
    CPU,
    DISABLED,
    EVENTS,
    FAILED,
    VIOLATED,
)
from pinlab.lab.explore.raw import call_node, i64, njit, prefetch, u8, u32, u64
from pinlab.lab.explore.squeeze import (
    FROM_SHIFT,
    FROM_WORD,
    MASK,
    RUN_COLUMNS,
    TO_SHIFT,
    TO_WORD,
)
from pinlab.lab.explore.tables import (
    ACTOR_COLUMNS,
    AGAIN,
    AUTOMATA,
    BROKE,
    EDGES,
    EVERY_GOAL,
    FINISHED,
    FRAME,
    FULL,
    IRQS_MASK,
    IRQS_ON,
    IRQS_WORD,
    LEVEL,
    LEVEL_END,
    LIVELOCK,
    MUST_FINISH,
    NEXT,
    ON_CPU,
    RUNNING,
    STATES,
    TOO_MANY,
    TRANSITIONS,
    Model,
    Store,
    Work,
)

U = cast("Callable[[Any], int]", np.uint64)
I = cast("Callable[[Any], int]", np.int64)  # noqa: E741


@njit
def hash_words(address: int, count: int) -> int:
    """A hash of the words; the products are independent, so the processor overlaps them."""
    words = u64(address)
    h = U(0)
    k = U(0x9E3779B97F4A7C15)
    for i in range(count):
        x = words[i] * k
        h += (x ^ (x >> U(29))) * U(0xBF58476D1CE4E5B9)
        k += U(0x3C6EF372FE94F82A)
    h = (h ^ (h >> U(32))) * U(0xD6E8FEB86659FD93)
    return h ^ (h >> U(32))


@njit
def copy(to: int, source: int, count: int) -> None:
    """Copy words."""
    for i in range(count):
        u64(to)[i] = u64(source)[i]


@njit
def squeeze(m: Model, wide: int, to: int) -> None:
    """Store the state at `wide` at address `to`."""
    for i in range(m.words):
        u64(to)[i] = U(0)
    for r in range(m.runs):
        run = i64(m.run + 8 * RUN_COLUMNS * r)
        bits = (u64(wide)[run[FROM_WORD]] >> U(run[FROM_SHIFT])) & U(run[MASK])
        u64(to)[run[TO_WORD]] |= bits << U(run[TO_SHIFT])


@njit
def unsqueeze(m: Model, stored: int, wide: int) -> None:
    """The inverse of `squeeze`."""
    copy(wide, m.constant, m.wide)
    for r in range(m.runs):
        run = i64(m.run + 8 * RUN_COLUMNS * r)
        bits = (u64(stored)[run[TO_WORD]] >> U(run[TO_SHIFT])) & U(run[MASK])
        u64(wide)[run[FROM_WORD]] |= bits << U(run[FROM_SHIFT])


@njit
def equal(a: int, b: int, count: int) -> bool:
    """Whether two runs of words are the same."""
    for i in range(count):  # noqa: SIM110 (numba has no generators here)
        if u64(a)[i] != u64(b)[i]:
            return False
    return True


@njit
def tag_of(h: int, size: int) -> int:
    """The bits of a hash that go beside a number below `size`."""
    return I(h >> U(32)) & ~(size - 1)


@njit
def counter_of(m: Model, state: int, actor: int) -> int:
    """The actor's program counter in the state at address `state`."""
    frame = i64(m.actor)[actor * ACTOR_COLUMNS + FRAME]
    return I(u64(state)[frame + m.pc_word] >> U(m.pc_shift)) & m.pc_mask


@njit
def interrupted(m: Model, state: int) -> tuple[int, int]:
    """(CPUs on which an interrupt handler runs, those handlers), as bits."""
    cpus, handlers = 0, 0
    if m.irqs != 0:
        for actor in range(m.actors):
            if (m.irqs >> actor) & 1:
                row = i64(m.actor + 8 * ACTOR_COLUMNS * actor)
                if u64(state)[row[FRAME] + m.irq_word] & U(row[RUNNING]) != 0:
                    cpus |= 1 << row[ON_CPU]
                    handlers |= 1 << actor
    return cpus, handlers


@njit
def may_run(m: Model, state: int, actor: int, pc: int, cpus: int, handlers: int) -> bool:
    """As Interpreter.may_run; `cpus` and `handlers` from `interrupted`."""
    if pc == 0:
        return False
    if (handlers >> actor) & 1:
        return True
    row = i64(m.actor + 8 * ACTOR_COLUMNS * actor)
    if (cpus >> row[ON_CPU]) & 1:
        return False
    if row[RUNNING]:
        on: bool = I(u64(state)[row[IRQS_WORD]]) & row[IRQS_MASK] == row[IRQS_ON]
        return on
    return True


@njit
def closed(m: Model, work: Work, state: int, pc: int, nodes: int) -> bool:
    """As Circle.closed; `nodes` have been run."""
    if nodes & (nodes - 1) == 0:
        copy(work.kept, state, m.wide)
        u64(work.kept)[m.wide] = U(pc)
        return False
    return u64(work.kept)[m.wide] == U(pc) and equal(work.kept, state, m.wide)


@njit
def attempt(m: Model, work: Work, state: int, actor: int, choice: int, pc: int) -> int:
    """Run a move of `actor`, who stands at `pc`, on the state at address `state`, in place.

    Returns 0, DISABLED (the state is as it was) or the status of a failure (it is not).
    """
    row = i64(m.actor + 8 * ACTOR_COLUMNS * actor)
    frame = state + 8 * row[FRAME]
    context = i64(work.context)
    context[ACTOR] = actor
    context[CPU] = row[ON_CPU]
    context[CHOICE] = choice
    context[VIOLATED] = 0
    context[EVENTS] = 0
    nodes = 0
    while True:
        after: int = call_node(i64(m.nodes)[pc], state, frame, work.context)
        if after == DISABLED:
            return DISABLED
        u8(work.covered)[pc] = 1
        if after < 0:
            return after
        pc = after
        if pc == 0 or u8(m.visible)[pc]:
            for i in range(m.frame_words):
                u64(frame)[i] &= u64(m.keep)[pc * m.frame_words + i]
            u64(frame)[m.pc_word] |= U(pc) << U(m.pc_shift)
            if pc != 0:
                u64(frame)[m.irq_word] |= U(row[RUNNING])
            return 0
        nodes += 1
        if nodes >= m.look_again and closed(m, work, state, pc, nodes):
            return LIVELOCK


@njit
def rehash(m: Model, store: Store, count: int) -> None:
    """Enter the first `count` states into the empty table."""
    table = u32(store.table)
    last = store.size - 1
    for s in range(count):
        h = hash_words(store.states + 8 * m.words * s, m.words)
        i = I(h) & last
        while table[i] != 0:
            i = (i + 1) & last
        table[i] = np.uint32(tag_of(h, store.size) | (s + 1))


@njit
def record(work: Work, what: int, pc: int, state: int, actor: int, choice: int) -> None:
    """Keep the first hit of its sort, at this node if places are told apart."""
    hit = i64(work.hits + 24 * (what * work.places + pc % work.places))
    if hit[0] < 0:
        hit[0] = state
        hit[1] = actor
        hit[2] = choice


@njit
def judge(m: Model, work: Work, status: int, pc: int, s: int, actor: int, choice: int) -> int:
    """Record what the move just made violates; returns the goals it fulfils."""
    fulfilled = 0
    context = i64(work.context)
    if context[VIOLATED] != 0:
        for a in range(AUTOMATA):
            if (context[VIOLATED] >> a) & 1:
                record(work, a, pc, s, actor, choice)
    if m.goals and context[EVENTS] != 0:
        for e in range(64):
            if (context[EVENTS] >> e) & 1:
                fulfilled |= I(u32(m.goal_of_event)[e])
    if status < 0:
        kind = m.livelock if status == LIVELOCK else FAILED - status
        record(work, AUTOMATA + kind, pc, s, actor, choice)
        fulfilled = EVERY_GOAL  # what follows a failure is not known
    return fulfilled


@njit
def expand(m: Model, work: Work, store: Store, s: int, n: int) -> int:
    """Run every move of state `s`; successors go to the batch from `n` on.

    Returns the new `n`, or -1 when the program broke a promise: the move is in hit 0.
    """
    state = work.before
    unsqueeze(m, store.states + 8 * m.words * s, state)
    cpus, handlers = interrupted(m, state)
    context = i64(work.context)
    moved, finished, clean = False, True, False
    fulfilled = 0
    for actor in range(m.actors):
        pc = counter_of(m, state, actor)
        if pc != 0 and i64(m.actor)[actor * ACTOR_COLUMNS + MUST_FINISH]:
            finished = False
        if not may_run(m, state, actor, pc, cpus, handlers):
            continue
        for choice in range(i64(m.choices)[pc]):
            if not clean:
                copy(work.state, state, m.wide)
                clean = True
            status = attempt(m, work, work.state, actor, choice, pc)
            if status == DISABLED:
                continue
            clean = False
            moved = True
            i64(work.counters)[TRANSITIONS] += 1
            if status == BROKEN:
                i64(work.hits)[0] = s
                i64(work.hits)[1] = actor
                i64(work.hits)[2] = choice
                return -1
            if status < 0 or (context[VIOLATED] | context[EVENTS]) != 0:
                fulfilled |= judge(m, work, status, pc, s, actor, choice)
                if status < 0:
                    continue
            row = work.states + 8 * m.words * n
            squeeze(m, work.state, row)
            h = hash_words(row, m.words)
            u64(work.hashes)[n] = h
            u32(work.parents)[n] = np.uint32(s)
            prefetch(store.table + 4 * (I(h) & (store.size - 1)))
            n += 1
    if not moved and not finished:
        record(work, AUTOMATA + m.deadlock, 0, s, -1, 0)
    if m.goals:
        u32(store.goals)[s] = np.uint32(fulfilled | (m.goal_of_finish if finished else 0))
    return n


@njit
def enter(m: Model, work: Work, store: Store, n: int) -> None:
    """Look up the `n` successors of the batch and add the new ones."""
    table = u32(store.table)
    counters = i64(work.counters)
    last = store.size - 1
    bytes_ = 8 * m.words
    for k in range(n):
        h = u64(work.hashes)[k]
        found = I(table[I(h) & last])
        if found != 0 and found & ~last == tag_of(h, store.size):
            first = store.states + bytes_ * ((found & last) - 1)
            prefetch(first)
            prefetch(first + bytes_ - 8)
    for k in range(n):
        h = u64(work.hashes)[k]
        new = work.states + bytes_ * k
        tag = tag_of(h, store.size)
        i = I(h) & last
        state = -1
        while True:
            found = I(table[i])
            if found == 0:
                break
            if found & ~last == tag:
                candidate = (found & last) - 1
                if equal(store.states + bytes_ * candidate, new, m.words):
                    state = candidate
                    break
            i = (i + 1) & last
        if state < 0:
            state = counters[STATES]
            counters[STATES] = state + 1
            table[i] = np.uint32(tag | (state + 1))
            copy(store.states + bytes_ * state, new, m.words)
            u32(store.parents)[state] = u32(work.parents)[k]
        if m.goals:
            u32(store.edges)[counters[EDGES]] = np.uint32(state)
            counters[EDGES] += 1
            u32(store.degrees)[I(u32(work.parents)[k])] += np.uint32(1)


@njit
def search(m: Model, work: Work, store: Store, max_states: int, share: int) -> int:
    """Go on with the search for about `share` states.

    All that it knows is in its arguments, so it can be called again and again.
    """
    counters = i64(work.counters)
    until = counters[NEXT] + share
    while counters[NEXT] < counters[STATES]:
        if counters[NEXT] >= until:
            return AGAIN
        most = counters[STATES] + work.room
        if most > store.capacity or most * 10 > store.size * 7:
            return FULL
        if m.goals and counters[EDGES] + work.room > store.edge_capacity:
            return FULL
        if counters[NEXT] == counters[LEVEL_END]:
            counters[LEVEL] += 1
            counters[LEVEL_END] = counters[STATES]
        # close to the limit, one state at a time: it is checked after each
        limit = 0 if most > max_states else work.room - work.moves
        n = 0
        while counters[NEXT] < counters[LEVEL_END] and n <= limit:
            n = expand(m, work, store, counters[NEXT], n)
            if n < 0:
                return BROKE
            counters[NEXT] += 1
            if limit == 0:
                break
        enter(m, work, store, n)
        if counters[STATES] > max_states:
            return TOO_MANY
    return FINISHED


@njit
def find_move(m: Model, work: Work, store: Store, parent: int, child: int) -> tuple[int, int]:
    """The first (actor, choice) that leads from one state to the other."""
    before = work.before
    unsqueeze(m, store.states + 8 * m.words * parent, before)
    cpus, handlers = interrupted(m, before)
    for actor in range(m.actors):
        pc = counter_of(m, before, actor)
        if may_run(m, before, actor, pc, cpus, handlers):
            for choice in range(i64(m.choices)[pc]):
                copy(work.state, before, m.wide)
                if attempt(m, work, work.state, actor, choice, pc) == 0:
                    squeeze(m, work.state, work.states)
                    if equal(work.states, store.states + 8 * m.words * child, m.words):
                        return actor, choice
    return -1, -1


@njit
def spread_goals(store: Store, states: int, edges: int) -> None:
    """Give every state the goals that can be reached from it.

    Most edges lead away from the start, so a pass from the last state to the first nearly
    does it; passes go on until one changes nothing.
    """
    reach = u32(store.goals)
    changed = True
    while changed:
        changed = False
        e = edges
        for s in range(states - 1, -1, -1):
            goals = reach[s]
            for _ in range(u32(store.degrees)[s]):
                e -= 1
                goals = np.uint32(goals | reach[I(u32(store.edges)[e])])
            if goals != reach[s]:
                reach[s] = goals
                changed = True

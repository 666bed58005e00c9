"""The shapes that memory models are told apart by, as kernel functions.

Threads store to and load from `cells`; what they loaded goes to `seen`, which is no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pinlab.lab.explore import choose
from pinlab.lab.explore.result import Exploration, Limits
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    KernelFunction,
    array,
    atomic_add_unless,
    atomic_inc,
    flag,
    irqs_enabled,
    kernel,
    local_irq_disable,
    local_irq_enable,
    mutex,
    mutex_lock,
    mutex_unlock,
    set_bit,
    smp_load_acquire,
    smp_mb,
    smp_rmb,
    smp_store_release,
    smp_wmb,
    spin_lock,
    spin_unlock,
    spin_until,
    spinlock,
    test_bit,
    u2,
    xchg,
)
from pinlab.lab.language.program import Actor, Program, System
from pinlab.lab.weak import MODELS, SC
from pinlab.lab.weak.weaken import weaken

cells = array(3, 0, 3)
seen = array(6, 0, 3, order="strong")
lock = spinlock()
PG_one = flag(word="flags")
PG_two = flag(word="flags")
PG_locked = mutex(word="flags")
alone = flag()
doorbell = flag(order="device")

X, Y, Z = 0, 1, 2


@kernel
def store(x: u2, value: u2) -> None:
    WRITE_ONCE(cells[x], value)


@kernel
def store_store(x: u2, first: u2, y: u2, second: u2) -> None:
    WRITE_ONCE(cells[x], first)
    WRITE_ONCE(cells[y], second)


@kernel
def store_wmb_store(x: u2, first: u2, y: u2, second: u2) -> None:
    WRITE_ONCE(cells[x], first)
    smp_wmb()
    WRITE_ONCE(cells[y], second)


@kernel
def store_mb_store(x: u2, first: u2, y: u2, second: u2) -> None:
    WRITE_ONCE(cells[x], first)
    smp_mb()
    WRITE_ONCE(cells[y], second)


@kernel
def store_release(x: u2, first: u2, y: u2, second: u2) -> None:
    WRITE_ONCE(cells[x], first)
    smp_store_release(cells[y], second)


@kernel
def store_load(x: u2, value: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(cells[x], value)
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def store_mb_load(x: u2, value: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(cells[x], value)
    smp_mb()
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def store_wmb_load(x: u2, value: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(cells[x], value)
    smp_wmb()
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def locked_store_load(x: u2, value: u2, y: u2, out: u2) -> None:
    spin_lock(lock)
    WRITE_ONCE(cells[x], value)
    spin_unlock(lock)
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def bit_locked_store_load(x: u2, value: u2, y: u2, out: u2) -> None:
    mutex_lock(PG_locked)
    WRITE_ONCE(cells[x], value)
    mutex_unlock(PG_locked)
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def xchg_load(x: u2, value: u2, y: u2, out: u2) -> None:
    xchg(cells[x], value)
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def inc_load(x: u2, y: u2, out: u2) -> None:
    atomic_inc(cells[x])
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def fail_load(x: u2, y: u2, out: u2) -> None:
    """A conditional atomic that fails orders nothing."""
    if atomic_add_unless(cells[x], 1, 1):
        WRITE_ONCE(seen[out], 3)
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))


@kernel
def load_load(x: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))


@kernel
def load_rmb_load(x: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    smp_rmb()
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))


@kernel
def load_acquire_load(x: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(seen[out], smp_load_acquire(cells[x]))
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))


@kernel
def follow(x: u2, out: u2) -> None:
    """What is loaded from x is the address of the next load."""
    where: u2 = READ_ONCE(cells[x])
    WRITE_ONCE(seen[out], where)
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[where]))


@kernel
def load_follow(x: u2, y: u2, out: u2) -> None:
    """What is loaded from y is an address that has been there all the time."""
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    where: u2 = READ_ONCE(cells[y])
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[where]))


@kernel
def load_store(x: u2, y: u2, value: u2, out: u2) -> None:
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    WRITE_ONCE(cells[y], value)


@kernel
def store_load_load(x: u2, value: u2, y: u2, out: u2) -> None:
    WRITE_ONCE(cells[x], value)
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))


@kernel
def inc(x: u2) -> None:
    atomic_inc(cells[x])


@kernel
def locked_store_store(x: u2, first: u2, y: u2, second: u2) -> None:
    spin_lock(lock)
    WRITE_ONCE(cells[x], first)
    WRITE_ONCE(cells[y], second)
    spin_unlock(lock)


@kernel
def locked_load_load(x: u2, y: u2, out: u2) -> None:
    spin_lock(lock)
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[y]))
    spin_unlock(lock)


@kernel
def set_test_one_word(out: u2) -> None:
    set_bit(PG_one)
    WRITE_ONCE(seen[out], test_bit(PG_two))


@kernel
def set_test_other(out: u2) -> None:
    set_bit(PG_two)
    WRITE_ONCE(seen[out], test_bit(PG_one))


@kernel
def set_test_alone(out: u2) -> None:
    set_bit(PG_one)
    WRITE_ONCE(seen[out], test_bit(alone))


@kernel
def set_alone(out: u2) -> None:
    set_bit(alone)
    WRITE_ONCE(seen[out], test_bit(PG_one))


@kernel
def release_acquire(x: u2, y: u2, out: u2) -> None:
    smp_store_release(cells[x], 1)
    WRITE_ONCE(seen[out], smp_load_acquire(cells[y]))


@kernel
def ring(x: u2) -> None:
    """Store, then the device's doorbell."""
    WRITE_ONCE(cells[x], 1)
    WRITE_ONCE(doorbell, 1)


@kernel
def answer(x: u2, out: u2) -> None:
    """What a device finds that was told."""
    WRITE_ONCE(seen[out], READ_ONCE(doorbell))
    WRITE_ONCE(seen[out + 1], READ_ONCE(cells[x]))


@kernel
def interrupt(x: u2, y: u2, out: u2, cpu: u2) -> None:
    """Store, interrupt another CPU, load."""
    WRITE_ONCE(cells[x], 1)
    spin_until(irqs_enabled(cpu))
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))


@kernel
def irqs_off_store_load(x: u2, y: u2, out: u2) -> None:
    local_irq_disable()
    WRITE_ONCE(cells[x], 1)
    WRITE_ONCE(seen[out], READ_ONCE(cells[y]))
    local_irq_enable()


@kernel
def count_below_bit(x: u2) -> None:
    """An increment that is none, below a lock that is a bit of a word."""
    mutex_lock(PG_locked)
    WRITE_ONCE(cells[x], READ_ONCE(cells[x]) + 1)
    mutex_unlock(PG_locked)


@kernel
def set_one() -> None:
    set_bit(PG_one)


@kernel
def unlock_bit(x: u2) -> None:
    mutex_lock(PG_locked)
    WRITE_ONCE(cells[x], 1)
    mutex_unlock(PG_locked)


@kernel
def lock_bit(x: u2, out: u2) -> None:
    mutex_lock(PG_locked)
    WRITE_ONCE(seen[out], READ_ONCE(cells[x]))
    mutex_unlock(PG_locked)


FUNCTIONS = tuple(
    it
    for it in list(globals().values())
    if isinstance(it, KernelFunction) and it.__module__ == __name__
)
PROGRAM = compile_program(FUNCTIONS)

Thread = tuple[Callable[..., None], tuple[int, ...]]
Shared = Mapping[str, Sequence[int]]
_weak: dict[tuple[str, int], Program] = {}


def system(model: str, *threads: Thread, initial: Shared | None = None) -> System:
    """Threads, each on a CPU, under a model."""
    actors = tuple(
        Actor(f"P{number}", function.__name__, arguments)
        for number, (function, arguments) in enumerate(threads)
    )
    it = System(PROGRAM, actors, {name: tuple(each) for name, each in (initial or {}).items()})
    if model == SC:
        return it
    key = model, len(threads)
    if key not in _weak:
        _weak[key] = weaken(PROGRAM, MODELS[model], len(threads))
    return replace(it, program=_weak[key])


def explored(it: System, condition: Callable[[Shared], bool], engine: str = "auto") -> Exploration:
    """All that it can do; what is at rest and fulfils the condition is `unbalanced`."""
    found = choose.explore(
        it, Limits(), engine=engine, audit=lambda at: ["seen"] if condition(at) else []
    )
    assert found.complete
    assert not found.failures
    return found


def possible(
    model: str,
    condition: Callable[[Shared], bool],
    *threads: Thread,
    initial: Shared | None = None,
) -> bool:
    """Whether some run ends in a state that fulfils the condition."""
    return bool(explored(system(model, *threads, initial=initial), condition).unbalanced)

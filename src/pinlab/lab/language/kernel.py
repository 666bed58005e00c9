"""The modelling language: what a kernel function may use, with the kernel's names.

A model function is never run by Python. `@kernel` marks it, and the compiler
(`pinlab.lab.language.compile`) reads its source: see docs/language.md for the subset of Python
that it may be written in. The functions of this module are the *primitives*: the only way to
touch what another CPU can see, each one atomic step. Called from ordinary Python they raise
`NotCompiled`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Generic, NoReturn, Self, TypeVar, overload

from pinlab.lab.language.functions import BadDeclaration as BadDeclaration
from pinlab.lab.language.functions import KernelFunction as KernelFunction
from pinlab.lab.language.functions import NotCompiled as NotCompiled
from pinlab.lab.language.functions import hook as hook
from pinlab.lab.language.functions import kernel as kernel
from pinlab.lab.language.functions import model_function as model_function
from pinlab.lab.language.functions import pure as pure
from pinlab.lab.language.program import ORDERS, WEAK
from pinlab.objectives.events import Event

T = TypeVar("T")


WIDEST = 2**31
"""Bounds lie within [-WIDEST, WIDEST]."""


def _check_bounds(lo: int, hi: int) -> None:
    for bound in (lo, hi):
        if not isinstance(bound, int) or abs(bound) > WIDEST:
            raise BadDeclaration(f"{bound!r} is no bound: write an integer of at most 31 bits")
    if lo > hi:
        raise BadDeclaration(f"no integer lies in [{lo}, {hi}]: write the lower bound first")


# -------------------------------------------------------------------------- local integers


class Range:
    """The bounds of an annotated integer: `Annotated[int, Range(0, 7)]`."""

    def __init__(self, lo: int, hi: int) -> None:
        _check_bounds(lo, hi)
        self.lo = lo
        self.hi = hi


u1 = Annotated[int, Range(0, 1)]
u2 = Annotated[int, Range(0, 3)]
u3 = Annotated[int, Range(0, 7)]
u4 = Annotated[int, Range(0, 15)]
u5 = Annotated[int, Range(0, 31)]
u6 = Annotated[int, Range(0, 63)]
u8 = Annotated[int, Range(0, 255)]
s3 = Annotated[int, Range(-4, 3)]
s4 = Annotated[int, Range(-8, 7)]
s6 = Annotated[int, Range(-32, 31)]

INT = Range(-16, 47)
"""The bounds of a plain `int` local, parameter or result: six bits."""

# ---------------------------------------------------------------------------- shared state


def _order(order: str) -> str:
    if order not in ORDERS:
        raise BadDeclaration(f"order={order!r}: write {' or '.join(map(repr, ORDERS))}")
    return order


class Cell:
    """A shared bounded integer: what READ_ONCE and the atomics work on."""

    def __init__(
        self, lo: int = 0, hi: int = 1, kind: str = "int", *, word: str = "", order: str = WEAK
    ) -> None:
        _check_bounds(lo, hi)
        self.lo = lo
        self.hi = hi
        self.kind = kind  # int, refcount, spinlock, mutex, rwsem
        self.word = word
        self.order = _order(order)


class Cells:
    """A shared array of `length` bounded integers; `cells[i]` is a `Cell`."""

    def __init__(
        self,
        length: int,
        lo: int = 0,
        hi: int = 1,
        bytes: int = 0,
        *,
        word: str = "",
        order: str = WEAK,
    ) -> None:
        _check_bounds(lo, hi)
        if not isinstance(bytes, int) or bytes < 0:
            raise BadDeclaration(f"bytes={bytes!r}: write how many bytes the field adds in C")
        self.length = length
        self.lo = lo
        self.hi = hi
        self.bytes = bytes
        self.word = word
        self.order = _order(order)

    def __getitem__(self, index: Any) -> Cell:
        raise NotCompiled("shared cells exist only in compiled models")


class Pointer(Generic[T]):
    """A shared pointer to a `Struct`, or NULL."""

    def __init__(self, to: str) -> None:
        self.to = to


class Lock(Cell):
    """A shared lock; which kind is said by the function that declares it."""


class Struct:
    """A kernel structure; `class Page(Struct, count=2)` declares all its instances.

    Fields are class attributes made by `bounded`, `flag`, `refcount`, `atomic`, `array`,
    `pointer`, `spinlock`, `mutex`, `rwsem`. A value of the class is a pointer: NULL is 0, the
    instances are 1 .. count.
    """

    count: int = 1

    def __init_subclass__(cls, count: int = 1) -> None:
        if count < 1:
            raise BadDeclaration(f"{cls.__name__} has {count} instances: there must be at least 1")
        cls.count = count

    @classmethod
    def all(cls) -> Iterator[Self]:
        """Every instance, in order: `for vma in Vma.all():`."""
        raise NotCompiled("instances exist only in compiled models")


NULL: Any = None
"""The pointer to nothing."""


def bounded(lo: int, hi: int, bytes: int = 0, order: str = WEAK) -> Cell:
    """A plain shared integer of [lo, hi]; `bytes`: what it adds to its structure in C."""
    return Cell(lo, hi, order=order)


def flag(word: str = "", order: str = WEAK) -> Cell:
    """One bit, of the word of its structure that is called `word`: bits of one word are never seen
    in another order than they were changed in."""
    return Cell(0, 1, word=word, order=order)


def atomic(lo: int, hi: int, bytes: int = 0) -> Cell:
    """An atomic_t of [lo, hi]."""
    return Cell(lo, hi)


def refcount(hi: int) -> Cell:
    """A reference count of [0, hi]: below zero is "refcount-underflow", up from zero by
    anything but atomic_set is "use-after-free"."""
    return Cell(0, hi, "refcount")


def array(length: int, lo: int, hi: int, order: str = WEAK) -> Cells:
    """An array field or global of `length` integers of [lo, hi], indexed from 0."""
    if length < 1:
        raise BadDeclaration(f"an array of {length} elements: there must be at least 1")
    return Cells(length, lo, hi, order=order)


def per_page(lo: int, hi: int, bytes: int, word: str = "", order: str = WEAK) -> Cells:
    """A design's own field of struct page, indexed by the page: `pincount[page]`. `bytes` is
    what it adds to struct page (0 for what fits into existing holes, such as a page flag: then
    `word` is the word of struct page that it is a bit of)."""
    return Cells(-1, lo, hi, bytes, word=word, order=order)


@overload
def pointer(to: str) -> Pointer[Any]: ...
@overload
def pointer(to: type[T]) -> Pointer[T]: ...
def pointer(to: type[T] | str) -> Pointer[T]:
    """A pointer field; `to` is the structure or, before it is defined, its name."""
    return Pointer(to if isinstance(to, str) else to.__name__)


def spinlock(order: str = WEAK) -> Lock:
    """A spinlock_t."""
    return Lock(0, 7, "spinlock", order=order)


def mutex(word: str = "") -> Lock:
    """A sleeping mutual exclusion lock: struct mutex, and the page lock, a bit of `word`."""
    return Lock(0, 7, "mutex", word=word)


def rwsem() -> Lock:
    """A struct rw_semaphore."""
    return Lock(0, 15, "rwsem")


# ------------------------------------------------------------------------------ primitives


def _primitive(name: str) -> NoReturn:
    raise NotCompiled(f"{name} is a primitive of the model: it is compiled, never called")


def READ_ONCE(cell: Any) -> Any:
    """One load. Of a pointer field it gives a pointer, of a cell an integer."""
    _primitive("READ_ONCE")


def WRITE_ONCE(cell: Any, value: Any) -> None:
    """One store."""
    _primitive("WRITE_ONCE")


def atomic_read(cell: Cell) -> int:
    """One load of an atomic."""
    _primitive("atomic_read")


def atomic_set(cell: Cell, value: int) -> None:
    """One store to an atomic; also starts a reference count that is zero."""
    _primitive("atomic_set")


def atomic_inc(cell: Cell) -> None:
    """Unordered increment."""
    _primitive("atomic_inc")


def atomic_dec(cell: Cell) -> None:
    """Unordered decrement."""
    _primitive("atomic_dec")


def atomic_add(value: int, cell: Cell) -> None:
    """Unordered addition."""
    _primitive("atomic_add")


def atomic_sub(value: int, cell: Cell) -> None:
    """Unordered subtraction."""
    _primitive("atomic_sub")


def atomic_inc_return(cell: Cell) -> int:
    """Increment, fully ordered; the new value."""
    _primitive("atomic_inc_return")


def atomic_dec_return(cell: Cell) -> int:
    """Decrement, fully ordered; the new value."""
    _primitive("atomic_dec_return")


def atomic_add_return(value: int, cell: Cell) -> int:
    """Add, fully ordered; the new value."""
    _primitive("atomic_add_return")


def atomic_sub_return(value: int, cell: Cell) -> int:
    """Subtract, fully ordered; the new value."""
    _primitive("atomic_sub_return")


def atomic_fetch_add(value: int, cell: Cell) -> int:
    """Add, fully ordered; the old value."""
    _primitive("atomic_fetch_add")


def atomic_dec_and_test(cell: Cell) -> bool:
    """Decrement, fully ordered; whether the result is zero."""
    _primitive("atomic_dec_and_test")


def atomic_sub_and_test(value: int, cell: Cell) -> bool:
    """Subtract, fully ordered; whether the result is zero."""
    _primitive("atomic_sub_and_test")


def atomic_add_unless(cell: Cell, value: int, unless: int) -> bool:
    """Add unless the cell is `unless`; whether it was added. Fully ordered."""
    _primitive("atomic_add_unless")


def atomic_inc_not_zero(cell: Cell) -> bool:
    """Increment unless zero; whether it was incremented. Fully ordered."""
    _primitive("atomic_inc_not_zero")


def cmpxchg(cell: Any, old: Any, new: Any) -> Any:
    """Compare and exchange, fully ordered; the value found."""
    _primitive("cmpxchg")


def xchg(cell: Any, value: Any) -> Any:
    """Exchange, fully ordered; the old value."""
    _primitive("xchg")


def ptep_get_and_clear(cell: Cell) -> None:
    """Clear a page table entry by an exchange: fully ordered on x86, relaxed on arm64. What it had
    was read before, under the page table lock."""
    _primitive("ptep_get_and_clear")


def ptep_set_wrprotect(cell: Cell, value: int) -> None:
    """Write-protect an entry, which becomes `value`: ordered as ptep_get_and_clear()."""
    _primitive("ptep_set_wrprotect")


def page_walk(cell: Cell) -> int:
    """One load of a page table entry by the hardware that fills a TLB."""
    _primitive("page_walk")


def smp_load_acquire(cell: Any) -> Any:
    """One load, before everything behind it."""
    _primitive("smp_load_acquire")


def smp_store_release(cell: Any, value: Any) -> None:
    """One store, behind everything before it."""
    _primitive("smp_store_release")


def test_bit(cell: Cell) -> bool:
    """One load of a flag."""
    _primitive("test_bit")


def set_bit(cell: Cell) -> None:
    """Unordered."""
    _primitive("set_bit")


def clear_bit(cell: Cell) -> None:
    """Unordered."""
    _primitive("clear_bit")


def test_and_set_bit(cell: Cell) -> bool:
    """Fully ordered; the old value."""
    _primitive("test_and_set_bit")


def test_and_clear_bit(cell: Cell) -> bool:
    """Fully ordered; the old value."""
    _primitive("test_and_clear_bit")


def smp_mb() -> None:
    """Full barrier."""
    _primitive("smp_mb")


def smp_rmb() -> None:
    """Orders loads."""
    _primitive("smp_rmb")


def smp_wmb() -> None:
    """Orders stores."""
    _primitive("smp_wmb")


def smp_mb__after_atomic() -> None:
    """Full barrier after an unordered read-modify-write."""
    _primitive("smp_mb__after_atomic")


def smp_mb__before_atomic() -> None:
    """Full barrier before an unordered read-modify-write."""
    _primitive("smp_mb__before_atomic")


def spin_lock(lock: Lock) -> None:
    """Wait for the lock; atomic context until it is released."""
    _primitive("spin_lock")


def spin_trylock(lock: Lock) -> bool:
    """Take the lock if it is free."""
    _primitive("spin_trylock")


def spin_unlock(lock: Lock) -> None:
    """Release."""
    _primitive("spin_unlock")


def spin_lock_irq(lock: Lock) -> None:
    """Interrupts off on this CPU, then the lock (spin_lock_irq and _irqsave)."""
    _primitive("spin_lock_irq")


def spin_unlock_irq(lock: Lock) -> None:
    """Release, then interrupts as they were."""
    _primitive("spin_unlock_irq")


def mutex_lock(lock: Lock) -> None:
    """Sleep until the lock is free, take it."""
    _primitive("mutex_lock")


def mutex_trylock(lock: Lock) -> bool:
    """Take the lock if it is free; never sleeps."""
    _primitive("mutex_trylock")


def mutex_unlock(lock: Lock) -> None:
    """Release; for a page lock too."""
    _primitive("mutex_unlock")


def mutex_is_locked(lock: Lock) -> bool:
    """Whether anybody holds it."""
    _primitive("mutex_is_locked")


def down_read(lock: Lock) -> None:
    """Sleep until no writer holds it, take it shared."""
    _primitive("down_read")


def down_read_trylock(lock: Lock) -> bool:
    """Take it shared if no writer holds it."""
    _primitive("down_read_trylock")


def up_read(lock: Lock) -> None:
    """Release the shared lock."""
    _primitive("up_read")


def down_write(lock: Lock) -> None:
    """Sleep until nobody holds it, take it exclusively."""
    _primitive("down_write")


def up_write(lock: Lock) -> None:
    """Release the exclusive lock."""
    _primitive("up_write")


def downgrade_write(lock: Lock) -> None:
    """Turn the exclusive lock into a shared one."""
    _primitive("downgrade_write")


def wait_event(condition: bool) -> None:
    """Sleep until `condition` holds: an atomic await. The condition may read any number of
    cells with READ_ONCE, atomic_read and test_bit, all in one step."""
    _primitive("wait_event")


def spin_until(condition: bool) -> None:
    """Busy-wait for `condition`; as `wait_event`, but allowed in atomic context. An interrupt
    handler begins with one: the condition under which the interrupt is raised."""
    _primitive("spin_until")


def might_sleep() -> None:
    """A call that may sleep: a violation in atomic context. No step of its own."""
    _primitive("might_sleep")


def allocate() -> None:
    """A GFP_KERNEL allocation outside the model (it may sleep; counted as a cost)."""
    _primitive("allocate")


def local_irq_disable() -> None:
    """Interrupts (and so IPIs) off on this CPU; nests."""
    _primitive("local_irq_disable")


def local_irq_enable() -> None:
    """Undo one local_irq_disable."""
    _primitive("local_irq_enable")


def rcu_read_lock() -> None:
    """Enter an RCU read-side critical section: no sleeping."""
    _primitive("rcu_read_lock")


def rcu_read_unlock() -> None:
    """Leave it."""
    _primitive("rcu_read_unlock")


def irqs_enabled(cpu: int) -> bool:
    """Whether `cpu` takes interrupts now; for use in wait_event and spin_until."""
    _primitive("irqs_enabled")


def smp_processor_id() -> int:
    """The number of the CPU this runs on, from 0. Local."""
    _primitive("smp_processor_id")


def current() -> int:
    """The number of the running actor, from 0. Local."""
    _primitive("current")


def choose(n: int) -> int:
    """A nondeterministic 0 .. n-1 (n a constant): every choice is explored. One step."""
    _primitive("choose")


def schedule() -> None:
    """Let others run: a step without effect, for loops that poll."""
    _primitive("schedule")


def trace(event: Event, page: Any) -> None:
    """Event `event` happens to `page`, in the same step as the primitive before it. NULL: nothing
    happens."""
    _primitive("trace")


def VM_BUG_ON(condition: bool) -> None:
    """What must not be so here, in the same step as the primitive before it: a failure of kind
    "bug". The condition may read any number of cells, as that of wait_event; it is for what nobody
    in the kernel looks at, or by a rule that the kernel has in words."""
    _primitive("VM_BUG_ON")


def static_branch(cell: Cell) -> bool:
    """A static key: a cell that no step changes, set by the scenario. No step of its own."""
    _primitive("static_branch")

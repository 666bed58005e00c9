"""The state that the third reading works on, and what each primitive does to it.

This is written from `pinlab.lab.language.kernel` and docs/language.md alone: a second account of
what the compiler's `primitives` say. A primitive that is a step gives a `Request`; the scheduler
carries it out. What is no step happens at once, on behalf of the thread that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from pinlab.lab.language.kernel import Cell, Cells, Pointer, Struct

CPUS = 7
"""A lock cell has room for the numbers of so many."""

READERS, WRITER = 7, 8
"""An rw_semaphore: at most so many readers; from here on its writer."""

IRQS_OFF = "irqs_off"


class Failed(Exception):
    """The step ends in a failure of this kind."""


def fail(kind: str) -> NoReturn:
    raise Failed(kind)


def require(condition: object, kind: str) -> None:
    if not condition:
        fail(kind)


class Instance(int):
    """A pointer: 0 is NULL. `struct` is what it points to."""

    struct: type[Struct] | None = None


def pointer(struct: type[Struct], number: int) -> Instance:
    it = Instance(number)
    it.struct = struct
    return it


class Place(NamedTuple):
    """One shared integer: where it is, its bounds, what it counts or points to."""

    at: int
    lo: int
    hi: int
    kind: str = "int"
    struct: type[Struct] | None = None


class Request(NamedTuple):
    """A step that a thread wants to take."""

    act: Callable[[int], Any]
    """Takes the step, with the alternative chosen; gives the primitive's value."""
    ready: Callable[[], object] = lambda: True
    choices: int = 1


@dataclass
class Thread:
    """One actor: where it stands, and what the kernel counts for it."""

    number: int
    irq_of: int | None = None
    """The thread that this one, a handler, interrupts."""
    run: Generator[Request, Any, Any] | None = None
    request: Request | None = None
    preempt: int = 0
    locks: int = 0
    stepped: bool = False

    @property
    def cpu(self) -> int:
        return self.number if self.irq_of is None else self.irq_of

    @property
    def interrupting(self) -> bool:
        """Whether it is a handler between its first step and its last."""
        return self.irq_of is not None and self.stepped and self.request is not None

    def count(self, preempt: int, locks: int = 0) -> None:
        self.preempt += preempt
        self.locks += locks
        require(0 <= self.preempt <= 7 and 0 <= self.locks <= 7, "overflow")


@dataclass
class Layout:
    """Where each declaration of a module is in the list of all shared integers."""

    namespace: Mapping[str, Any]
    places: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    size: int = 0

    def __post_init__(self) -> None:
        self.add(IRQS_OFF, Place(0, 0, 3), CPUS)
        for name, it in list(self.namespace.items()):
            match it:
                case Cells() if it.length >= 0:
                    self.declare(name, it, it.length)
                case Cell() | Pointer():
                    self.declare(name, it, 1)
                case type() if issubclass(it, Struct) and it is not Struct:
                    self.instances(it)

    def instances(self, struct: type[Struct]) -> None:
        for name, it in vars(struct).items():
            if isinstance(it, Cell | Cells | Pointer):
                each = it.length if isinstance(it, Cells) else 1
                self.declare(f"{struct.__name__}.{name}", it, each * struct.count)
        for name, it in self.namespace.items():
            if isinstance(it, Cells) and it.length < 0:  # per_page: of any structure it may be
                self.add(f"{struct.__name__}.{name}", self.shape(it), struct.count)
                self.names[id(it)] = name

    def declare(self, name: str, it: Cell | Cells | Pointer[Any], length: int) -> None:
        self.names[id(it)] = name
        self.add(name, self.shape(it), length)

    def shape(self, it: Cell | Cells | Pointer[Any]) -> Place:
        match it:
            case Cell():
                return Place(0, it.lo, it.hi, it.kind)
            case Cells():
                return Place(0, it.lo, it.hi)
            case Pointer():
                struct = self.namespace[it.to]
                return Place(0, 0, struct.count, "int", struct)

    def add(self, name: str, shape: Place, length: int) -> None:
        self.places[name] = tuple(shape._replace(at=self.size + i) for i in range(length))
        self.size += length

    def element(self, name: str, index: int) -> Place:
        places = self.places[name]
        require(0 <= index < len(places), "null")
        return places[index]


class Machine:
    """The shared integers, the threads, and every primitive by its name."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.values: list[int] = []
        self.threads: list[Thread] = []
        self.me = Thread(0)
        self.events: list[tuple[str, int]] = []

    def reset(self, values: list[int]) -> None:
        self.values, self.threads, self.events = list(values), [], []

    # -------------------------------------------------------------------- what places are

    def cell(self, declared: Any) -> Place:
        return self.layout.element(self.layout.names[id(declared)], 0)

    def item(self, declared: Cells, index: int) -> Place:
        name = self.layout.names[id(declared)]
        if declared.length >= 0:
            return self.layout.element(name, index)
        assert isinstance(index, Instance) and index.struct is not None
        return self.layout.element(f"{index.struct.__name__}.{name}", index - 1)

    def field(self, base: Instance, name: str, index: int | None = None) -> Place:
        struct = base.struct
        assert struct is not None
        require(1 <= base <= struct.count, "null")
        declared = vars(struct)[name]
        each = declared.length if isinstance(declared, Cells) else 1
        require(index is None or 0 <= index < each, "null")
        return self.layout.element(f"{struct.__name__}.{name}", (base - 1) * each + (index or 0))

    def instances(self, struct: type[Struct]) -> Iterator[Instance]:
        return (pointer(struct, number) for number in range(1, struct.count + 1))

    # ------------------------------------------------------------------- what values are

    def cast(self, to: Any, value: int) -> int:
        return int(value) if to is int else pointer(to, value)

    def fit(self, value: int, lo: int, hi: int, struct: type[Struct] | None) -> int:
        require(lo <= value <= hi, "overflow")
        return int(value) if struct is None else pointer(struct, value)

    def lookup(self, table: tuple[int, ...], index: int) -> int:
        require(0 <= index < len(table), "null")
        return table[index]

    def affirm(self, condition: object) -> None:
        require(condition, "bug")

    # ------------------------------------------------------------------ loads and stores

    def load(self, place: Place) -> int:
        value = self.values[place.at]
        return value if place.struct is None else pointer(place.struct, value)

    def store(self, place: Place, value: int) -> None:
        require(place.lo <= value <= place.hi, "overflow")
        self.values[place.at] = int(value)

    def exchange(self, place: Place, value: int) -> int:
        old = self.load(place)
        self.store(place, value)
        return old

    def add(self, place: Place, amount: int) -> int:
        """A reference that is added is added to some that exist."""
        require(place.kind != "refcount" or self.load(place) > 0, "use-after-free")
        self.store(place, self.load(place) + amount)
        return self.load(place)

    def sub(self, place: Place, amount: int) -> int:
        require(place.kind != "refcount" or self.load(place) >= amount, "refcount-underflow")
        self.store(place, self.load(place) - amount)
        return self.load(place)

    def add_unless(self, place: Place, amount: int, unless: int) -> bool:
        differs = self.load(place) != unless
        starts_again = place.kind == "refcount" and differs and self.load(place) == 0
        require(not starts_again, "use-after-free")
        if differs:
            self.store(place, self.load(place) + amount)
        return differs

    def compare_exchange(self, place: Place, old: int, new: int) -> int:
        found = self.load(place)
        if found == old:
            starts_again = place.kind == "refcount" and found == 0 and new > 0
            require(not starts_again, "use-after-free")
            self.store(place, new)
        return found

    # ----------------------------------------------------------- locks, sleep, interrupts

    def take(self, place: Place, mine: int, free: bool, left: int, preempt: int = 0) -> None:
        """`free` or not is known by now; what is not free is this thread's own."""
        require(self.load(place) != mine, "recursion")
        assert free
        self.store(place, left)
        self.me.count(preempt, 1)

    def release(self, place: Place, held: bool, left: int, preempt: int = 0) -> None:
        require(held, "unlock")
        self.store(place, left)
        self.me.count(-preempt, -1)

    def try_take(self, place: Place, free: bool, left: int, preempt: int = 0) -> bool:
        if free:
            self.store(place, left)
            self.me.count(preempt, 1)
        return free

    def irqs_off(self, cpu: int) -> Place:
        return self.layout.element(IRQS_OFF, cpu)

    def switch_irqs(self, amount: int) -> None:
        place = self.irqs_off(self.me.cpu)
        require(amount > 0 or self.load(place) > 0, "unlock")
        self.store(place, self.load(place) + amount)

    def may_sleep(self) -> None:
        irqs_off = self.load(self.irqs_off(self.me.cpu))
        require(self.me.irq_of is None, "atomic-sleep")
        require(self.me.preempt == 0 and irqs_off == 0, "atomic-sleep")

    def finish(self) -> None:
        require(self.me.locks == 0 and self.me.preempt == 0, "lock-held")
        irqs_on = self.load(self.irqs_off(self.me.cpu)) == 0
        require(irqs_on or self.me.irq_of is not None, "lock-held")

    def may_run(self, thread: Thread) -> bool:
        """Whether interrupts let it take a step."""
        if thread.interrupting:
            return True
        if any(it.interrupting and it.cpu == thread.cpu for it in self.threads):
            return False
        return thread.irq_of is None or self.load(self.irqs_off(thread.cpu)) == 0

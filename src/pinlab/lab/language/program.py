"""A program: a graph of atomic steps over a bounded state.

This is the one thing that every back end reads: the reference interpreter, the native
explorer, the cost counter, the trace printer. It is plain frozen data.

State
    *Shared variables* (`Var`) are one-dimensional arrays of bounded integers, the same for
    every actor. Each actor owns a *frame*: one bounded integer per `Slot` of the program.
    Frames are laid out statically (kernel functions do not recurse here), and slot 0 of every
    frame is the program counter: the number of the node the actor is about to execute, or
    `HALTED`.

Steps
    A *node* is one primitive of the modelling language and the local computation behind it. A
    *transition* executes one visible node of one actor and then every invisible node that
    follows, up to the next visible one: what touches only the actor's own locals never costs
    an interleaving. At the end of a transition the slots that are dead at the node reached
    are set to their encoded zero (`Slot.lo`), so that states which differ only in dead
    locals are one state.

Values
    All arithmetic is on unbounded integers; storing a value outside the bounds of the
    variable or slot is a failure of kind "overflow", never a wrap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pinlab.nearest import nearest
from pinlab.objectives.automaton import Automaton

HALTED = 0
"""The program counter of an actor that has finished. Node 0 is never executed."""

PC = 0
"""The slot that holds the program counter in every frame."""

MAX_ACTORS = 7
"""Lock cells name their holder by number, and have room for this many."""

IN_IRQ = 3
"""The slot that is not 0 in the frame of an interrupt handler (1 and 2: see `primitives`)."""

WAITS, RUNS = 1, 2
"""What `IN_IRQ` says of a handler: it has taken no step yet; it has, and has not finished. Where
it stands does not tell: a loop may bring it back to its first step. They share no bit."""


SC = "sc"
"""Sequential consistency: every step sees what all steps before it did."""

WEAK, STRONG, DEVICE = ORDERS = "weak", "strong", "device"
"""How memory is ordered. Weak: as each access asks for, which is what all memory of a kernel is.
Strong: always as the program has it, for what is no memory (a TLB, a disk, what the model knows
and no kernel does). Device: a register or doorbell, whose stores come behind all stores before
them, and whose loads come before all loads behind them (memory-barriers.txt, "Kernel I/O barrier
effects": readX(), writeX())."""


@dataclass(frozen=True, slots=True)
class Var:
    """`length` shared integers of [lo, hi], all named `name` (index 0 .. length-1); `kind` says
    how a person reads them: "int", "refcount", "spinlock", "mutex", "rwsem".

    Element i is a part of element i of the word `word`, beside those of other variables with this
    word: the words are what a memory model is about. `order` says which accesses may be seen in
    another order than the program's: see `ORDERS`."""

    name: str
    lo: int
    hi: int
    length: int = 1
    kind: str = "int"
    word: str = ""
    order: str = WEAK

    @property
    def of_word(self) -> str:
        """The word that its elements are parts of."""
        return self.word or self.name


@dataclass(frozen=True, slots=True)
class Slot:
    """One integer of [lo, hi] in every actor's frame; `function` owns it ("" for built-ins)."""

    name: str
    lo: int
    hi: int
    function: str = ""


# ---------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Const:
    value: int


@dataclass(frozen=True, slots=True)
class Local:
    """The value of a slot of the executing actor's frame."""

    slot: int


@dataclass(frozen=True, slots=True)
class Shared:
    """The value of element `index` of shared variable number `var`."""

    var: int
    index: Expr


@dataclass(frozen=True, slots=True)
class Self:
    """The number of the executing actor (0 .. actors-1)."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """The number of the CPU the executing actor runs on (0 .. cpus-1)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The value picked by a nondeterministic node: 0 .. Node.choices-1."""


@dataclass(frozen=True, slots=True)
class Unary:
    op: str  # "-", "not"
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    op: str  # + - * // % << >> & | ^ == != < <= > >= and or
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Select:
    """`then` if `test` is nonzero, otherwise `other`."""

    test: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Lookup:
    """Element `index` of a constant table; the language checks the index before."""

    table: tuple[int, ...]
    index: Expr


Expr = Const | Local | Shared | Self | Cpu | Chosen | Unary | Binary | Select | Lookup
"""Comparisons, "not", "and", "or" give 0 or 1; "and"/"or" evaluate both sides (no effects)."""


# ------------------------------------------------------------------------------ operations


@dataclass(frozen=True, slots=True)
class Failure:
    """What goes wrong when a `Check` or a bound fails. `kind` is one of `FAILURE_KINDS`; `about`
    tells it from others of its kind if the message, which may have numbers in it, does not."""

    kind: str
    message: str
    about: str | None = None

    @property
    def site(self) -> tuple[str, str]:
        """Which failure it is."""
        return self.kind, self.message if self.about is None else self.about


FAILURE_KINDS: Mapping[str, str] = {
    "overflow": "a bounded integer left its range",
    "refcount-underflow": "a reference count went below zero",
    "use-after-free": "a reference was taken on, or a pointer followed to, something freed",
    "null": "a NULL pointer was followed",
    "bug": "an assertion of the kernel failed (BUG_ON)",
    "atomic-sleep": "a sleeping function was called in atomic context",
    "unlock": "a lock was released that the actor does not hold",
    "lock-held": "an actor finished with a lock held, interrupts off or in an RCU section",
    "recursion": "an actor took a lock that it already holds",
    "livelock": "a loop over local variables never ends",
    "deadlock": "no actor can take a step and some have not finished",
}


@dataclass(frozen=True, slots=True)
class SetLocal:
    slot: int
    value: Expr


@dataclass(frozen=True, slots=True)
class SetShared:
    var: int
    index: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Check:
    """End the transition with `failure` unless `test` is nonzero."""

    test: Expr
    failure: Failure


@dataclass(frozen=True, slots=True)
class If:
    test: Expr
    then: tuple[Op, ...]
    other: tuple[Op, ...] = ()


@dataclass(frozen=True, slots=True)
class Emit:
    """Event `event` happens to page number `page` (1-based; NULL, 0, is ignored)."""

    event: str
    page: Expr


Op = SetLocal | SetShared | Check | If | Emit


# ------------------------------------------------------------------------------ the graph


@dataclass(frozen=True, slots=True)
class Goto:
    pc: int


@dataclass(frozen=True, slots=True)
class Branch:
    test: Expr
    then: int
    other: int


@dataclass(frozen=True, slots=True)
class Switch:
    """Continue at pcs[value of slot]: the return from a kernel function."""

    slot: int
    pcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Halt:
    """The actor has finished: its pc becomes HALTED and all its slots are cleared."""


Next = Goto | Branch | Switch | Halt


@dataclass(frozen=True, slots=True)
class Node:
    """One atomic step.

    `guard` (None: always) says whether the step is enabled; a disabled actor waits. With
    `choices` > 1 the step has that many alternatives, each seeing its number in `Chosen`.
    `live` are the slots whose values survive when an actor stops *before* this node (primitives
    only: barriers too, as a memory model makes steps of them; slot 0 is always kept).
    """

    pc: int
    function: str
    file: str
    line: int
    primitive: str
    visible: bool
    guard: Expr | None
    choices: int
    ops: tuple[Op, ...]
    next: Next
    live: frozenset[int] = frozenset()
    lines: frozenset[int] = frozenset()
    """Every source line that this node stands for; `line` is the primitive's."""


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled kernel functions of one design, shared by every scenario.

    `nodes[pc].pc == pc`; nodes[0] is a placeholder. `slot_bits` gives, per slot, the bit
    offset inside the frame (slots never straddle a 64-bit word); slots whose functions can
    never be active together may share bits, and the language clears a slot before its bits
    are used by another one. `entries` maps a kernel function that an actor may start in to
    its first pc and the slots of its parameters.
    """

    vars: tuple[Var, ...]
    slots: tuple[Slot, ...]
    slot_bits: tuple[int, ...]
    frame_bits: int
    nodes: tuple[Node, ...]
    automata: tuple[Automaton, ...]
    automaton_vars: tuple[int, ...]
    """For each automaton, the shared variable holding its state, one element per page."""
    irqs_off: int
    """The shared variable (one element per CPU) that is nonzero while interrupts are off."""
    entries: Mapping[str, Entry] = field(default_factory=dict)
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each kernel function, those that it calls."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """For each kernel function, what tells it from another one: see `digest`."""
    memory_model: str = SC
    """The memory model that its steps are of: see `pinlab.lab.weak`."""

    def var(self, name: str) -> int:
        """The number of the shared variable called `name`. Raises KeyError."""
        for number, var in enumerate(self.vars):
            if var.name == name:
                return number
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Entry:
    pc: int
    parameters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Actor:
    """One thread of control.

    `entry` is a kernel function's name, `arguments` its parameters. What is local at its start
    (up to the first visible node) has happened before the first move. `irq_of` makes the actor
    an interrupt handler on the CPU of that actor: it can start only while that CPU has
    interrupts on, and from its first step to its last the interrupted actor takes none. A
    `daemon` (a device, a background thread) need not finish.
    """

    name: str
    entry: str
    arguments: tuple[int, ...] = ()
    irq_of: int | None = None
    daemon: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """A program with its actors, its initial shared state and the automata to watch.

    `initial` gives shared values that are not 0 (or `lo` where 0 is out of range), by variable
    name: one tuple of `length` values. `watch` names the automata that run; the others stay in
    their initial state and judge nothing. Raises ValueError for whatever the program does not
    have or its bounds do not hold.
    """

    program: Program
    actors: tuple[Actor, ...]
    initial: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    watch: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.actors) > MAX_ACTORS:
            raise ValueError(f"{len(self.actors)} actors: there may be {MAX_ACTORS} at most")
        for actor in self.actors:
            self._check_actor(actor)
        variables = {var.name: var for var in self.program.vars}
        for name, values in self.initial.items():
            if name not in variables:
                raise ValueError(f"{name}: there is no such variable, {nearest(name, variables)}")
            _check_values(variables[name], values)
        automata = [automaton.name for automaton in self.program.automata]
        for name in self.watch:
            if name not in automata:
                raise ValueError(f"{name}: there is no such automaton, {nearest(name, automata)}")

    def _check_actor(self, actor: Actor) -> None:
        entry = self.program.entries.get(actor.entry)
        if entry is None:
            hint = nearest(actor.entry, self.program.entries)
            raise ValueError(f"{actor.name}: no actor can start in {actor.entry}, {hint}")
        wanted, given = len(entry.parameters), len(actor.arguments)
        if wanted != given:
            raise ValueError(f"{actor.name}: {actor.entry} takes {wanted} argument(s), not {given}")
        for slot, value in zip(entry.parameters, actor.arguments, strict=True):
            it = self.program.slots[slot]
            if not it.lo <= value <= it.hi:
                bounds = f"[{it.lo}, {it.hi}]"
                raise ValueError(f"{actor.name}: {it.name} = {value} is outside {bounds}")
        if actor.irq_of is not None and not (
            0 <= actor.irq_of < len(self.actors) and self.actors[actor.irq_of].irq_of is None
        ):
            raise ValueError(f"{actor.name} interrupts actor {actor.irq_of}, which has no CPU")

    def cpu(self, actor: int) -> int:
        """The CPU an actor runs on: its own, or the interrupted actor's."""
        host = self.actors[actor].irq_of
        return actor if host is None else host


def _check_values(var: Var, values: tuple[int, ...]) -> None:
    if len(values) != var.length:
        raise ValueError(f"{var.name} has {var.length} element(s), not {len(values)}")
    for value in values:
        if not var.lo <= value <= var.hi:
            raise ValueError(f"{var.name} = {value} is outside [{var.lo}, {var.hi}]")


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything inside it, outermost first."""
    todo = [expr]
    while todo:
        expr = todo.pop()
        yield expr
        match expr:
            case Shared(_, index) | Lookup(_, index):
                todo.append(index)
            case Unary(_, operand):
                todo.append(operand)
            case Binary(_, left, right):
                todo += (right, left)
            case Select(test, then, other):
                todo += (other, then, test)
            case _:
                pass


def flat(ops: Iterable[Op]) -> Iterator[Op]:
    """`ops` and those inside their conditions."""
    for op in ops:
        yield op
        if isinstance(op, If):
            yield from flat(op.then)
            yield from flat(op.other)


def successors(after: Next) -> Sequence[int]:
    """Where a node may go on."""
    match after:
        case Goto(pc):
            return (pc,)
        case Branch(_, then, other):
            return (then, other)
        case Switch(_, pcs):
            return pcs
        case _:
            return ()

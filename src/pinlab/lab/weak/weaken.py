"""The pass: a program under a memory model, as another program.

Every step that accesses a word does what it did, and then the effects of its order: a shared piece
of code to which it goes and which comes back to where the step went on. A load has two
alternatives, the newest value and the one before, where that may be seen; a store has two if it may
come before one that another CPU's buffer holds. Nodes keep their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pinlab.lab.language.access import Access, Write, access, values
from pinlab.lab.language.primitives import TABLE, Order
from pinlab.lab.language.program import (
    DEVICE,
    PC,
    Binary,
    Chosen,
    Const,
    Entry,
    Expr,
    Goto,
    If,
    Local,
    Next,
    Node,
    Op,
    Program,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    Switch,
    Unary,
    flat,
    subexpressions,
)
from pinlab.lab.weak.ahead import Ahead, ahead, reached
from pinlab.lab.weak.loads import Loads, Unsupported
from pinlab.lab.weak.machine import Machine
from pinlab.lab.weak.masks import ZERO, Mask, both
from pinlab.lab.weak.model import Effect, Effects, Model

WORD = 64

BARRIERS = frozenset({Order.MB, Order.RMB, Order.WMB})
LOADS = frozenset({Order.LOAD, Order.LOAD_ACQUIRE, Order.AWAIT})
STORES = frozenset({Order.STORE, Order.STORE_RELEASE})
ORDERED = (
    frozenset(Order) - BARRIERS - {Order.NONE, Order.LOAD, Order.STORE, Order.AWAIT, Order.WALK}
)
"""Those that order what is around them, whatever they access."""


def weaken(program: Program, model: Model, cpus: int) -> Program:
    """`program` on `cpus` CPUs under `model`. Raises Unsupported."""
    return _Pass(program, model, cpus).result()


@dataclass(frozen=True, slots=True)
class _Step:
    """What a step becomes: the node, what it does first, and the effects behind it, of which
    `which` chooses."""

    node: Node
    first: tuple[Op, ...]
    effects: tuple[Effects, ...]
    which: Expr = ZERO


class _Pass:
    def __init__(self, program: Program, model: Model, cpus: int) -> None:
        self.program = program
        self.model = model
        self.machine = Machine(program, model, cpus)
        self.addresses = _addresses(program, frozenset(self.machine.words.bits))
        self.added: list[Node] = []
        self.returns: dict[int, int] = {}
        """Where effects come back to: the number that says so, by node."""
        self.routines: dict[Effects, int] = {}
        self.back = self._add((), Goto(0))
        self.loads = [0] * len(program.nodes)
        """By node, the words that it may load early, as bits."""
        self.catches_up = [False] * len(program.nodes)
        slots = len(program.slots) + len(self.machine.slots)
        self.which, self.return_to = slots, slots + 1

    def result(self) -> Program:
        """The weak program."""
        nodes = [self._node(node) for node in self.program.nodes]
        entries = self.program.entries
        if self.model.early:
            it = ahead(self.program, self.loads, self.catches_up)
            nodes = [self._loads_next(node, it.behind[node.pc]) for node in nodes]
            entries = {name: self._start(entry, it) for name, entry in entries.items()}
        self._end(self.back, self.machine.forget(), Switch(self.return_to, tuple(self.returns)))
        nodes += self.added
        slots = [
            *self.program.slots,
            *self.machine.slots,
            Slot("<which>", 0, 1),
            Slot("<return>", 0, max(0, len(self.returns) - 1)),
        ]
        slots[PC] = replace(slots[PC], hi=len(nodes) - 1)
        bits, size = _places(slots, self.program)
        return replace(
            self.program,
            vars=tuple(self.machine.vars),
            slots=tuple(slots),
            slot_bits=bits,
            frame_bits=size,
            nodes=tuple(nodes),
            entries=entries,
            memory_model=self.model.name,
        )

    def _loads_next(self, node: Node, words: int) -> Node:
        if not node.visible:
            return node
        return replace(node, ops=(self.machine.loads_next(words), *node.ops))

    def _start(self, entry: Entry, it: Ahead) -> Entry:
        ever = 0
        for pc in reached(self.program.nodes, entry.pc):
            ever |= it.at[pc]
        function = self.program.nodes[entry.pc].function
        first = self.machine.starts(it.at[entry.pc], ever)
        return replace(entry, pc=self._add((first,), Goto(entry.pc), function))

    # ------------------------------------------------------------------------------ nodes

    def _add(self, ops: tuple[Op, ...], next_: Next, function: str = "") -> int:
        """An invisible node behind all others."""
        pc = len(self.program.nodes) + len(self.added)
        self.added.append(Node(pc, function, "", 0, "", False, None, 1, ops, next_))
        return pc

    def _end(self, pc: int, ops: tuple[Op, ...], next_: Next) -> None:
        at = pc - len(self.program.nodes)
        self.added[at] = replace(self.added[at], ops=ops, next=next_)

    def _routine(self, effects: Effects) -> int:
        """Where the code of these effects is."""
        if effects not in self.routines:
            self.routines[effects] = self._add(self.machine.ops(effects), Goto(self.back))
        return self.routines[effects]

    def _node(self, node: Node) -> Node:
        step = self._step(node) if node.primitive else None
        if step is None:
            return node
        node = step.node
        always = all(Effect.CATCH_UP in each or Effect.INTERRUPT in each for each in step.effects)
        self.catches_up[node.pc] = always
        if isinstance(node.next, Goto):
            after = node.next.pc
        else:
            after = self._add((), node.next, node.function)
        number = self.returns.setdefault(after, len(self.returns))
        routines = tuple(map(self._routine, step.effects))
        first: tuple[Op, ...] = (*step.first, SetLocal(self.return_to, Const(number)))
        if len(routines) == 1:
            return replace(node, ops=(*first, *node.ops), next=Goto(*routines))
        first = (*first, SetLocal(self.which, step.which))
        return replace(node, ops=(*first, *node.ops), next=Switch(self.which, routines))

    def _step(self, node: Node) -> _Step | None:
        """What becomes of the node of a primitive; None if it stays as it is."""
        order = TABLE[node.primitive].order
        effects = self.model.effects.get(order, ())
        if order in BARRIERS:
            # a full barrier is a step of its own: what others do may come between
            node = replace(node, visible=order is Order.MB)
            return _Step(node, (), (effects,)) if effects else None
        it = access(node)
        vars = self.program.vars
        targets = [cell.index for cell in it.reads if cell.var == self.program.irqs_off]
        used = {cell.var for cell in it.reads} | {cell.var for cell in it.writes}
        devices = any(vars[var].order == DEVICE for var in used)
        reads = [cell for cell in it.reads if cell.var in self.machine.words.bits]
        writes = [cell for cell in it.writes if cell.var in self.machine.words.bits]
        if order is Order.AWAIT and (bool(targets) + devices + bool(reads)) > 1:
            raise Unsupported(node, "a condition on memory and on a device or interrupts")
        if order is Order.AWAIT and targets:
            target = SetLocal(self.machine.target, targets[0])
            return _Step(node, (target,), (self.model.interrupt,))
        if devices:
            return _Step(node, (), (self._device(it),))
        if writes:
            return self._store(node, order, reads, *writes)
        if reads:
            return self._load(node, order, reads)
        ordered = order in ORDERED and (it.reads or it.writes)
        return self._elsewhere(node, effects, it.writes) if ordered else None

    def _device(self, it: Access) -> Effects:
        return (self.model.device_store if it.writes else ()) + (
            self.model.device_load if it.reads else ()
        )

    def _elsewhere(self, node: Node, effects: Effects, writes: tuple[Write, ...]) -> _Step:
        """It accesses no word, but a lock, if those are none, or no memory; and orders others."""
        first = tuple(self.machine.about.put(self.machine.none))
        success = writes[0].success if writes else None
        if success is None:
            return _Step(node, first, (effects,))
        return _Step(node, first, (effects, ()), _negated(success))

    # ------------------------------------------------------------------------------ loads

    def _load(self, node: Node, order: Order, reads: list[Shared]) -> _Step:
        effects = self.model.effects[order]
        if order not in LOADS:  # the walk of an MMU
            [read] = reads
            first = self.machine.about.put(self.machine.word(read.var, read.index))
            return _Step(node, tuple(first), (effects,))
        loads = Loads(self.machine, node, reads)
        self.loads[node.pc] = loads.bits
        first = self.machine.about.put(loads.newest())
        if not (self.model.early and self._gives_address(node)):
            return _Step(loads.alternatives(), tuple(first), (effects,))
        behind = (*effects, Effect.CATCH_UP_BEHIND)
        fresh = self.machine.is_fresh(loads.newest())
        return _Step(loads.alternatives(), tuple(first), (effects, behind), fresh)

    def _gives_address(self, node: Node) -> bool:
        return any(
            isinstance(op, SetLocal)
            and op.slot in self.addresses
            and any(isinstance(it, Shared) for it in subexpressions(op.value))
            for op in node.ops
        )

    # ------------------------------------------------------------------------------ stores

    def _store(self, node: Node, order: Order, reads: list[Shared], write: Write) -> _Step:
        word = self.machine.word(write.var, write.index)
        if write.success is not None:
            return self._conditional(node, order, Loads(self.machine, node, reads), write)
        if order in STORES:
            return self._plain(node, order, write, word)
        first = (*self.machine.about.put(word), If(word.any(), self._keep(write)))
        return _Step(node, first, (self.model.effects[order],))

    def _conditional(self, node: Node, order: Order, loads: Loads, write: Write) -> _Step:
        """A read-modify-write that may fail: then it is a load, which may give an old value."""
        assert write.success is not None
        self.loads[node.pc] = loads.bits
        success = loads.given(write.success)
        done = both(self.machine.word(write.var, write.index).any(), success)
        node = loads.alternatives(also=Unary("not", both(loads.any_old, success)))
        first = (*self.machine.about.put(loads.newest()), If(done, self._keep(write)))
        effects = (self.model.effects[order], self.model.effects[Order.LOAD])
        return _Step(node, first, effects, _negated(success))

    def _plain(self, node: Node, order: Order, write: Write, word: Mask) -> _Step:
        """A store, which may land before one that is in another CPU's buffer: then that is the
        newest as before, and this one the value that others see."""
        if node.choices > 1 or node.guard is not None:
            raise Unsupported(node, "a choice beside a store")
        lands = Binary("!=", Chosen(), ZERO)

        def landing(op: Op) -> Op:
            if isinstance(op, SetShared) and op.var == write.var:
                return If(lands, (replace(op, var=self.machine.old[op.var]),), (op,))
            return op

        kept = If(both(word.any(), _negated(lands)), self._keep(write))
        effects = self.model.effects[order]
        before = Effect.DRAIN if Effect.BUFFER_LAST in effects else Effect.DRAIN_OLDER
        node = replace(
            node,
            guard=self._implies(lands, self.machine.may_land(word)),
            choices=2,
            ops=tuple(map(landing, node.ops)),
        )
        return _Step(node, (*self.machine.about.put(word), kept), (effects, (before,)), lands)

    def _implies(self, this: Expr, that: Expr) -> Expr:
        return Binary("or", _negated(this), that)

    def _keep(self, write: Write) -> tuple[Op, ...]:
        """What the word was becomes its old value, all parts of it."""
        return tuple(
            SetShared(self.machine.old[var], write.index, Shared(var, write.index))
            for var in self.machine.words.beside(write.var)
        )


def _negated(test: Expr) -> Expr:
    return Binary("==", test, ZERO)


def _addresses(program: Program, words: frozenset[int]) -> frozenset[int]:
    """The slots that an address of a word is computed from, wherever in the program."""
    needed: set[int] = set()
    flows: list[tuple[int, set[int]]] = []
    for node in program.nodes:
        ops = list(flat(node.ops))
        exprs = [expr for op in ops for expr in values(op)]
        exprs += [] if node.guard is None else [node.guard]
        cells = [it for expr in exprs for it in subexpressions(expr) if isinstance(it, Shared)]
        indices = [cell.index for cell in cells if cell.var in words]
        indices += [op.index for op in ops if isinstance(op, SetShared) and op.var in words]
        needed = needed.union(*map(_locals, indices))
        flows += [(op.slot, _locals(op.value)) for op in ops if isinstance(op, SetLocal)]
    while True:
        more = needed.union(*(source for slot, source in flows if slot in needed))
        if more == needed:
            return frozenset(needed)
        needed = more


def _locals(expr: Expr) -> set[int]:
    return {it.slot for it in subexpressions(expr) if isinstance(it, Local)}


def _places(slots: list[Slot], program: Program) -> tuple[tuple[int, ...], int]:
    """The bits of all slots: new ones behind the old ones, and the program counter with them, which
    has become longer."""
    bits = [*program.slot_bits, *[0] * (len(slots) - len(program.slot_bits))]
    end = program.frame_bits
    for number in (PC, *range(len(program.slot_bits), len(slots))):
        width = (slots[number].hi - slots[number].lo).bit_length()
        if width and end // WORD != (end + width - 1) // WORD:
            end = (end // WORD + 1) * WORD
        bits[number] = end
        end += width
    return tuple(bits), end

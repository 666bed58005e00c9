"""From kernel functions to a program: find what is called, lay out the frames, number all.

Every kernel function is compiled once, whatever calls it; an actor's frame has room for each
function's locals at a fixed place (nothing recurses), after those of everything that may call
it. Functions that can never be active together share bits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any

from pinlab.lab.language.blocks import (
    CALLER,
    RESULT,
    Block,
    Call,
    Fork,
    Jump,
    Pass,
    PendingOp,
    Return,
    Routine,
    Take,
)
from pinlab.lab.language.builder import Unit
from pinlab.lab.language.declarations import IRQS_OFF
from pinlab.lab.language.digest import digest
from pinlab.lab.language.kernel import model_function
from pinlab.lab.language.liveness import Liveness
from pinlab.lab.language.lower import lower
from pinlab.lab.language.primitives import LOCKS, PREEMPT
from pinlab.lab.language.program import (
    HALTED,
    IN_IRQ,
    PC,
    RUNS,
    Binary,
    Branch,
    Check,
    Const,
    Cpu,
    Emit,
    Entry,
    Expr,
    Failure,
    Goto,
    Halt,
    If,
    Local,
    Lookup,
    Next,
    Node,
    Op,
    Program,
    Select,
    SetLocal,
    SetShared,
    Shared,
    Slot,
    Switch,
    Unary,
)
from pinlab.lab.language.source import LanguageError, source_of
from pinlab.lab.language.verify import check_locals, check_static
from pinlab.objectives.automaton import Automaton

WORD = 64

BUILTINS = (PC, PREEMPT, LOCKS, IN_IRQ)


def compile_program(
    roots: Iterable[Callable[..., Any]],
    replaced: Mapping[str, Callable[..., Any]] | None = None,
    automata: tuple[Automaton, ...] = (),
    pages: int = 1,
    digested: Collection[str] | None = None,
) -> Program:
    """Compile the functions that actors may start in, with all they call.

    `replaced` are the functions that run instead of those of their names; `pages` is the number of
    instances every automaton has; `digested` names the functions that get a digest (None: all).
    Raises LanguageError for anything outside the language.
    """
    unit = Unit({name: model_function(each) for name, each in (replaced or {}).items()})
    root_keys = [unit.key(unit.resolve(model_function(root))) for root in roots]
    routines: dict[str, Routine] = {}
    while missing := [key for key in unit.wanted if key not in routines]:
        for key in missing:
            routines[key] = lower(unit, key, unit.wanted[key])
    linker = _Linker(unit, routines, root_keys)
    for key, routine in routines.items():
        check_locals(routine, linker.live[key], source_of(unit.wanted[key]))
    automaton_vars = tuple(
        unit.declarations.add(f"automaton:{a.name}", 0, len(a.states) - 1, pages, owner=a)
        for a in automata
    )
    nodes = linker.nodes()
    check_static(nodes, unit.declarations)
    slots, bits, size = linker.layout(len(nodes))
    return Program(
        vars=tuple(unit.declarations.vars),
        slots=slots,
        slot_bits=bits,
        frame_bits=size,
        nodes=nodes,
        automata=automata,
        automaton_vars=automaton_vars,
        irqs_off=unit.declarations.by_name[IRQS_OFF],
        entries={
            key: Entry(
                linker.pcs[id(routines[key].entry)],
                tuple(linker.slot(key, p) for p in routines[key].parameters),
            )
            for key in root_keys
        },
        calls={key: frozenset(routine.calls) for key, routine in routines.items()},
        digests={
            key: digest(routine, linker.blocks[key], unit.declarations.vars)
            for key, routine in routines.items()
            if digested is None or key in digested
        },
    )


class _Linker:
    """Numbers slots and nodes over all routines, and makes calls and returns explicit."""

    def __init__(self, unit: Unit, routines: dict[str, Routine], roots: list[str]) -> None:
        self.unit = unit
        self.routines = routines
        self.roots = set(roots)
        self.live = {key: Liveness(routine) for key, routine in routines.items()}
        self.blocks = {key: liveness.blocks for key, liveness in self.live.items()}
        self.pcs: dict[int, int] = {}
        for blocks in self.blocks.values():
            for block in blocks:
                self.pcs[id(block)] = 1 + len(self.pcs)
        self.halt = 1 + len(self.pcs)
        self.backs: dict[str, list[Block]] = {key: [] for key in routines}
        for blocks in self.blocks.values():
            for block in blocks:
                if (
                    isinstance(block.next, Call)
                    and block.next.back not in (self.backs[block.next.callee])
                ):
                    self.backs[block.next.callee].append(block.next.back)
        self.returned_to = {id(back) for backs in self.backs.values() for back in backs}
        self.first_slot: dict[str, int] = {}
        number = len(BUILTINS)
        for key, routine in routines.items():
            self.first_slot[key] = number
            number += len(routine.slots)
        self.slot_count = number
        self.callers = self._callers()

    def slot(self, key: str, provisional: int) -> int:
        """The program's number of a routine's slot; negative ones are built in."""
        return -provisional if provisional < 0 else self.first_slot[key] + provisional

    def named(self, key: str, name: str) -> int:
        """The program's number of a routine's slot, by name."""
        for number, (slot_name, _) in self.routines[key].slots.items():
            if slot_name == name:
                return self.slot(key, number)
        raise KeyError(f"{key} has no local {name}")

    def _callers(self) -> dict[str, set[str]]:
        """All functions that may be active below each function; refuses recursion."""
        direct: dict[str, set[str]] = {key: set() for key in self.routines}
        for key, routine in self.routines.items():
            for callee in routine.calls:
                direct[callee].add(key)
        closed: dict[str, set[str]] = {}
        for key in self.routines:
            seen: set[str] = set()
            todo = list(direct[key])
            while todo:
                caller = todo.pop()
                if caller not in seen:
                    seen.add(caller)
                    todo += direct[caller]
            if key in seen:
                source = source_of(self.unit.wanted[key])
                raise LanguageError(
                    source.file,
                    source.tree.lineno,
                    f"{key} calls itself: recursion has no bound, write a loop",
                )
            closed[key] = seen
        return closed

    # -------------------------------------------------------------- frames

    def layout(self, nodes: int) -> tuple[tuple[Slot, ...], tuple[int, ...], int]:
        """Slots, their bit offsets in a frame, and the frame's size in bits."""
        slots = [
            Slot("pc", 0, nodes - 1),
            Slot("preempt_count", 0, 7),
            Slot("locks", 0, 7),
            Slot("in_irq", 0, RUNS),
        ]
        for key, routine in self.routines.items():
            for name, kind in routine.slots.values():
                hi = kind.hi
                if name == CALLER:
                    hi = max(0, len(self._returns(key)) - 1)
                slots.append(Slot(name, kind.lo, hi, key))
        offsets = [0] * len(slots)

        def place(first: int, count: int, at: int) -> int:
            for i in range(first, first + count):
                width = (slots[i].hi - slots[i].lo).bit_length()
                if width and at // WORD != (at + width - 1) // WORD:
                    at = (at // WORD + 1) * WORD
                offsets[i] = at
                at += width
            return at

        base = place(0, len(BUILTINS), 0)

        @cache
        def end(key: str) -> int:
            direct = [c for c in self.callers[key] if key in self.routines[c].calls]
            start = max([end(c) for c in direct], default=base)
            return place(self.first_slot[key], len(self.routines[key].slots), start)

        size = max([end(key) for key in self.routines], default=base)
        return tuple(slots), tuple(offsets), size

    # -------------------------------------------------------------- nodes

    def nodes(self) -> tuple[Node, ...]:
        """Every node, by pc; 0 is a placeholder and the last one ends an actor."""
        halted = Node(HALTED, "", "", 0, "", False, None, 1, (), Halt())
        result = [halted]
        for key, blocks in self.blocks.items():
            result += [self._node(key, block) for block in blocks]
        result.append(self._halt())
        return tuple(result)

    def _halt(self) -> Node:
        def none(expr: Expr, what: str) -> Check:
            return Check(Binary("==", expr, Const(0)), Failure("lock-held", what))

        irqs = Shared(self.unit.declarations.by_name[IRQS_OFF], Cpu())
        ops: tuple[Op, ...] = (
            none(Local(LOCKS), "finished with a lock held"),
            none(Local(PREEMPT), "finished in atomic context"),
            If(Local(IN_IRQ), (), (none(irqs, "finished with interrupts off"),)),
        )
        return Node(self.halt, "", "", 0, "", False, None, 1, ops, Halt())

    def _returns(self, key: str) -> tuple[int, ...]:
        """Where a function may return to, by the value of its CALLER slot."""
        halt = (self.halt,) if key in self.roots else ()
        return halt + tuple(self.pcs[id(back)] for back in self.backs[key])

    def _node(self, key: str, block: Block) -> Node:
        routine = self.routines[key]
        liveness = self.live[key]
        ops = [op for o in block.ops for op in self._op(key, o)]
        next_: Next
        match block.next:
            case Jump(target):
                next_ = Goto(self.pcs[id(target)])
            case Fork(test, then, other):
                next_ = Branch(self._expr(key, test), self.pcs[id(then)], self.pcs[id(other)])
            case Call(callee, back):
                ops += self._clear(key, liveness.dirty_after(block) - liveness.live_in(back))
                returns = self._returns(callee)
                if len(returns) > 1:
                    ops.append(
                        SetLocal(
                            self.named(callee, CALLER), Const(returns.index(self.pcs[id(back)]))
                        )
                    )
                next_ = Goto(self.pcs[id(self.routines[callee].entry)])
            case Return() | None:
                result = routine.result
                kept = frozenset([result]) if result is not None else frozenset()
                if key in self.roots and not self.backs[key]:
                    kept = frozenset()
                ops += self._clear(key, liveness.dirty_after(block) - kept)
                returns = self._returns(key)
                caller = self.slot(key, routine.caller)
                next_ = Goto(returns[0]) if len(returns) == 1 else Switch(caller, returns)
        if id(block) in self.returned_to:
            ops = self._forget_return(key, block) + ops
        live = frozenset[int]()
        if block.visible or block.primitive:
            own = {self.slot(key, s) for s in liveness.live_in(block)}
            own.add(self.slot(key, routine.caller))
            below = {
                self.first_slot[c] + s
                for c in self.callers[key]
                for s in range(len(self.routines[c].slots))
            }
            live = frozenset(own | below | set(BUILTINS))
        return Node(
            pc=self.pcs[id(block)],
            function=key,
            file=routine.file,
            line=block.line,
            primitive=block.primitive,
            visible=block.visible,
            guard=None if block.guard is None else self._expr(key, block.guard),
            choices=block.choices,
            ops=tuple(ops),
            next=next_,
            live=live,
            lines=frozenset(block.lines),
        )

    def _forget_return(self, key: str, block: Block) -> list[Op]:
        """Reset the callee's CALLER slot first thing after it has returned here."""
        ops: list[Op] = []
        for callee, backs in self.backs.items():
            if block in backs and len(self._returns(callee)) > 1:
                ops.append(SetLocal(self.named(callee, CALLER), Const(0)))
        return ops

    def _clear(self, key: str, slots: frozenset[int]) -> list[Op]:
        """Reset slots that are dead from here on, so that equal states look equal."""
        routine = self.routines[key]
        return [
            SetLocal(self.slot(key, s), Const(routine.slots[s][1].lo))
            for s in sorted(slots)
            if routine.slots[s][0] != CALLER
        ]

    # -------------------------------------------------------------- renumbering

    def _op(self, key: str, op: PendingOp) -> list[Op]:
        def expr(e: Expr) -> Expr:
            return self._expr(key, e)

        match op:
            case Pass(function, parameter, value):
                return [SetLocal(self.named(function, parameter), expr(value))]
            case Take(function, slot):
                left = self.named(function, RESULT)
                lo = dict(self.routines[function].slots.values())[RESULT].lo
                taken = SetLocal(self.slot(key, slot), Local(left))
                return [taken, SetLocal(left, Const(lo))]
            case SetLocal(slot, value):
                return [SetLocal(self.slot(key, slot), expr(value))]
            case SetShared(var, index, value):
                return [SetShared(var, expr(index), expr(value))]
            case Check(test, failure):
                return [Check(expr(test), failure)]
            case If(test, then, other):
                return [
                    If(
                        expr(test),
                        tuple(x for o in then for x in self._op(key, o)),
                        tuple(x for o in other for x in self._op(key, o)),
                    )
                ]
            case Emit(event, page):
                return [Emit(event, expr(page))]

    def _expr(self, key: str, e: Expr) -> Expr:
        match e:
            case Local(slot):
                return Local(self.slot(key, slot))
            case Shared(var, index):
                return Shared(var, self._expr(key, index))
            case Unary(op, operand):
                return Unary(op, self._expr(key, operand))
            case Binary(op, left, right):
                return Binary(op, self._expr(key, left), self._expr(key, right))
            case Select(test, then, other):
                return Select(self._expr(key, test), self._expr(key, then), self._expr(key, other))
            case Lookup(table, index):
                return Lookup(table, self._expr(key, index))
            case _:
                return e

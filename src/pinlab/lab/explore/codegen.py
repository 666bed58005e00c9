"""A program as LLVM assembly: one small function per node, one per event.

    i64 node(ptr shared, ptr frame, ptr context)

runs a node on a packed state in place and returns the next program counter, or `DISABLED`
(nothing was written), `BROKEN`, or `FAILED - k` for the k-th failure. `context` is
[actor, cpu, choice, automata watched, automata violated, events emitted], the last two
or-ed into.

One tiny function per node, because code makers are slower than linear in the size of a
function; assembly as text, because building LLVM's own objects from Python takes longer than
letting it parse. Which actor, which CPU, which automata, all come at run time: the code is
made once per program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from pinlab.lab.explore.assembly import (
    ACTOR,
    BROKEN,
    CHOICE,
    CPU,
    DISABLED,
    EVENTS,
    FAILED,
    VIOLATED,
    WATCHED,
    Writer,
)
from pinlab.lab.explore.packing import Field, Layout, layout
from pinlab.lab.explore.ranges import COMPARISONS, Ranges
from pinlab.lab.explore.result import DEADLOCK, LIVELOCK, Site
from pinlab.lab.language.program import (
    HALTED,
    Binary,
    Branch,
    Check,
    Chosen,
    Const,
    Cpu,
    Emit,
    Expr,
    Goto,
    Halt,
    If,
    Local,
    Lookup,
    Node,
    Op,
    Program,
    Select,
    Self,
    SetLocal,
    SetShared,
    Shared,
    Switch,
    Unary,
    subexpressions,
)

TABLE = "pinlab_nodes"
"""The symbol of the table of the nodes' addresses, by program counter."""

ORDERINGS = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
PLAIN = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}


@dataclass(frozen=True, slots=True)
class Assembly:
    """A program's code and what its numbers mean: failures by site, events by name."""

    text: str
    place: Layout
    sites: tuple[Site, ...]
    events: tuple[str, ...]


def assemble(program: Program) -> Assembly:
    """The LLVM assembly of a program. Raises ranges.TooWide, ValueError."""
    place = layout(program)
    events = tuple(sorted({e for node in program.nodes for e in _events(node.ops)}))
    if len(events) > 64 or len(program.automata) > 64:
        raise ValueError("more than 64 events or automata")
    for automaton, var in zip(program.automata, program.automaton_vars, strict=True):
        if (program.vars[var].lo, program.vars[var].hi) != (0, len(automaton.states) - 1):
            raise ValueError(f"{program.vars[var].name} has not the bounds of {automaton.name}")
    sites = {DEADLOCK: 0, LIVELOCK: 1}
    entries = {entry.pc for entry in program.entries.values()}
    most = max(node.choices for node in program.nodes)
    parts: list[str] = []
    for number, event in enumerate(events):
        function = _Function(f"e{number}", program, place, events, 1, sites)
        parts.append(function.event(number, event))
    for node in program.nodes[1:]:
        if node.guard is not None and not node.visible and node.pc in entries:
            raise ValueError(f"node {node.pc} is an entry with a guard and is not visible")
        # an invisible node sees the choice of the visible one before it
        choices = node.choices if node.visible else most
        function = _Function(f"n{node.pc}", program, place, events, choices, sites)
        parts.append(function.node(node))
    table = ", ".join(["ptr null", *(f"ptr @n{node.pc}" for node in program.nodes[1:])])
    parts.append(f"@{TABLE} = constant [{len(program.nodes)} x ptr] [{table}]\n")
    return Assembly("".join(parts), place, tuple(sites), events)


def _events(ops: Sequence[Op]) -> list[str]:
    found: list[str] = []
    for op in ops:
        match op:
            case Emit(event, _):
                found.append(event)
            case If(_, then, other):
                found += _events(then) + _events(other)
            case _:
                pass
    return found


class _Function(Writer):
    """Writes the function of a node or an event."""

    def __init__(
        self,
        name: str,
        program: Program,
        place: Layout,
        events: tuple[str, ...],
        choices: int,
        sites: dict[Site, int],
    ) -> None:
        """`sites` are the numbers of the failures met so far; new ones are added."""
        super().__init__(name)
        self.sites = sites
        self.program = program
        self.place = place
        self.events = events
        self.ranges = Ranges(place, choices)

    def failure(self, kind: str, about: str) -> int:
        """What is returned when this fails: see `Failure.site`."""
        return FAILED - self.sites.setdefault((kind, about), len(self.sites))

    # ------------------------------------------------------------------------ functions

    def node(self, node: Node) -> str:
        if node.guard is not None and node.visible:
            self.require(self.test(node.guard), DISABLED)
        self.run(node.ops)
        match node.next:
            case Goto(pc):
                self.add(f"ret i64 {pc}")
            case Halt():
                self.add(f"ret i64 {HALTED}")
            case Branch(test, then, other):
                pc_ = self.let(f"select i1 {self.test(test)}, i64 {then}, i64 {other}")
                self.add(f"ret i64 {pc_}")
            case Switch(slot, pcs):
                self.add(f"ret i64 {self.table(pcs, self.value(Local(slot)), Local(slot))}")
            case _:
                assert_never(node.next)
        return self.text("ptr %s, ptr %f, ptr %c")

    def event(self, number: int, event: str) -> str:
        """i64 event(ptr shared, ptr context, i64 page): 0 or a failure."""
        happens = self.label()
        self.add(f"%none = icmp eq i64 %page, 0\nbr i1 %none, label %done, label %{happens}")
        self.start(happens)
        self.turn_on(EVENTS, str(1 << number))
        self.add("%i = sub i64 %page, 1\n%w = load i64, ptr " + self.context(WATCHED))
        for a, automaton in enumerate(self.program.automata):
            if not automaton.listens_to(event):
                continue
            field = self.place.vars[self.program.automaton_vars[a]]
            watched, after = self.label(), self.label()
            bit = self.let(f"and i64 %w, {1 << a}")
            on = self.let(f"icmp ne i64 {bit}, 0")
            self.add(f"br i1 {on}, label %{watched}, label %{after}")
            self.start(watched)
            self.require(self.let(f"icmp ult i64 %i, {field.length}"), self.failure("null", event))
            old = self.load("%s", field, "%i")
            table = automaton.table(event)
            bounds = (0, len(table) - 1)
            new = self.element([target for target, _ in table], old, bounds)
            self.store("%s", field, "%i", new)
            if any(violated for _, violated in table):
                flags = [int(violated) << a for _, violated in table]
                self.turn_on(VIOLATED, self.element(flags, old, bounds))
            self.add(f"br label %{after}")
            self.start(after)
        self.add("br label %done")
        self.start("done")
        self.add("ret i64 0")
        return self.text("ptr %s, ptr %c, i64 %page")

    # ----------------------------------------------------------------------- operations

    def run(self, ops: Sequence[Op]) -> None:
        for op in ops:
            match op:
                case SetLocal(slot, value):
                    s = self.program.slots[slot]
                    name = f"{s.function}: {s.name}"
                    self.store_checked("%f", self.place.slots[slot], "0", value, name)
                case SetShared(var, index, value):
                    name = self.program.vars[var].name
                    at = self.index(var, index)
                    self.store_checked("%s", self.place.vars[var], at, value, name)
                case Check(test, failure):
                    self.require(self.test(test), self.failure(*failure.site))
                case If(test, then, other):
                    yes, no, after = self.label(), self.label(), self.label()
                    self.add(f"br i1 {self.test(test)}, label %{yes}, label %{no}")
                    for label, inner in ((yes, then), (no, other)):
                        self.start(label)
                        self.run(inner)
                        self.add(f"br label %{after}")
                    self.start(after)
                case Emit(event, page):
                    number = self.events.index(event)
                    page_ = self.value(page)
                    code = self.let(f"call i64 @e{number}(ptr %s, ptr %c, i64 {page_})")
                    null = self.failure("null", event)
                    self.require(self.let(f"icmp eq i64 {code}, 0"), null)
                case _:
                    assert_never(op)

    def store_checked(self, base: str, field: Field, index: str, value: Expr, name: str) -> None:
        number = self.value(value)
        lo, hi = self.ranges.of(value)
        if not field.lo <= lo <= hi <= field.hi:
            distance = self.arithmetic("sub", number, str(field.lo))
            fits = self.let(f"icmp ule i64 {distance}, {field.hi - field.lo}")
            self.require(fits, self.failure("overflow", name))
        self.store(base, field, index, number)

    # ---------------------------------------------------------------------- expressions

    def index(self, var: int, index: Expr) -> str:
        """The index of an element of a shared variable, checked."""
        field = self.place.vars[var]
        number = self.value(index)
        if not self.exists(field, index):
            ok = self.let(f"icmp ult i64 {number}, {field.length}")
            self.require(ok, self.failure("null", self.program.vars[var].name))
            if not number.startswith("%"):
                return "0"  # a constant that does not exist: never executed
        return number

    def table(self, table: Sequence[int], index: str, expr: Expr) -> str:
        return self.element(table, index, self.ranges.of(expr))

    def test(self, expr: Expr) -> str:
        """`expr` as an i1."""
        match expr:
            case Binary(op, left, right) if op in ORDERINGS:
                a, b = self.value(left), self.value(right)
                return self.let(f"icmp {ORDERINGS[op]} i64 {a}, {b}")
            case Binary("and" | "or" as op, left, right):
                p, q = self.test(left), self.test(right)
                return self.let(f"{op} i1 {p}, {q}")
            case Unary("not", operand):
                return self.let(f"xor i1 {self.test(operand)}, true")
            case _:
                return self.let(f"icmp ne i64 {self.value(expr)}, 0")

    def value(self, expr: Expr) -> str:
        """`expr` as an i64."""
        match expr:
            case Const(number):
                return str(number)
            case Local(slot):
                return self.load("%f", self.place.slots[slot], "0")
            case Shared(var, index):
                return self.load("%s", self.place.vars[var], self.index(var, index))
            case Self():
                return self.let(f"load i64, ptr {self.context(ACTOR)}")
            case Cpu():
                return self.let(f"load i64, ptr {self.context(CPU)}")
            case Chosen():
                return self.let(f"load i64, ptr {self.context(CHOICE)}")
            case Unary("-", operand):
                return self.arithmetic("sub", "0", self.value(operand))
            case Binary(op, _, _) if op in COMPARISONS:
                return self.let(f"zext i1 {self.test(expr)} to i64")
            case Unary():
                return self.let(f"zext i1 {self.test(expr)} to i64")
            case Binary(op, left, right):
                self.ranges.of(expr)  # refuses what 64 bits may not hold
                return self.binary(op, left, right)
            case Select(test, then, other):
                return self.select(test, then, other)
            case Lookup(table, index):
                return self.table(table, self.value(index), index)
            case _:
                assert_never(expr)

    def select(self, test: Expr, then: Expr, other: Expr) -> str:
        condition = self.test(test)
        if self.cannot_fail(then) and self.cannot_fail(other):
            a, b = self.value(then), self.value(other)
            return self.let(f"select i1 {condition}, i64 {a}, i64 {b}")
        yes, no, after = self.label(), self.label(), self.label()
        self.add(f"br i1 {condition}, label %{yes}, label %{no}")
        incoming = []
        for label, inner in ((yes, then), (no, other)):
            self.start(label)
            incoming.append(f"[ {self.value(inner)}, %{self.block} ]")
            self.add(f"br label %{after}")
        self.start(after)
        return self.let(f"phi i64 {', '.join(incoming)}")

    def binary(self, op: str, left: Expr, right: Expr) -> str:
        a, b = self.value(left), self.value(right)
        if op in PLAIN:
            return self.arithmetic(PLAIN[op], a, b)
        a_range, b_range = self.ranges.of(left), self.ranges.of(right)
        if op in ("<<", ">>"):
            if b_range[0] < 0:
                self.require(self.let(f"icmp sge i64 {b}, 0"), BROKEN)
            if b_range[1] > 63:
                b = self.let(f"call i64 @llvm.umin.i64(i64 {b}, i64 63)")
            return self.let(f"{'shl' if op == '<<' else 'ashr'} i64 {a}, {b}")
        if b_range[0] <= 0 <= b_range[1]:
            self.require(self.let(f"icmp ne i64 {b}, 0"), BROKEN)
            if not b.startswith("%"):
                return "0"  # division by a constant zero: never executed
        rest = self.let(f"srem i64 {a}, {b}")
        if a_range[0] >= 0 and b_range[0] >= 0:
            return rest if op == "%" else self.let(f"sdiv i64 {a}, {b}")
        # Python rounds down where the processor rounds towards zero
        signs = self.let(f"xor i64 {rest}, {b}")
        opposite = self.let(f"icmp slt i64 {signs}, 0")
        nonzero = self.let(f"icmp ne i64 {rest}, 0")
        adjust = self.let(f"and i1 {opposite}, {nonzero}")
        if op == "%":
            moved = self.let(f"add i64 {rest}, {b}")
            return self.let(f"select i1 {adjust}, i64 {moved}, i64 {rest}")
        quotient = self.let(f"sdiv i64 {a}, {b}")
        return self.let(f"sub i64 {quotient}, {self.let(f'zext i1 {adjust} to i64')}")

    def cannot_fail(self, expr: Expr) -> bool:
        """Whether evaluating `expr` does no harm even where its value is not wanted."""
        return not any(
            isinstance(e, Lookup)
            or (isinstance(e, Binary) and e.op in ("//", "%", "<<", ">>"))
            or (isinstance(e, Shared) and not self.exists(self.place.vars[e.var], e.index))
            for e in subexpressions(expr)
        )

    def exists(self, field: Field, index: Expr) -> bool:
        """Whether the element at `index` exists for certain."""
        lo, hi = self.ranges.of(index)
        return 0 <= lo <= hi < field.length

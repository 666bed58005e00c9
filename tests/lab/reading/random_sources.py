"""Random model sources: every construct of docs/language.md, and values that stay in bounds.

All is drawn from a `random.Random`; `hypothesis.strategies.randoms` gives one too. Locals are
annotated, or hold what is masked: bounds that the compiler infers are no business of Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType
from typing import Any

HEAD = '''\
from __future__ import annotations

from typing import cast

from pinlab.lab.language.kernel import *

T = (2, 0, 3, 2)
K = 3


class Node(Struct, count=2):
    """What pointers point to."""

    val = bounded(0, 7)
    on = flag()
    users = refcount(3)
    next = pointer("Node")
    arr = array(3, 0, 7)
    lock = mutex()


c0 = bounded(0, 7)
c1 = bounded(-4, 7)
at = atomic(-16, 47)
fl = flag()
ref = refcount(3)
cells = array(4, 0, 7)
bits = array(2, 0, 1)
head = pointer("Node")
spin = spinlock()
mtx = mutex()
sem = rwsem()
key = flag()
pins = per_page(0, 7, bytes=1)
'''

BOUNDS = {"u2": 4, "u3": 8, "u4": 16, "u5": 32, "u6": 64, "s4": 8, "s6": 32, "int": 48, "bool": 2}
"""The types of locals, and what a value is taken modulo to fit."""

LOCK_PAIRS = (
    ("spin_lock(spin)", "spin_unlock(spin)"),
    ("spin_lock_irq(spin)", "spin_unlock_irq(spin)"),
    ("mutex_lock(mtx)", "mutex_unlock(mtx)"),
    ("mutex_lock(mtx)", "mutex_unlock(mtx)"),
    ("down_read(sem)", "up_read(sem)"),
    ("down_write(sem)", "up_write(sem)"),
    ("local_irq_disable()", "local_irq_enable()"),
    ("rcu_read_lock()", "rcu_read_unlock()"),
)
TRYLOCKS = {
    "spin_trylock(spin)": "spin_unlock(spin)",
    "mutex_trylock(mtx)": "mutex_unlock(mtx)",
    "down_read_trylock(sem)": "up_read(sem)",
}
EVENTS = ("PIN", "UNPIN", "DIRTY")


@dataclass(frozen=True)
class Function:
    """One that can be called: its name, the types of its parameters, of its result."""

    name: str
    parameters: tuple[str, ...]
    result: str | None


@dataclass
class Maker:
    """Draws expressions and statements; `names` are the locals that hold integers."""

    r: Random
    names: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    pointers: list[str] = field(default_factory=list)
    pures: list[Function] = field(default_factory=list)
    kernels: list[Function] = field(default_factory=list)
    result: str | None = None
    loops: int = 0
    in_loop: bool = False
    budget: int = 12
    """How many primitives may still be drawn, about."""
    awaiting: bool = False

    # -------------------------------------------------------------------------- drawing

    def one_of(self, *of: str) -> str:
        return self.r.choice(of)

    def rarely(self, one_in: int) -> bool:
        return self.r.randrange(one_in) == 0

    @property
    def may_fault(self) -> bool:
        """Whether an expression may fail here: rarely, else nothing else is ever seen."""
        return self.rarely(10 if self.awaiting else 40)

    # ------------------------------------------------------------- values without steps

    def local(self) -> str:
        return self.r.choice(self.names) if self.names else str(self.r.randrange(6))

    def leaf(self) -> str:
        match self.r.randrange(8):
            case 0:
                here = () if self.awaiting else ("current()", "smp_processor_id()")
                return self.one_of("K", "T[1]", "True", *here)
            case 1 | 2:
                return str(self.r.randrange(6))
            case _:
                return self.local()

    def value(self, depth: int = 2) -> str:
        """An integer of locals and constants."""
        if depth == 0 or self.rarely(3):
            return self.leaf()
        a, b = self.value(depth - 1), self.value(depth - 1)
        match self.r.randrange(14):
            case 0 | 1:
                return f"({a} {self.one_of('+', '-', '*')} {b})"
            case 2:
                return f"(({a} & 15) {self.one_of('|', '^')} ({b} & 31))"
            case 3:
                return f"({a} & {self.one_of('1', '7', '31')})"
            case 4:
                divisor = f"({b} & 3)" if self.may_fault else self.one_of("2", "3", "-3")
                return f"(({a} & 31) {self.one_of('//', '%')} {divisor})"
            case 5:
                count = f"(({b} & 3) - 1)" if self.may_fault else f"({b} & 3)"
                return f"(({a} & 3) {self.one_of('<<', '>>')} {count})"
            case 6 | 7:
                return f"({self.value(1)} if {self.condition(1)} else {self.value(1)})"
            case 8:
                return f"T[{self.index(4, a)}]"
            case 9:
                return f"-{a}"
            case 10:
                return f"{self.one_of('bool', 'int')}({a})"
            case 11:
                return f"({self.value(1)} {self.one_of('and', 'or')} {self.value(1)})"
            case 12 if self.pures:
                return self.pure_call("int")
            case _:
                return f"bool({self.condition(depth - 1)})"

    def condition(self, depth: int = 2) -> str:
        """Something true or false of locals and constants."""
        if depth == 0:
            return self.comparison(self.value(0), self.value(0))
        match self.r.randrange(10):
            case 9:
                at = self.local()
                return f"({self.guarded(f'({at} & 7)', f'T[{at} & 7]', '4')} != 0)"
            case 0 | 1:
                both = self.condition(depth - 1), self.condition(depth - 1)
                return f"({both[0]} {self.one_of('and', 'or')} {both[1]})"
            case 2:
                return f"(not {self.condition(depth - 1)})"
            case 3 | 4 if self.pures:
                return self.pure_call("bool")
            case 5:
                three = [self.condition(0) for _ in range(3)]
                return f"({three[0]} if {three[1]} else {three[2]})"
            case 6 if self.pointers:
                return self.null_test()
            case _:
                return self.comparison(self.value(1), self.value(1))

    def comparison(self, a: str, b: str) -> str:
        return f"({a} {self.one_of('==', '!=', '<', '<=', '>', '>=')} {b})"

    def guarded(self, at: str, value: str, bound: str) -> str:
        """A look at what may not exist, behind a question whether it does; mostly."""
        there = f"{at} {'!=' if bound == '0' else '<'} {bound}"
        test = self.comparison(value, self.value(0))
        match self.r.randrange(4):
            case 0:
                return test
            case 1:
                return f"({value} if {there} else {self.r.randrange(2)})"
            case 2:
                return f"(not ({there}) or {test})"
            case _:
                return f"({there} and {test})"

    def null_test(self) -> str:
        p = self.r.choice(self.pointers)
        return f"({self.one_of(f'{p} == NULL', f'{p} is not None', f'not {p}', f'{p} != NULL')})"

    def pure_call(self, result: str) -> str:
        fitting = [it for it in self.pures if it.result == result]
        if not fitting:
            return self.comparison(self.leaf(), self.leaf())
        chosen = self.r.choice(fitting)
        return f"{chosen.name}({', '.join(self.value(1) for _ in chosen.parameters)})"

    def index(self, length: int, value: str) -> str:
        if self.may_fault:
            return value
        return self.one_of(f"{value} % {length}", str(self.r.randrange(length)))

    def fitting(self, value: str, kind: str) -> str:
        """`value`, made to fit a local of type `kind`; sometimes not."""
        return f"({value})" if self.may_fault else f"({value}) % {BOUNDS[kind]}"

    # ----------------------------------------------------------------------- places

    def node(self) -> str:
        here = [it for it in self.pointers if it.startswith("i")]  # loop variables: never NULL
        if here and self.rarely(2):
            return self.r.choice(here)
        if self.pointers and self.may_fault and self.rarely(2):
            return self.r.choice(self.pointers)
        return f"cast(Node, {self.value(0)} % 2 + 1)"

    def number(self) -> str:
        """The place of an integer of [0, 7], or about."""
        match self.r.randrange(9):
            case 0 | 1:
                return f"cells[{self.index(4, self.value(1))}]"
            case 2:
                return f"{self.node()}.val"
            case 3:
                return f"{self.node()}.arr[{self.index(3, self.value(1))}]"
            case 4:
                return f"pins[{self.node()}]"
            case 5:
                return self.one_of("c1", "at")
            case _:
                return "c0"

    def bit(self) -> str:
        return self.one_of("fl", f"bits[{self.value(0)} % 2]", f"{self.node()}.on")

    def counter(self) -> str:
        return self.one_of("ref", "ref", f"{self.node()}.users")

    # --------------------------------------------------------------- values with steps

    def loaded(self) -> str:
        """The value of a primitive that is called for it, or of a @kernel function."""
        self.budget -= 1
        cell, e = self.number(), self.fitting(self.value(1), "u3")
        match self.r.randrange(24):
            case 0:
                return f"atomic_read({cell})"
            case 1:
                return f"test_bit({self.bit()})"
            case 2:
                return f"{self.one_of('atomic_inc_return', 'atomic_dec_return')}(at)"
            case 3:
                which = self.one_of("atomic_add_return", "atomic_sub_return", "atomic_fetch_add")
                return f"{which}({self.value(0)} % 3, at)"
            case 4:
                return f"atomic_dec_and_test({self.counter()})"
            case 5:
                return f"atomic_sub_and_test({self.value(0)} % 3, {self.one_of('ref', 'at')})"
            case 6:
                if self.rarely(3):
                    return f"cmpxchg({self.counter()}, {self.leaf()}, {self.value(0)} % 3)"
                return f"cmpxchg({cell}, {e}, {self.fitting(self.value(1), 'u3')})"
            case 7:
                return f"xchg({cell}, {e})"
            case 8:
                return f"irqs_enabled({self.index(2, self.value(0))})"
            case 9:
                return f"mutex_is_locked({self.one_of('mtx', 'spin', f'{self.node()}.lock')})"
            case 10 | 11:
                return f"choose({self.r.randrange(1, 4)})"
            case 12:
                return "static_branch(key)"
            case 13 | 14:
                return self.tried()
            case 15 | 16 | 17 | 18 if self.kernels:
                return self.kernel_call()
            case _:
                return f"READ_ONCE({cell})"

    def tried(self) -> str:
        """A primitive that says whether it did something."""
        match self.r.randrange(5):
            case 0:
                amount, unless = self.value(0), self.value(0)
                return f"atomic_add_unless({self.number()}, {amount} % 3, {unless} % 8)"
            case 1:
                return f"atomic_inc_not_zero({self.one_of(self.counter(), self.number())})"
            case 2:
                return self.one_of("mutex_is_locked(mtx)", "READ_ONCE(fl)", "choose(2)")
            case _:
                return f"{self.one_of('test_and_set_bit', 'test_and_clear_bit')}({self.bit()})"

    def kernel_call(self, result: bool = True) -> str:
        fitting = [it for it in self.kernels if (it.result is not None) == result]
        if not fitting:
            return "READ_ONCE(c0)" if result else "schedule()"
        chosen = self.r.choice(fitting)
        self.budget -= 2
        return f"{chosen.name}({', '.join(self.argument(it) for it in chosen.parameters)})"

    def argument(self, kind: str) -> str:
        if kind == "Node":
            return self.one_of("NULL", self.node())
        return self.fitting(self.mixed() if self.rarely(4) else self.value(), kind)

    def mixed(self) -> str:
        """An expression with steps in it."""
        if self.budget <= 0 or self.rarely(3):
            return self.value()
        match self.r.randrange(9):
            case 0:
                return f"({self.loaded()} {self.one_of('+', '-', '*')} {self.value(1)})"
            case 1:
                return f"({self.value(1)} {self.one_of('+', '-')} {self.loaded()})"
            case 2:
                return f"({self.loaded()} + {self.loaded()})"
            case 3 | 4:
                three = self.mixed(), self.question(1), self.mixed()
                return f"({three[0]} if {three[1]} else {three[2]})"
            case 5 if self.pures:
                return self.pure_of_steps()
            case _:
                return self.loaded()

    def pure_of_steps(self) -> str:
        chosen = self.r.choice(self.pures)
        return f"{chosen.name}({', '.join(self.mixed() for _ in chosen.parameters)})"

    def question(self, depth: int = 2) -> str:
        """A condition with steps in it."""
        if self.budget <= 0 or self.rarely(4):
            return self.condition()
        match self.r.randrange(9):
            case 8 if self.pointers:
                at = self.r.choice(self.pointers)
                self.budget -= 1
                return self.guarded(at, f"READ_ONCE({at}.{self.one_of('val', 'arr[1]')})", "0")
            case 0 | 1 | 2 if depth:
                both = self.question(depth - 1), self.question(depth - 1)
                return f"({both[0]} {self.one_of('and', 'or')} {both[1]})"
            case 3 if depth:
                return f"(not {self.question(depth - 1)})"
            case 4:
                return self.comparison(self.value(1), self.loaded())
            case 5:
                return f"bool({self.tried()})"
            case _:
                return self.comparison(self.loaded(), self.value(1))

    def awaited(self) -> str:
        """The condition of a wait: loads, all in one step."""
        with self.waiting():
            parts = [self.awaited_part() for _ in range(self.r.randrange(1, 3))]
        return f" {self.one_of('and', 'or')} ".join(parts)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.awaiting = True
        yield
        self.awaiting = False

    def awaited_part(self) -> str:
        match self.r.randrange(9):
            case 7:
                at = self.one_of("READ_ONCE(c0)", "READ_ONCE(at)", self.local())
                return self.guarded(at, f"READ_ONCE(cells[{at}])", "4")
            case 8:
                at = self.r.choice(["READ_ONCE(head)", *self.pointers])
                return self.guarded(at, f"READ_ONCE({at}.val)", "0")
            case 0:
                return f"(not test_bit({self.bit()}))"
            case 1:
                return "(not mutex_is_locked(mtx))"
            case 2:
                return "irqs_enabled(0)"
            case 3:
                return self.comparison(f"READ_ONCE({self.number()})", self.value(0))
            case 4:
                return f"(READ_ONCE(c0) + READ_ONCE({self.number()}) < 9)"
            case 5:
                return self.condition(1)
            case _:
                return f"(atomic_read(at) {self.one_of('<', '!=')} {self.r.randrange(3, 9)})"

    # ------------------------------------------------------------------ statements

    def block(self, depth: int) -> tuple[list[str], bool]:
        """Statements, and whether one comes to their end."""
        lines: list[str] = []
        for _ in range(self.r.randrange(1, 4)):
            more, goes_on = self.statement(depth)
            lines += more
            if not goes_on:
                return lines, False
        return lines, True

    def indented(self, depth: int) -> tuple[list[str], bool]:
        lines, goes_on = self.block(depth - 1)
        return ["    " + line for line in lines], goes_on

    def statement(self, depth: int) -> tuple[list[str], bool]:
        drawn = self.r.randrange(20)
        if depth == 0 or self.budget <= 0 or drawn < 11:
            return [self.simple()], True
        match drawn:
            case 11 | 12 | 13:
                return self.if_(depth)
            case 14:
                return self.for_(depth)
            case 15:
                return self.while_(depth)
            case 16 | 17:
                return self.locked(depth)
            case 18:
                return self.try_locked(depth)
            case _:
                return self.leave()

    def leave(self) -> tuple[list[str], bool]:
        if self.in_loop and not self.rarely(4):
            line = self.one_of("break", "continue")
        else:
            line = self.return_()
        if self.rarely(3):
            return [line], False
        return [f"if {self.question(1)}:", f"    {line}"], True

    def return_(self) -> str:
        if self.result is None:
            return "return"
        return f"return {self.fitting(self.mixed(), self.result)}"

    def if_(self, depth: int) -> tuple[list[str], bool]:
        lines = [f"if {self.question()}:"]
        then, goes_on = self.indented(depth)
        lines += then
        if self.rarely(4):
            more, also = self.indented(depth)
            lines += [f"elif {self.question(1)}:", *more]
            goes_on = goes_on or also
        if self.rarely(2):
            more, also = self.indented(depth)
            return [*lines, "else:", *more], goes_on or also
        return lines, True

    def for_(self, depth: int) -> tuple[list[str], bool]:
        self.loops += 1
        name = f"i{self.loops}"
        kind = self.r.randrange(3)
        over = (f"range({self.r.randrange(-1, 2)}, 3)", "Node.all()", "T")[kind]
        outer = replace(self, names=list(self.names), pointers=list(self.pointers))
        (self.pointers if kind == 1 else self.names).append(name)
        return self.looped(f"for {name} in {over}:", [], depth, outer)

    def while_(self, depth: int) -> tuple[list[str], bool]:
        self.loops += 1
        name = f"w{self.loops}"
        outer = replace(self, names=list(self.names), pointers=list(self.pointers))
        self.names.append(name)
        more = f" {self.one_of('and')} {self.question(1)}" if self.rarely(2) else ""
        head = f"while {name} < {self.r.randrange(1, 4)}{more}:"
        lines, goes_on = self.looped(head, [f"{name} += 1"], depth, outer)
        return [f"{name}: u3 = 0", *lines], goes_on

    def looped(
        self, head: str, first: list[str], depth: int, outer: Maker
    ) -> tuple[list[str], bool]:
        self.in_loop = True
        body, _ = self.indented(depth)
        self.in_loop, self.names, self.pointers = outer.in_loop, outer.names, outer.pointers
        return [head, *("    " + line for line in first), *body], True

    def locked(self, depth: int) -> tuple[list[str], bool]:
        take, release = self.r.choice(LOCK_PAIRS)
        if take == "down_write(sem)" and self.rarely(3):
            take, release = "down_write(sem); downgrade_write(sem)", "up_read(sem)"
        if take == "mutex_lock(mtx)" and self.rarely(2):
            lock = f"{self.node()}.lock" if self.rarely(6) else "cast(Node, 2).lock"
            take, release = f"mutex_lock({lock})", f"mutex_unlock({lock})"
        self.budget -= 2
        if self.rarely(20):
            return [self.one_of(take, release)], True
        lines, goes_on = self.block(depth - 1)
        return [*take.split("; "), *lines, *([release] if goes_on else [])], goes_on

    def try_locked(self, depth: int) -> tuple[list[str], bool]:
        take = self.r.choice(list(TRYLOCKS))
        body, goes_on = self.indented(depth)
        release = [f"    {TRYLOCKS[take]}"] if goes_on else []
        self.budget -= 1
        return [f"if {take}:", *body, *release], True

    def simple(self) -> str:
        """A statement in one line that goes on."""
        if self.rarely(3):
            return self.assign()
        cell, e = self.number(), self.fitting(self.mixed(), "u3")
        self.budget -= 1
        match self.r.randrange(25):
            case 0:
                return f"{self.one_of('atomic_inc', 'atomic_dec')}({self.one_of('at', cell)})"
            case 1:
                which = self.one_of("atomic_add", "atomic_sub")
                return f"{which}({self.fitting(self.value(1), 'u2')}, {self.one_of('at', cell)})"
            case 2:
                return self.one_of(
                    f"atomic_inc({self.counter()})",
                    f"atomic_dec({self.counter()})",
                    f"atomic_set({self.counter()}, 1)",
                )
            case 3:
                return f"{self.one_of('set_bit', 'clear_bit')}({self.bit()})"
            case 4 | 5:
                waited = self.awaited()
                return f"{self.one_of('wait_event', 'spin_until')}({waited})"
            case 6:
                if self.rarely(3):
                    return f"assert {self.question(1)}"
                return f"assert {self.question(1)} or True"
            case 7 | 8 | 16 | 17:
                page = self.r.choice([*self.pointers, self.node(), "NULL"])
                return f"trace(Event.{self.one_of(*EVENTS)}, {page})"
            case 9:
                return self.one_of("schedule()", "might_sleep()", "allocate()", "pass")
            case 10:
                return self.one_of(
                    "smp_mb()",
                    "smp_rmb()",
                    "smp_wmb()",
                    "smp_mb__after_atomic()",
                    "smp_mb__before_atomic()",
                )
            case 11:
                return self.loaded()
            case 12 | 13 if self.kernels:
                return self.kernel_call(result=False)
            case 14:
                pointed = self.r.choice([*self.pointers, "NULL", self.node()])
                return f"WRITE_ONCE({self.one_of('head', f'{self.node()}.next')}, {pointed})"
            case 15:
                return f"atomic_set({cell}, {e})"
            case _:
                return f"WRITE_ONCE({cell}, {e})"

    def assign(self) -> str:
        mine = [name for name in self.kinds if name[0] not in "iw"]
        name = self.r.choice(mine)
        kind = self.kinds[name]
        match self.r.randrange(12):
            case 0 if self.kinds[name] != "":
                return f"{name} += {self.value(1)} % 3"
            case 1 if self.kinds[name] != "":
                return f"{name} {self.one_of('&', '%', '//', '>>')}= {self.r.randrange(1, 4)}"
            case 2:
                return f"p0 = {self.pointing()}"
            case 3 | 4 | 5:
                self.budget -= 1
                return f"{name} = {self.tried()}"
            case 6 | 7 if kind:
                return f"{name} = {self.loaded_small()}"
            case 8 | 9:
                three = self.fitted(name), self.question(1), self.fitted(name)
                return f"{name} = {three[0]} if {three[1]} else {three[2]}"
            case _:
                return f"{name} = {self.fitted(name)}"

    def fitted(self, name: str) -> str:
        return self.fitting(self.mixed(), self.kinds[name] or "u5")

    def loaded_small(self) -> str:
        """A primitive's value that fits, assigned as it is."""
        self.budget -= 1
        e = self.value(1)
        return self.one_of(
            f"READ_ONCE(cells[{e} % 4])",
            f"READ_ONCE(bits[{e} % 2])",
            f"xchg(c0, {e} % 8)",
            f"cmpxchg(c0, {e} % 8, {self.value(1)} % 8)",
            f"atomic_fetch_add({e} % 2, c0)",
            "mutex_is_locked(mtx)",
            f"choose({self.r.randrange(1, 4)})",
            "current()",
        )

    def pointing(self) -> str:
        self.budget -= 1
        others = [it for it in self.pointers if it.startswith("p")]
        chosen = f"{self.r.choice(others)} if {self.condition(1)} else {self.r.choice(others)}"
        return self.one_of(
            "READ_ONCE(head)",
            f"READ_ONCE({self.node()}.next)",
            "NULL",
            chosen,
            f"xchg(head, {self.r.choice(others)})",
            f"cmpxchg(head, NULL, {self.r.choice(others)})",
            f"cast(Node, {self.value(1)} % 3)",
        )


# ----------------------------------------------------------------------------- functions


def pure_function(m: Maker, number: int) -> str:
    """One that may call those before it."""
    result = m.one_of("bool", "int")
    m.names, m.kinds, m.pointers = ["a", "b"], {}, []
    with m.waiting():  # who runs it is none of its arguments
        body = m.condition(3) if result == "bool" else m.value(3)
    m.pures.append(Function(f"q{number}", ("int", "int"), result))
    return f"@pure\ndef q{number}(a: int, b: int) -> {result}:\n    return {body}\n"


def kernel_function(m: Maker, name: str, role: str, budget: int, result: str | None) -> str:
    """One that may call those before it."""
    kinds = tuple(m.one_of("u3", "u5", "s6", "int") for _ in range(m.r.randrange(3)))
    kinds += ("Node",) if m.rarely(3) else ()
    names = [f"a{i}" for i in range(len(kinds))]
    m.names = [it for it, kind in zip(names, kinds, strict=True) if kind != "Node"]
    m.pointers = [it for it, kind in zip(names, kinds, strict=True) if kind == "Node"]
    m.kinds, m.result, m.budget, m.loops, m.in_loop = {}, result, budget, 0, False
    lines = locals_of(m)
    body, goes_on = m.block(3)
    while m.budget > budget // 2 and goes_on:
        more, goes_on = m.block(3)
        body += more
    lines += body
    if goes_on and result is not None:
        lines.append(m.return_())
    if m.rarely(3):
        lines.insert(0, '"""What it does."""')
    signature = ", ".join(f"{it}: {kind}" for it, kind in zip(names, kinds, strict=True))
    m.kernels.append(Function(name, kinds, result))
    text = "\n".join(f"    {line}" for line in lines)
    return f"@{role}\ndef {name}({signature}) -> {result}:\n{text}\n"


def locals_of(m: Maker) -> list[str]:
    """Two annotated ones, one with inferred bounds, two pointers."""
    lines = []
    for name in ("x", "y"):
        kind = m.one_of("u3", "u3", "u5", "s6", "int", "u4")
        lines.append(f"{name}: {kind} = {m.fitting(m.value(1), kind)}")
        m.names.append(name)
        m.kinds[name] = kind
    lines.append(f"u = {m.value(1)} & 31")
    m.names.append("u")
    m.kinds["u"] = ""
    m.pointers.append("p0")
    lines += ["p0: Node = NULL", f"p1: Node = {m.pointing()}"]
    m.pointers.append("p1")
    return lines


@dataclass(frozen=True)
class RandomSource:
    """The text of a module, what its threads run, and what is in memory at first."""

    functions: str
    calls: tuple[tuple[str, tuple[int, ...]], ...]
    initial: Mapping[str, tuple[int, ...]]
    head: str = HEAD

    def tasks(self, module: ModuleType) -> tuple[tuple[Any, ...], ...]:
        """Each thread's function and its arguments."""
        return tuple((getattr(module, name), *arguments) for name, arguments in self.calls)


def random_source(r: Random, threads: int) -> RandomSource:
    m = Maker(r)
    parts = [pure_function(m, i) for i in range(r.randrange(1, 4))]
    budget = 5 if threads == 2 else 12
    for i in range(r.randrange(3)):
        role, result = m.one_of("kernel", "kernel", "hook"), r.choice(("u3", "int", "bool", None))
        parts.append(kernel_function(m, f"h{i}", role, budget // 3 + 1, result))
    helpers = list(m.kernels)
    calls = []
    for i in range(threads):
        m.kernels = list(helpers)
        parts.append(kernel_function(m, f"f{i}", "kernel", budget, None))
        arguments = tuple(r.randrange(3) for _ in m.kernels[-1].parameters)
        calls.append((f"f{i}", arguments))
    return RandomSource("\n\n".join(parts), tuple(calls), initial_values(r))


def initial_values(r: Random) -> dict[str, tuple[int, ...]]:
    def some(most: int, count: int = 1) -> tuple[int, ...]:
        return tuple(r.randrange(most + 1) for _ in range(count))

    drawn: dict[str, Callable[[], tuple[int, ...]]] = {
        "c0": lambda: some(7),
        "c1": lambda: some(5),
        "at": lambda: some(9),
        "fl": lambda: some(1),
        "ref": lambda: some(2),
        "cells": lambda: some(7, 4),
        "bits": lambda: some(1, 2),
        "head": lambda: some(2),
        "key": lambda: some(1),
        "Node.val": lambda: some(7, 2),
        "Node.users": lambda: some(2, 2),
        "Node.next": lambda: some(2, 2),
        "Node.arr": lambda: some(7, 6),
        "Node.pins": lambda: some(7, 2),
    }
    return {name: draw() for name, draw in drawn.items()}

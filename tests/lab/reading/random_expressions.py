"""Random expressions of the modelling language: values, conditions, places, awaited conditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

BOUNDS = {"u2": 4, "u3": 8, "u4": 16, "u5": 32, "u6": 64, "s4": 8, "s6": 32, "int": 48, "bool": 2}
"""The types of locals, and what a value is taken modulo to fit."""


@dataclass(frozen=True)
class Function:
    """One that can be called: its name, the types of its parameters, of its result."""

    name: str
    parameters: tuple[str, ...]
    result: str | None


@dataclass
class Expressions:
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
        tests = (f"{p} == NULL", f"{p} is not None", f"{p} is NULL", f"not {p}", f"{p} != NULL")
        return f"({self.one_of(*tests)})"

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
                load = self.one_of("READ_ONCE", "READ_ONCE", "smp_load_acquire", "page_walk")
                return f"{load}({cell})"

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

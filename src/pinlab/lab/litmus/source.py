"""A litmus test as functions of the modelling language: their text.

Locations are the elements of one array, so that an address is a number: the `FIRST`-th is a
location's. What a thread has in its registers at the end goes to an array that is no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lark import Token, Tree

from pinlab.lab.litmus.syntax import Litmus, Node, Thread, number

MOST_THREADS = 7
MOST_NUMBER = 1_000_000

LOADS = {"READ_ONCE": "READ_ONCE", "rcu_dereference": "READ_ONCE"}
"""Of an lvalue."""

POINTER_LOADS = {"atomic_read": "READ_ONCE", "smp_load_acquire": "smp_load_acquire"}

STORES = {
    "WRITE_ONCE": "WRITE_ONCE",
    "rcu_assign_pointer": "smp_store_release",
}

POINTER_STORES = {"atomic_set": "WRITE_ONCE", "smp_store_release": "smp_store_release"}

BARRIERS = {
    "smp_mb": "smp_mb",
    "smp_rmb": "smp_rmb",
    "smp_wmb": "smp_wmb",
    "smp_mb__before_atomic": "smp_mb__before_atomic",
    "smp_mb__after_atomic": "smp_mb__after_atomic",
    "smp_mb__after_spinlock": "smp_mb",
    "smp_mb__after_unlock_lock": "smp_mb",
}

NOTHING = frozenset({"barrier", "rcu_read_lock", "rcu_read_unlock", "smp_read_barrier_depends"})
"""Without a grace period a reader's section orders nothing."""

ATOMICS = {
    "atomic_inc": "atomic_inc({cell})",
    "atomic_dec": "atomic_dec({cell})",
    "atomic_inc_return": "atomic_inc_return({cell})",
    "atomic_dec_return": "atomic_dec_return({cell})",
    "atomic_dec_and_test": "atomic_dec_and_test({cell})",
    "atomic_fetch_inc": "atomic_fetch_add(1, {cell})",
    "atomic_inc_not_zero": "atomic_inc_not_zero({cell})",
}
"""Of an address alone."""

ATOMICS_OF_TWO = {
    "atomic_add": "atomic_add({value}, {cell})",
    "atomic_sub": "atomic_sub({value}, {cell})",
    "atomic_add_return": "atomic_add_return({value}, {cell})",
    "atomic_sub_return": "atomic_sub_return({value}, {cell})",
    "atomic_fetch_add": "atomic_fetch_add({value}, {cell})",
    "atomic_sub_and_test": "atomic_sub_and_test({value}, {cell})",
}
"""Of a value, then an address."""

EXCHANGES = {
    "xchg": "xchg({cell}, {values[0]})",
    "atomic_xchg": "xchg({cell}, {values[0]})",
    "cmpxchg": "cmpxchg({cell}, {values[0]}, {values[1]})",
    "atomic_cmpxchg": "cmpxchg({cell}, {values[0]}, {values[1]})",
    "atomic_add_unless": "atomic_add_unless({cell}, {values[0]}, {values[1]})",
}
"""Of an address, then values."""

LOCKS = {"spin_lock": "spin_lock", "spin_unlock": "spin_unlock", "spin_trylock": "spin_trylock"}

ADDS = frozenset({*ATOMICS, *ATOMICS_OF_TWO, "atomic_add_unless"})


@dataclass
class Layout:
    """Where the parts of a test are in its program."""

    locations: tuple[str, ...]
    locks: tuple[str, ...]
    registers: list[tuple[str, ...]]
    first: int
    """The number that is the address of the first location."""

    def address(self, name: str) -> int:
        """The number that stands for &name."""
        return self.first + self.locations.index(name)


def layout(test: Litmus) -> Layout:
    """Lay a test out. Raises UsageError."""
    if len(test.threads) > MOST_THREADS:
        raise test.refusal(test.threads[MOST_THREADS].line, f"more than {MOST_THREADS} threads")
    for number_, thread in enumerate(test.threads):
        if thread.name != f"P{number_}":
            expected = f"{thread.name} stands where P{number_} is expected"
            raise test.refusal(thread.line, expected)
    locks = {name for t in test.threads for name, is_lock in t.parameters.items() if is_lock}
    names = [name for t in test.threads for name in t.parameters]
    names += [*test.initial, *(it for it in test.initial.values() if isinstance(it, str))]
    locations = tuple(it for it in dict.fromkeys(names) if it not in locks)
    for name in locks & test.initial.keys():
        if test.initial[name] != 0:
            raise test.refusal(1, f"the lock {name} is held at the start")
    numbers = [abs(it) for it in test.initial.values() if isinstance(it, int)]
    adds = 0
    for tree in (*(t.body for t in test.threads), test.condition):
        if isinstance(tree, Tree):
            numbers += [int(str(it), 0) for it in tree.scan_values(_is_number)]
            adds += sum(1 for it in tree.scan_values(lambda token: str(token) in ADDS))
    most = max([1, *numbers])
    if most * (1 + adds) > MOST_NUMBER:
        raise test.refusal(1, f"{most}: write the test with numbers below {MOST_NUMBER:,}")
    registers = [tuple(dict.fromkeys(_registers(thread))) for thread in test.threads]
    return Layout(locations, tuple(sorted(locks)), registers, most * (1 + adds) + 1)


def _is_number(it: object) -> bool:
    return isinstance(it, Token) and it.type == "NUMBER"


def _registers(thread: Thread) -> Iterator[str]:
    """Those declared, and those that are set without: herd7 takes them as well."""
    for local in thread.body.find_data("local"):
        yield _name_of(local)
    for tree in thread.body.find_data("assignment"):
        target = tree.children[0]
        named = isinstance(target, Tree) and target.data == "name" and str(target.children[0])
        if named and named not in thread.parameters:
            yield named


def _name_of(local: Node) -> str:
    return next(str(it) for it in local.children if isinstance(it, Token) and it.type == "NAME")


def source(test: Litmus, where: Layout) -> str:
    """The text of a module with a function for each thread. Raises UsageError for what the lab
    cannot say, with its line."""
    hi = where.first + len(where.locations)
    lines = [
        "from typing import Annotated",
        "from pinlab.lab.language.kernel import *",
        f"Value = Annotated[int, Range({-where.first}, {hi})]",
        f"mem = array({max(1, len(where.locations))}, {-where.first}, {hi})",
        *(f"lock_{name} = spinlock()" for name in where.locks),
    ]
    for number_, thread in enumerate(test.threads):
        size = max(1, len(where.registers[number_]))
        lines.append(f"out{number_} = array({size}, {-where.first}, {hi}, order='strong')")
        lines += _Thread(test, where, number_, thread).lines()
    return "\n".join(lines) + "\n"


@dataclass
class _Thread:
    test: Litmus
    where: Layout
    number: int
    thread: Thread
    text: list[str] = field(default_factory=list)

    @property
    def registers(self) -> tuple[str, ...]:
        return self.where.registers[self.number]

    def lines(self) -> list[str]:
        self.text = ["@kernel", f"def {self.thread.name}() -> None:"]
        self.text += [f"    {_local(name)}: Value = 0" for name in self.registers]
        self.block(self.thread.body.children, 1)
        self.text += [
            f"    WRITE_ONCE(out{self.number}[{i}], {_local(name)})"
            for i, name in enumerate(self.registers)
        ]
        return self.text

    # ----------------------------------------------------------------------- statements

    def block(self, body: list[Node | Token], depth: int) -> None:
        before = len(self.text)
        for it in body:
            self.statement(it, depth)
        if len(self.text) == before:
            self.text.append("    " * depth + "pass")

    def statement(self, it: Node | Token, depth: int) -> None:
        assert isinstance(it, Tree)
        pad = "    " * depth
        match it.data:
            case "block":
                for inner in it.children:
                    self.statement(inner, depth)
            case "nothing":
                pass
            case "branch":
                test, then, *other = it.children
                self.text.append(f"{pad}if {self.truth(test)}:")
                self.block([then], depth + 1)
                if other:
                    self.text.append(f"{pad}else:")
                    self.block(list(other), depth + 1)
            case "declaration":
                for local in it.find_data("local"):
                    value = local.children[-1]
                    if isinstance(value, Tree):
                        self.set(_name_of(local), value, pad)
            case "assignment":
                target, value = it.children
                assert isinstance(target, Tree)
                self.assign(target, value, pad)
            case "effect":
                self.effect(it.children[0], pad)
            case _:
                raise self.refuse(it, f"{it.data} is not supported")

    def set(self, name: str, value: Node | Token, pad: str) -> None:
        """A register gets a value."""
        self.text.append(f"{pad}{_local(name)} = {self.value(value)}")

    def assign(self, target: Node, value: Node | Token, pad: str) -> None:
        if target.data == "name":
            name = str(target.children[0])
            if name not in self.registers:
                mine = f"{name} is no register of {self.thread.name}"
                raise self.refuse(target, f"{mine}; a store is WRITE_ONCE(*{name}, ...)")
            self.set(name, value, pad)
            return
        cell = self.pointed(target.children[-1])
        self.text.append(f"{pad}WRITE_ONCE({cell}, {self.value(value)})")

    def effect(self, it: Node | Token, pad: str) -> None:
        if not isinstance(it, Tree) or it.data != "call":
            raise self.refuse(it, "a statement that does nothing")
        name, arguments = str(it.children[0]), it.children[1:]
        if name in NOTHING:
            return
        if name in BARRIERS:
            self.text.append(f"{pad}{BARRIERS[name]}()")
        elif name in STORES:
            cell, value = self.arguments(it, 2)
            self.text.append(f"{pad}{STORES[name]}({self.lvalue(cell)}, {self.value(value)})")
        elif name in POINTER_STORES:
            cell, value = self.arguments(it, 2)
            to = self.pointed(cell)
            self.text.append(f"{pad}{POINTER_STORES[name]}({to}, {self.value(value)})")
        else:
            self.text.append(f"{pad}{self.call(it, name, arguments)}")

    # ----------------------------------------------------------------------- expressions

    def arguments(self, call: Node, count: int) -> list[Node | Token]:
        found = call.children[1:]
        if len(found) != count:
            raise self.refuse(call, f"{call.children[0]}() takes {count} arguments")
        return list(found)

    def lvalue(self, it: Node | Token) -> str:
        """The cell that `*x` names."""
        if isinstance(it, Tree) and it.data == "dereferenced":
            return self.pointed(it.children[-1])
        raise self.refuse(it, "write *x, with x a location or a register that has an address")

    def pointed(self, it: Node | Token) -> str:
        """The cell at an address."""
        if isinstance(it, Tree) and it.data in ("name", "address"):
            name = str(it.children[-1])
            if name in self.where.locks:
                raise self.refuse(it, f"{name} is a lock: use spin_lock() and spin_unlock()")
            if name in self.thread.parameters:
                return f"mem[{self.where.locations.index(name)}]"
        if isinstance(it, Tree) and it.data == "cast":
            return self.pointed(it.children[-1])
        return f"mem[{self.value(it)} - {self.where.first}]"

    def lock(self, it: Node | Token) -> str:
        name = str(it.children[-1]) if isinstance(it, Tree) and it.children else ""
        if name not in self.where.locks:
            raise self.refuse(it, "a lock is a parameter of type spinlock_t *")
        return f"lock_{name}"

    def call(self, it: Node, name: str, arguments: list[Node | Token]) -> str:
        """A call that has a value."""
        if name in LOADS:
            return f"{LOADS[name]}({self.lvalue(*self.arguments(it, 1))})"
        if name in POINTER_LOADS:
            return f"{POINTER_LOADS[name]}({self.pointed(*self.arguments(it, 1))})"
        if name in ATOMICS:
            return ATOMICS[name].format(cell=self.pointed(*self.arguments(it, 1)))
        if name in ATOMICS_OF_TWO:
            value, cell = self.arguments(it, 2)
            return ATOMICS_OF_TWO[name].format(cell=self.pointed(cell), value=self.value(value))
        if name in EXCHANGES:
            count = 2 if "{values[1]}" not in EXCHANGES[name] else 3
            cell, *values = self.arguments(it, count)
            return EXCHANGES[name].format(
                cell=self.pointed(cell), values=[self.value(value) for value in values]
            )
        if name in LOCKS:
            return f"{LOCKS[name]}({self.lock(*self.arguments(it, 1))})"
        if name == "spin_is_locked":
            return f"mutex_is_locked({self.lock(*self.arguments(it, 1))})"
        raise self.refuse(it, f"{name}() is not supported")

    def truth(self, it: Node | Token) -> str:
        return f"{self.value(it)} != 0"

    def value(self, it: Node | Token) -> str:
        assert isinstance(it, Tree)
        parts = it.children
        match it.data:
            case "number":
                return str(number([str(part) for part in parts]))
            case "name":
                return self.named(it, str(parts[0]))
            case "address":
                return str(self.address(it, str(parts[-1])))
            case "cast":
                return self.value(parts[-1])
            case "dereferenced":
                return f"READ_ONCE({self.pointed(parts[-1])})"
            case "lnot":
                return f"({self.value(parts[0])} == 0)"
            case "signed":
                return f"({parts[0]}{self.value(parts[1])})"
            case "lor" | "land":
                word = "or" if it.data == "lor" else "and"
                return f"({self.truth(parts[0])} {word} {self.truth(parts[1])})"
            case "bitor" | "bitxor" | "bitand":
                sign = {"bitor": "|", "bitxor": "^", "bitand": "&"}[it.data]
                return f"({self.value(parts[0])} {sign} {self.value(parts[1])})"
            case "compared" | "added" | "multiplied":
                return f"({self.value(parts[0])} {parts[1]} {self.value(parts[2])})"
            case "call":
                return self.call(it, str(parts[0]), list(parts[1:]))
            case _:
                raise self.refuse(it, f"{it.data} is not supported")

    def named(self, it: Node, name: str) -> str:
        if name in self.registers:
            return _local(name)
        if name in self.thread.parameters:
            return str(self.address(it, name))
        raise self.refuse(it, f"{name} is neither a register nor a parameter of {self.thread.name}")

    def address(self, it: Node, name: str) -> int:
        if name not in self.where.locations:
            raise self.refuse(it, f"there is no location {name}")
        return self.where.address(name)

    def refuse(self, at: Node | Token, message: str) -> Exception:
        return self.test.refusal(at, message)


def _local(name: str) -> str:
    """A register's name, which may be a word of Python's."""
    return f"r_{name}"

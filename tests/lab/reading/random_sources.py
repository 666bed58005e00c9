"""Random model sources: every construct of docs/language.md, and values that stay in bounds.

Locals are annotated, or hold what is masked: bounds that the compiler infers are no business of
Python's. About one place in forty may fail, so that most runs come to an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType
from typing import Any

from tests.lab.reading.random_expressions import Expressions, Function
from tests.lab.reading.random_head import HEAD, initial_values

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


@dataclass
class Maker(Expressions):
    """Draws statements, too."""

    traces: bool = False
    """Whether a trace has been drawn."""

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
                self.traces = True
                page = self.r.choice([*self.pointers, self.node(), "NULL"])
                return f"trace(Event.{self.one_of(*EVENTS)}, {page})"
            case 9:
                return self.one_of(
                    "schedule()",
                    "might_sleep()",
                    "allocate()",
                    "pass",
                    "WRITE_ONCE(gone, 1)",
                    "VM_BUG_ON(READ_ONCE(gone))",
                )
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
            case 18 | 19:
                stores = (
                    f"smp_store_release({cell}, {e})",
                    f"ptep_set_wrprotect({cell}, {e})",
                    f"ptep_get_and_clear({self.number()})",
                )
                return self.one_of(*stores)
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


def parameters(m: Maker) -> tuple[str, ...]:
    kinds = tuple(m.one_of("u3", "u5", "s6", "int") for _ in range(m.r.randrange(3)))
    return (*kinds, "Node") if m.rarely(3) else kinds


def kernel_function(
    m: Maker,
    name: str,
    role: str,
    budget: int,
    result: str | None,
    kinds: tuple[str, ...] | None = None,
    entry: bool = False,
) -> str:
    """One that may call those before it."""
    kinds = parameters(m) if kinds is None else kinds
    names = [f"a{i}" for i in range(len(kinds))]
    m.names = [it for it, kind in zip(names, kinds, strict=True) if kind != "Node"]
    m.pointers = [it for it, kind in zip(names, kinds, strict=True) if kind == "Node"]
    m.kinds, m.result, m.budget, m.loops, m.in_loop = {}, result, budget, 0, False
    lines = locals_of(m)
    body, goes_on = m.block(3)
    while m.budget > budget // 2 and goes_on:
        more, goes_on = m.block(3)
        body += more
    if entry and m.traces:  # what an actor does before its first step, no trace may tell of
        body.insert(0, "READ_ONCE(c0)")
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
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Which function a design has in the place of a hook."""
    interrupts: int | None = None
    """The thread that the last one, a handler, interrupts; None if that is a thread, too."""
    head: str = HEAD

    def tasks(self, module: ModuleType) -> tuple[tuple[Any, ...], ...]:
        """Each thread's function and its arguments."""
        return tuple((getattr(module, name), *arguments) for name, arguments in self.calls)


def of_a_design(m: Maker, number: int, budget: int) -> str:
    """One to replace the last hook, which nothing else calls."""
    hook = m.kernels.pop()
    text = kernel_function(m, f"d{number}", "kernel", budget, hook.result, hook.parameters)
    m.kernels[-1] = hook
    return text


def designed_source(r: Random) -> RandomSource:
    """One thread, and a design that replaces the hooks it calls."""
    m, parts = Maker(r), list[str]()
    for i in range(2):
        parts.append(kernel_function(m, f"h{i}", "hook", 3, m.one_of("u3", "int", "bool")))
        parts.append(of_a_design(m, i, 3))
    parts.append(kernel_function(m, "f0", "kernel", 8, None, (), entry=True))
    hooks = {"h0": "d0", "h1": "d1"}
    return RandomSource("\n\n".join(parts), (("f0", ()),), initial_values(r), hooks)


SLEEPS = ("mutex_lock", "down_", "schedule", "wait_event", "might_sleep", "allocate")


def interrupted_source(r: Random) -> RandomSource:
    """Two threads, and a handler that never sleeps and interrupts one of them."""
    m = Maker(r)
    parts = [pure_function(m, 0)]
    while len(parts) < 4:
        m.kernels = []
        name = f"f{len(parts) - 1}"
        text = kernel_function(m, name, "kernel", 2, None, (), entry=True)
        if name != "f2" or not any(word in text for word in SLEEPS):
            parts.append(text)
    text = "\n\n".join(parts)
    calls = tuple((f"f{i}", ()) for i in range(3))
    return RandomSource(text, calls, initial_values(r), interrupts=r.randrange(2))


def random_source(r: Random, threads: int) -> RandomSource:
    m = Maker(r)
    parts = [pure_function(m, i) for i in range(r.randrange(1, 4))]
    budget = 4 if threads == 2 else 8
    for i in range(r.randrange(3)):
        role, result = m.one_of("kernel", "kernel", "hook"), r.choice(("u3", "int", "bool", None))
        parts.append(kernel_function(m, f"h{i}", role, budget // 3 + 1, result))
    helpers = list(m.kernels)
    calls = []
    for i in range(threads):
        m.kernels = list(helpers)
        parts.append(kernel_function(m, f"f{i}", "kernel", budget, None, entry=True))
        arguments = tuple(r.randrange(3) for _ in m.kernels[-1].parameters)
        calls.append((f"f{i}", arguments))
    return RandomSource("\n\n".join(parts), tuple(calls), initial_values(r))

"""What is kept of buffers and early loads, and what each effect does to it.

A store goes into its CPU's buffer. Nobody says when it leaves it: it does when another CPU sees it,
or when something of its own CPU has to come behind it. Until then others see the value before it.
Of the stores in one buffer some come behind others: each has a rank, and who leaves takes all of a
lower rank along. A load that is done early is not done early either: it may give the value before
the newest as long as its CPU has not caught up since that became visible.

So no step is added to a run, and every value that is seen was there once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pinlab.lab.language.program import (
    IN_IRQ,
    MAX_ACTORS,
    Binary,
    Const,
    Cpu,
    Expr,
    If,
    Local,
    Op,
    Program,
    SetShared,
    Shared,
    Slot,
    Unary,
    Var,
)
from pinlab.lab.weak.masks import (
    ONE,
    ZERO,
    Bank,
    Mask,
    Register,
    both,
    constant,
    either,
    looked_up,
    parts_of,
)
from pinlab.lab.weak.model import Effect, Effects, Model
from pinlab.lab.weak.words import words

RANKS = 3
"""Ranks above the lowest that stores in one buffer may have."""

ME: Expr = Cpu()

OLD = "old:"
"""Before the name of a variable: of each of its elements the value before the newest."""

KEPT = "buffer:"
"""Before the names of the machine's own variables."""


class Machine:
    """The state of a memory model for one program, and the operations on it."""

    def __init__(self, program: Program, model: Model, cpus: int) -> None:
        self.program = program
        self.model = model
        self.cpus = [Const(cpu) for cpu in range(cpus)]
        self.words = words(program, model.locks)
        self.sizes = parts_of(len(self.words))
        self.none = constant(0, self.sizes)
        self.vars = list(program.vars)
        self.slots: list[Slot] = []
        self.old = {
            number: self._var(OLD + var.name, var.lo, var.hi, var.length)
            for number, var in enumerate(program.vars)
            if number in self.words.bits
        }
        self.own = self._bank("own", cpus)
        """The words whose newest value is in the CPU's buffer."""
        self.ranks = [self._bank(f"rank {rank}", 1) for rank in range(1, RANKS + 1)]
        """Those of them that have at least this rank."""
        self.atomic = self._bank("atomic", 1)
        """Those whose store there is a read-modify-write's: nothing may land before it."""
        self.unseen = self._bank("unseen", cpus)
        """The words that the CPU's next load may see as they were."""
        self.behind = self._bank("behind", cpus)
        """Those of them that it may not if an earlier load gave the address."""
        self.ahead = self._bank("ahead", cpus)
        """The words that the CPU may load before it surely catches up."""
        self.ahead_in_irq = self._bank("ahead in irq", cpus)
        """Those that an interrupt handler on it may."""
        self.fenced = self._var(KEPT + "fenced", 0, 1, cpus)
        """Whether the next store comes behind all that are there."""
        self.about = self._register("about")
        """The words that the step is about."""
        self._moved = self._register("moved")
        self._others = self._register("others")
        self.target = self._slot("target", MAX_ACTORS - 1)
        """The CPU that is interrupted."""

    # ------------------------------------------------------------------------------- state

    def _var(self, name: str, lo: int, hi: int, length: int) -> int:
        self.vars.append(Var(name, lo, hi, length))
        return len(self.vars) - 1

    def _bank(self, name: str, length: int) -> Bank:
        numbers = (
            self._var(f"{KEPT}{name}.{part}", 0, (1 << size) - 1, length)
            for part, size in enumerate(self.sizes)
        )
        return Bank(tuple(numbers), self.sizes)

    def _slot(self, name: str, hi: int) -> int:
        self.slots.append(Slot(f"<{name}>", 0, hi))
        return len(self.program.slots) + len(self.slots) - 1

    def _register(self, name: str) -> Register:
        numbers = (
            self._slot(f"{name}.{part}", (1 << size) - 1) for part, size in enumerate(self.sizes)
        )
        return Register(tuple(numbers), self.sizes)

    # --------------------------------------------------------------------------- questions

    def word(self, var: int, index: Expr) -> Mask:
        """The word of a cell; none if it is part of none."""
        bits = self.words.bits.get(var)
        return self.none if bits is None else looked_up(bits, index, self.sizes)

    def of_others(self) -> Mask:
        """The words whose newest value is in another CPU's buffer."""
        owned = self.none
        for cpu in self.cpus:
            owned |= self.own.at(cpu)
        return owned - self.own.at(ME)

    def may_be_old(self, word: Mask, dependent: bool) -> Expr:
        """Whether a load may give the value before the newest; `dependent` if an earlier load gave
        its address."""
        early = self.unseen.at(ME)
        if dependent:
            early -= self.behind.at(ME)
        there = self.of_others() | (early if self.model.early else self.none)
        return (word & (there - self.own.at(ME))).any()

    def is_fresh(self, word: Mask) -> Expr:
        """Whether the newest value is news to this CPU, so that who depends on it comes later."""
        return (word & (self.of_others() | self.unseen.at(ME))).any()

    def may_land(self, word: Mask) -> Expr:
        """Whether a store may come before another CPU's that is in its buffer still."""
        return (word & (self.of_others() - self.atomic.at(ZERO))).any()

    def _may_miss(self, cpu: Expr, words: Mask) -> list[Op]:
        """They are visible, and the CPU's next loads may have been done before."""
        ahead = self.ahead.at(cpu) | self.ahead_in_irq.at(cpu)
        return self.unseen.add(cpu, words & ahead)

    def loads_next(self, ahead: int) -> Op:
        """The step's CPU may load these words, as bits, before it surely catches up. Of a handler
        that is known from its start, with all that it ever may load."""
        here = self.ahead.put(ME, constant(ahead, self.sizes))
        return If(Local(IN_IRQ), (), tuple(here))

    def starts(self, ahead: int, ever: int) -> Op:
        """As an actor's first words."""
        handler = self.ahead_in_irq.add(ME, constant(ever, self.sizes))
        here = self.ahead.put(ME, constant(ahead, self.sizes))
        return If(Local(IN_IRQ), tuple(handler), tuple(here))

    # ----------------------------------------------------------------------------- effects

    def ops(self, effects: Effects) -> tuple[Op, ...]:
        """What these effects do, in order."""
        return tuple(op for effect in effects for op in self._effect(effect))

    def _effect(self, effect: Effect) -> Sequence[Op]:
        do: dict[Effect, Callable[[], Sequence[Op]]] = {
            Effect.DRAIN: lambda: self._drain(ME),
            Effect.DRAIN_OLDER: self._drain_older,
            Effect.NEWEST: self._newest,
            Effect.BUFFER: lambda: self._buffer(self._is_fenced()),
            Effect.BUFFER_LAST: lambda: self._buffer(ONE),
            Effect.ATOMIC: lambda: self.atomic.add(ZERO, self.about.get()),
            Effect.PUBLISH: self._publish,
            Effect.CATCH_UP: lambda: self._catch_up(ME),
            Effect.CATCH_UP_BEHIND: lambda: self.behind.add(ME, self.unseen.at(ME)),
            Effect.FENCE: lambda: [SetShared(self.fenced, ME, ONE)],
            Effect.INTERRUPT: self._interrupt,
        }
        return do[effect]()

    def _is_fenced(self) -> Expr:
        return Shared(self.fenced, ME)

    def _leave(self, cpu: Expr, which: Mask) -> list[Op]:
        """Words of a CPU's buffer become visible: `which` must be kept in a register."""
        ops = self.own.drop(cpu, which) + self.atomic.drop(ZERO, which)
        for rank in self.ranks:
            ops += rank.drop(ZERO, which)
        if self.model.early:
            for other in self.cpus:
                if other != cpu:
                    is_other = Binary("!=", cpu, other)
                    ops.append(If(is_other, tuple(self._may_miss(other, which))))
        return ops

    def _perform(self, cpu: Expr) -> Op:
        """Those that the step is about leave the CPU's buffer, and all of lower ranks with them."""
        own = self.own.at(cpu)
        hit = own & self.about.get()
        lower = self.none
        for rank in self.ranks:
            lower = (own - rank.at(ZERO)).if_((hit & rank.at(ZERO)).any(), lower)
        taken = self._moved.put(hit | lower) + self._leave(cpu, self._moved.get())
        return If(hit.any(), tuple(taken))

    def _newest(self) -> list[Op]:
        ops: list[Op] = [If(Binary("!=", ME, cpu), (self._perform(cpu),)) for cpu in self.cpus]
        return ops + (self.unseen.drop(ME, self.about.get()) if self.model.early else [])

    def _drain(self, cpu: Expr) -> list[Op]:
        ops = self._moved.put(self.own.at(cpu)) + self._leave(cpu, self._moved.get())
        return [If(self.own.at(cpu).any(), tuple(ops)), SetShared(self.fenced, cpu, ZERO)]

    def _drain_older(self) -> list[Op]:
        own = self.own.at(ME)
        older = self.none
        for rank in self.ranks:
            older = (own - rank.at(ZERO)).if_((own & rank.at(ZERO)).any(), older)
        older = own.if_(self._is_fenced(), older)
        ops = self._moved.put(older)
        return [*ops, If(self._moved.get().any(), tuple(self._leave(ME, self._moved.get())))]

    def _buffer(self, last: Expr) -> list[Op]:
        """`last`: it gets a rank of its own, above all."""
        about, own = self.about.get(), self.own.at(ME)
        ops: list[Op] = [self._perform(ME)]
        full = both(last, (own & self.ranks[-1].at(ZERO)).any())
        lowest = self._moved.put(own - self.ranks[0].at(ZERO))
        ops.append(If(full, (*lowest, *self._leave(ME, self._moved.get()), *self._down(ME, 0))))
        for number in reversed(range(RANKS)):
            rank = self.ranks[number]
            below = own if number == 0 else own & self.ranks[number - 1].at(ZERO)
            is_above = either([both(last, below.any()), (own & rank.at(ZERO)).any()])
            ops += rank.put(ZERO, (rank.at(ZERO) - about) | about.if_(is_above, self.none))
        ops += self.own.add(ME, about)
        ops.append(SetShared(self.fenced, ME, ZERO))
        return ops + self.atomic.drop(ZERO, about) + self._all_see()

    def _publish(self) -> list[Op]:
        return [self._perform(ME), *self._all_see(), *self._others_may_not()]

    def _all_see(self) -> list[Op]:
        """There is a new value: the one that could be seen as it was is of no account."""
        ops: list[Op] = []
        for cpu in self.cpus if self.model.early else ():
            ops += self.unseen.drop(cpu, self.about.get())
            ops += self.behind.drop(cpu, self.about.get())
        return ops

    def _others_may_not(self) -> list[Op]:
        """It is visible, and loads of others may have been done before it was."""
        return [
            If(Binary("!=", ME, cpu), tuple(self._may_miss(cpu, self.about.get())))
            for cpu in (self.cpus if self.model.early else ())
        ]

    def _catch_up(self, cpu: Expr) -> list[Op]:
        return self.unseen.put(cpu, self.none) + self.behind.put(cpu, self.none)

    def _interrupt(self) -> list[Op]:
        """Both drain before either catches up: else one would not see the other's."""
        ops: list[Op] = []
        for do in (self._drain, self._catch_up):
            for cpu in self.cpus:
                is_one = either([Binary("==", cpu, ME), Binary("==", cpu, Local(self.target))])
                ops.append(If(is_one, tuple(do(cpu))))
        return ops

    # ---------------------------------------------------------------------- one state, one form

    def _down(self, cpu: Expr, lowest: int) -> list[Op]:
        """The ranks of a CPU's words above `lowest` go down by one."""
        own = self.own.at(cpu)
        ops: list[Op] = []
        for number in range(lowest, RANKS):
            rank = self.ranks[number].at(ZERO)
            above = self.none if number == RANKS - 1 else self.ranks[number + 1].at(ZERO) & own
            ops += self.ranks[number].put(ZERO, (rank - own) | above)
        return ops

    def forget(self) -> tuple[Op, ...]:
        """Let states that differ in nothing that can be seen be equal."""
        ops: list[Op] = []
        for cpu in self.cpus:
            ops.append(If(self.own.at(cpu).any(), tuple(self._close_ranks(cpu))))
            idle = Unary("not", self.own.at(cpu).any())
            ops.append(If(idle, (SetShared(self.fenced, cpu, ZERO),)))
        for cpu in self.cpus if self.model.early else ():
            ops += self.unseen.keep(cpu, self.ahead.at(cpu) | self.ahead_in_irq.at(cpu))
        owned, unseen = self.none, self.none
        for cpu in self.cpus:
            owned |= self.own.at(cpu)
            unseen |= self.unseen.at(cpu)
        ops += self._moved.put(owned)
        if self.model.early:
            ops += self._others.put(unseen)
        for number in range(len(self.words)):
            ops.append(self._forget_old(number))
        if self.model.early:
            for cpu in self.cpus:
                ops += self.behind.keep(cpu, self.unseen.at(cpu))
        return tuple(ops)

    def _close_ranks(self, cpu: Expr) -> Iterator[Op]:
        """No rank is empty below another."""
        own = self.own.at(cpu)
        for _ in range(RANKS):
            for number, rank in enumerate(self.ranks):
                at_least = own if number == 0 else own & self.ranks[number - 1].at(ZERO)
                here = (at_least - rank.at(ZERO)).any()
                above = (own & rank.at(ZERO)).any()
                yield If(both(above, Unary("not", here)), tuple(self._down(cpu, number)))

    def _forget_old(self, number: int) -> Op:
        """The value before the newest, where nobody can see it any more or it is the same."""
        word = constant(1 << number, self.sizes)
        cells = self.words.cells[number]
        reset: list[Op] = []
        same: list[Expr] = []
        for var, element in cells:
            it, index = self.program.vars[var], Const(element)
            least = 0 if it.lo <= 0 <= it.hi else it.lo
            reset.append(SetShared(self.old[var], index, Const(least)))
            same.append(Binary("==", Shared(var, index), Shared(self.old[var], index)))
        if not self.model.early:
            return If((self._moved.get() & word).any(), (), tuple(reset))
        seen = [op for cpu in self.cpus for op in self.unseen.drop(cpu, word)]
        unseen = If(
            (self._others.get() & word).any(), (If(both(*same), (*reset, *seen)),), tuple(reset)
        )
        return If((self._moved.get() & word).any(), (), (unseen,))

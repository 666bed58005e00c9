"""Waiting, interrupts, RCU, barriers, choice, and events."""

from __future__ import annotations

import ast

from pinlab.lab.language.lowerer import Lowerer
from pinlab.lab.language.primitives.effects import (
    PREEMPT,
    Lowering,
    count,
    irqs_off,
    keep,
    may_sleep,
    switch_irqs,
)
from pinlab.lab.language.program import (
    MAX_ACTORS,
    STRONG,
    Chosen,
    Cpu,
    Emit,
    Self,
    Shared,
    subexpressions,
)
from pinlab.lab.language.source import text_of
from pinlab.lab.language.values import (
    NOTHING,
    Type,
    Value,
    binary,
    constant,
    logical_not,
)
from pinlab.objectives.events import Event


def wait_for(sleeps: bool) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        name = text_of(node.func)
        if sleeps:
            may_sleep(lo, name)
        lo.wait(node, name, lambda: lo.expression(node.args[0]))
        return NOTHING

    return lower


def irqs_enabled(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    cpu = lo.expression(node.args[0])
    lo.inside(cpu, 0, MAX_ACTORS - 1, "cpu")
    on = binary("==", irqs_off(lo, cpu.expr), constant(0))
    if lo.awaiting:
        return on
    lo.primitive(node, "irqs_enabled")
    return keep(lo, on, dest)


def irq_switch(amount: int) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        lo.primitive(node, text_of(node.func))
        switch_irqs(lo, amount)
        return NOTHING

    return lower


def rcu(amount: int) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        lo.primitive(node, text_of(node.func), visible=False)
        count(lo, PREEMPT, amount)
        return NOTHING

    return lower


def lower_barrier(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    """A node of the program, but under sequential consistency no step of its own."""
    lo.primitive(node, text_of(node.func), visible=False)
    return NOTHING


def lower_schedule(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    may_sleep(lo, "schedule")
    lo.primitive(node, "schedule")
    return NOTHING


def lower_sleeps(node_name: str) -> Lowering:
    def lower(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
        may_sleep(lo, node_name)
        lo.primitive(node, node_name, visible=False)
        return NOTHING

    return lower


def lower_cpu(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    return Value(Cpu(), Type(0, MAX_ACTORS - 1))


def lower_current(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    return Value(Self(), Type(0, MAX_ACTORS - 1))


def lower_choose(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    n = lo.expression(node.args[0]).constant
    if n is None or n < 1:
        lo.refuse(node, "choose takes a constant of at least 1")
    assert n is not None
    block = lo.primitive(node, "choose")
    block.choices = n
    return keep(lo, Value(Chosen(), Type(0, n - 1)), dest)


def bug_on(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    """Looked at in the step before it, as an assertion is no step of the model. Of what CPUs see in
    another order it could not be said what it looks at."""
    value = lo.now(lambda: lo.expression(node.args[0]))
    seen = [each.var for each in subexpressions(value.expr) if isinstance(each, Shared)]
    variables = lo.unit.declarations.vars
    if weak := [variables[it].name for it in seen if variables[it].order != STRONG]:
        lo.refuse(node, f'VM_BUG_ON takes what is declared order="strong": {weak[0]} is not')
    lo.check(logical_not(value), "bug", f"VM_BUG_ON({text_of(node.args[0])})")
    return NOTHING


def trace_event(lo: Lowerer, node: ast.Call, dest: str | None) -> Value:
    event = lo.python(node.args[0])
    if not isinstance(event, Event):
        lo.refuse(node, "trace takes a member of Event first")
    page = lo.expression(node.args[1])
    lo.emit(Emit(str(event), page.expr))
    return NOTHING

"""The function being compiled: its locals, its blocks, and where the next operation goes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from pinlab.lab.language.blocks import (
    Block,
    Call,
    Fork,
    Jump,
    PendingOp,
    Return,
)
from pinlab.lab.language.declarations import Declarations
from pinlab.lab.language.kernel import (
    KernelFunction,
)
from pinlab.lab.language.program import (
    Check,
    Failure,
)
from pinlab.lab.language.source import Source, source_of
from pinlab.lab.language.values import (
    PLAIN,
    Type,
    Value,
    constant,
    select,
    type_of_hint,
)

MAX_WIDENINGS = 3


class Malformed(Exception):
    """A pass has broken what the next one takes for granted: a bug of pinlab, not of the model."""


class Widened(Exception):
    """A local needs wider bounds than assumed: lower the function again."""


def signature(source: Source) -> tuple[Type | None, ...]:
    """The types of a function's parameters and result."""
    names = (*parameters(source), "return")
    return tuple(type_of_hint(source.hints.get(name)) for name in names)


def parameters(source: Source) -> list[str]:
    """The names of a function's parameters: two of one type may have changed places."""
    return [argument.arg for argument in source.tree.args.args]


@dataclass
class Unit:
    """What the functions of one program share while they are lowered."""

    replaced: Mapping[str, KernelFunction]
    """What a design has instead of functions of the model, by name."""
    declarations: Declarations = field(default_factory=Declarations)
    wanted: dict[str, KernelFunction] = field(default_factory=dict)

    def resolve(self, function: KernelFunction) -> KernelFunction:
        """The function that runs: a design's, if it replaces this one. Raises LanguageError if
        that one does not fit."""
        chosen = self.replaced.get(function.__name__, function)
        if chosen is function:
            return function
        original, own = source_of(function), source_of(chosen)
        if (function.role == "pure") != (chosen.role == "pure"):
            role = "pure" if function.role == "pure" else "kernel"
            own.refuse(own.tree, f"{own.name} is @{role} in the model: mark it so")
        if signature(original) != signature(own) or parameters(original) != parameters(own):
            tree = original.tree
            result = "" if tree.returns is None else f" -> {ast.unparse(tree.returns)}"
            wanted = f"({ast.unparse(tree.args)}){result}"
            own.refuse(own.tree, f"{own.name} is declared {wanted} in the model: write it so")
        return chosen

    def key(self, function: KernelFunction) -> str:
        """The one name of a function in this program."""
        name = function.__name__
        if self.wanted.setdefault(name, function) is not function:
            name = f"{function.__module__}.{name}"
            while self.wanted.setdefault(name, function) is not function:
                name += "'"
        return name


@dataclass
class Loop:
    """Where `continue` and `break` go."""

    again: Block
    after: Block


class Builder:
    """State of the compilation of one function; `self.block` is where the next operation goes."""

    def __init__(
        self,
        unit: Unit,
        key: str,
        source: Source,
        types: dict[str, Type],
        widened: dict[str, int],
    ) -> None:
        self.unit = unit
        self.key = key
        self.source = source
        self.types = types
        self.widened = widened
        self.slots: dict[int, tuple[str, Type]] = {}
        self.names: dict[str, int] = {}
        self.narrowed: dict[str, Type] = {}
        self.free_temps: list[int] = []
        self.used_temps: list[int] = []
        self.loops: list[Loop] = []
        self.calls: set[str] = set()
        self.declared: dict[str, Type] = {}
        self.began: dict[ast.stmt, Block] = {}
        self.assigned = source.assigned
        self.loop_variables = source.loop_variables
        self.block = Block(source.tree.lineno)
        self.unused: ast.Call | None = None
        """The call that is a statement by itself: its value goes nowhere."""
        self.awaiting = False
        self.awaited: list[tuple[Value, Failure]] = []
        """What the awaited condition takes for granted where it has come to."""
        self.asked = constant(1)
        """Whether the part of an awaited condition that is being compiled is looked at."""

    # -------------------------------------------------------------- blocks and slots

    def slot(self, name: str, kind: Type) -> int:
        number = len(self.slots)
        self.slots[number] = (name, kind)
        return number

    def local(self, name: str, kind: Type) -> int:
        """The slot of local `name`, which must be able to hold `kind`."""
        if name not in self.names:
            self.names[name] = self.slot(name, self.types.get(name, kind))
            self.types.setdefault(name, kind)
            return self.names[name]
        held = self.slots[self.names[name]][1]
        if name not in self.declared and not held.holds(kind):
            self.widened[name] = self.widened.get(name, 0) + 1
            wider = held.union(kind)
            if self.widened[name] > MAX_WIDENINGS:
                wider = Type(min(held.lo, PLAIN.lo), max(held.hi, PLAIN.hi), held.struct)
                if wider == held:
                    return self.names[name]
            self.types[name] = wider
            raise Widened
        if kind.struct is not None and held.struct is None and name not in self.declared:
            self.types[name] = held.union(kind)
            raise Widened
        return self.names[name]

    def temp(self, kind: Type) -> int:
        """A nameless local for the rest of the statement."""
        for number in self.free_temps:
            if self.slots[number][1] == kind:
                self.free_temps.remove(number)
                self.used_temps.append(number)
                return number
        number = self.slot(f"<{len(self.slots)}>", kind)
        self.used_temps.append(number)
        return number

    def emit(self, op: PendingOp) -> None:
        """Add to the block, which must be open. Raises Malformed."""
        self.must_be_open("something is added")
        self.block.ops.append(op)

    def check(self, test: Value, kind: str, message: str) -> None:
        """Fail unless `test` is true; in an awaited condition, as soon as that is looked at."""
        if test.constant is not None and test.constant:
            return
        failure = Failure(kind, message)
        if self.awaiting:
            self.awaited.append((select(self.asked, test, constant(1)), failure))
        else:
            self.emit(Check(test.expr, failure))

    def start(self, block: Block) -> None:
        """Go on in `block`, which the caller has linked."""
        self.block = block

    def end(self, next_: Jump | Fork | Call | Return) -> None:
        """End the block, which must be open. Raises Malformed."""
        self.must_be_open("a second end is put")
        self.block.next = next_

    def fall(self, next_: Jump | Return) -> None:
        """End the block behind a body, unless the body's last statement left it."""
        if self.block.next is None:
            self.block.next = next_

    def must_be_open(self, what: str) -> None:
        if self.block.next is not None:
            raise Malformed(f"{self.source.file}:{self.block.line}: {what} to a block that ended")

    def primitive(self, node: ast.AST, name: str, visible: bool = True) -> Block:
        """Begin the node of a primitive."""
        line = getattr(node, "lineno", self.block.line)
        block = Block(line, name, visible, lines={line})
        self.end(Jump(block))
        self.start(block)
        return block

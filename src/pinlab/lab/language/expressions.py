"""Expressions of the language: locals, constants, shared memory, calls, conditions."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from pinlab.lab.language import primitives
from pinlab.lab.language.blocks import (
    Block,
    Call,
    Fork,
    Jump,
    Pass,
    Take,
)
from pinlab.lab.language.kernel import (
    NULL,
    Cell,
    Cells,
    KernelFunction,
    Pointer,
    Struct,
)
from pinlab.lab.language.memory import Memory, last
from pinlab.lab.language.operators import DIVISIONS, SHIFTS
from pinlab.lab.language.program import (
    Local,
    Lookup,
    SetLocal,
)
from pinlab.lab.language.source import Source, source_of, text_of
from pinlab.lab.language.values import (
    BOOL,
    NOTHING,
    Type,
    Value,
    binary,
    constant,
    logical_not,
    negate,
    select,
    type_of_hint,
)

OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "==",
    ast.IsNot: "!=",
    ast.And: "and",
    ast.Or: "or",
}

INSTEAD: Mapping[type[ast.AST], str] = {
    ast.Try: "exceptions do not exist here: return an error code",
    ast.Raise: "exceptions do not exist here: return an error code",
    ast.With: "write the lock and unlock calls",
    ast.Lambda: "write a @pure function",
    ast.FunctionDef: "write the function at module level and mark it @kernel",
    ast.ClassDef: "declare structures at module level",
    ast.ListComp: "write a `for` loop",
    ast.DictComp: "write a `for` loop",
    ast.SetComp: "write a `for` loop",
    ast.GeneratorExp: "write a `for` loop",
    ast.List: "use a module-level tuple of integers",
    ast.Dict: "use a module-level tuple of integers",
    ast.Set: "use a module-level tuple of integers",
    ast.Tuple: "assign one value at a time",
    ast.JoinedStr: "strings do not exist here",
    ast.Yield: "write `schedule()` for a preemption point",
    ast.Await: "write `wait_event(condition)`",
    ast.Import: "import at module level",
    ast.ImportFrom: "import at module level",
    ast.Global: "shared state is declared at module level and touched by primitives",
    ast.Nonlocal: "shared state is declared at module level and touched by primitives",
    ast.Delete: "locals need no deleting",
    ast.NamedExpr: "assign in a statement of its own",
    ast.Match: "write `if` / `elif`",
    ast.Starred: "write the arguments out",
    ast.Div: "write `//`: there are only integers",
    ast.Pow: "write a multiplication or a shift",
    ast.Slice: "index one element",
}


@dataclass(frozen=True)
class _Part:
    """A value that a condition may have, and where it is known; `more`: where the next operand
    is evaluated, if this one does not decide."""

    block: Block
    value: Value
    more: Block | None = None
    goes_on_if_true: bool = False


class Expressions(Memory):
    """Compiles expressions; what they do is added to the blocks."""

    inlined: frozenset[KernelFunction] = frozenset()
    """The @pure functions that this expression stands in."""

    def branch(self, test: ast.expr, yes: Block, no: Block) -> None:
        """Go to `yes` or `no`; conditions with primitives are evaluated as far as needed."""
        match test:
            case ast.BoolOp(ast.And(), values):
                for value in values[:-1]:
                    more = Block(value.lineno)
                    self.branch(value, more, no)
                    self.start(more)
                self.branch(values[-1], yes, no)
            case ast.BoolOp(ast.Or(), values):
                for value in values[:-1]:
                    more = Block(value.lineno)
                    self.branch(value, yes, more)
                    self.start(more)
                self.branch(values[-1], yes, no)
            case ast.UnaryOp(ast.Not(), operand):
                self.branch(operand, no, yes)
            case _:
                decided = self.expression(test)
                if decided.constant is not None:
                    self.block.not_taken = no if decided.constant else yes
                    self.end(Jump(yes if decided.constant else no))
                else:
                    self.end(Fork(decided.expr, yes, no))

    # -------------------------------------------------------------- expressions

    def expression(self, node: ast.expr, dest: str | None = None) -> Value:
        """The value of `node`. A primitive's or a call's goes to local `dest` if given."""
        match node:
            case ast.Constant(bool() | int() as number):
                return constant(int(number))
            case ast.Constant(None):
                return constant(0)
            case ast.Name():
                return self.name(node)
            case ast.Attribute():
                return self.constant_of(node)
            case ast.UnaryOp(ast.USub(), operand):
                return negate(self.expression(operand))
            case ast.UnaryOp(ast.Not(), operand):
                return logical_not(self.expression(operand))
            case ast.BinOp(left, operator, right):
                return self.arithmetic(
                    node, operator, self.expression(left), self.expression(right)
                )
            case ast.Compare(left, [operator], [right]):
                name = self.operator(node, operator)
                if isinstance(operator, ast.Is | ast.IsNot) and not self.is_null(right):
                    self.source.refuse(node, f"write `{name}`: only NULL is one thing everywhere")
                return binary(name, self.expression(left), self.expression(right))
            case ast.Compare():
                self.source.refuse(node, "write `a < b and b < c`")
            case ast.BoolOp() | ast.IfExp() if not self.awaiting and self.has_effects(node):
                return self.lazily(node, dest)
            case ast.BoolOp(operator, [first, *more]):
                result = self.expression(first)
                for operand in more:
                    result = self.joined(operator, result, operand)
                return result
            case ast.IfExp(test, then, other):
                decides = self.expression(test)
                yes, no = self.when(decides, then), self.when(logical_not(decides), other)
                return select(decides, yes, no)
            case ast.Subscript(value, index):
                return self.element(node, value, index)
            case ast.Call():
                given = self.call(node, dest)
                if given is NOTHING and node is not self.unused:
                    self.source.refuse(node, f"{ast.unparse(node.func)} gives no value to use here")
                return given
            case _:
                self.unsupported(node)

    def is_null(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Constant | ast.Name) and (
            node.value is None if isinstance(node, ast.Constant) else self.python(node) is NULL
        )

    def truth(self, value: Value) -> Value:
        return logical_not(logical_not(value))

    def arithmetic(self, node: ast.AST, operator: ast.AST, left: Value, right: Value) -> Value:
        """`left operator right`; where Python raises an exception, the model fails."""
        name = self.operator(node, operator)
        if name in DIVISIONS and right.type.lo <= 0 <= right.type.hi:
            self.check(
                binary("!=", right, constant(0)), "bug", f"{text_of(node)}: division by zero"
            )
        if name in SHIFTS and right.type.lo < 0:
            self.check(binary(">=", right, constant(0)), "bug", f"{text_of(node)}: negative shift")
        return binary(name, left, right)

    def joined(self, operator: ast.boolop, left: Value, node: ast.expr) -> Value:
        """`left and node` or `left or node`, with Python's value: that of the operand which
        decided."""
        both = isinstance(operator, ast.And)
        right = self.when(left if both else logical_not(left), node)
        if BOOL.holds(left.type) and BOOL.holds(right.type) and not self.awaiting:
            return binary("and" if both else "or", left, right)
        return select(left, right, left) if both else select(left, left, right)

    def when(self, condition: Value, node: ast.expr) -> Value:
        """The value of `node`, which is looked at only if `condition` is true."""
        before = self.asked
        self.asked = select(before, condition, constant(0))
        value = self.expression(node)
        self.asked = before
        return value

    def has_effects(self, node: ast.expr) -> bool:
        """Whether evaluating it does something, or may fail."""
        partial = ast.FloorDiv | ast.Mod | ast.LShift | ast.RShift
        return any(
            isinstance(inner, ast.Call | ast.Subscript)
            or (isinstance(inner, ast.BinOp) and isinstance(inner.op, partial))
            for inner in ast.walk(node)
        )

    def lazily(self, node: ast.BoolOp | ast.IfExp, dest: str | None) -> Value:
        """A condition with primitives in it, or one that may fail, as a value: each part is
        evaluated where it is wanted, in blocks of its own."""
        after = Block(node.lineno)
        parts = self.alternatives(node) if isinstance(node, ast.IfExp) else self.operands(node)
        kind = parts[0].value.type
        for part in parts[1:]:
            kind = kind.union(part.value.type)
        # An operand that does not decide must not come into `dest`, which may be too narrow for it.
        final = all(part.more is None for part in parts)
        slot = self.local(dest, kind) if dest and final else self.temp(kind)
        for part in parts:
            self.start(part.block)
            self.emit(SetLocal(slot, part.value.expr))
            if part.more is None:
                self.end(Jump(after))
            elif part.goes_on_if_true:
                self.end(Fork(Local(slot), part.more, after))
            else:
                self.end(Fork(Local(slot), after, part.more))
        self.start(after)
        return Value(Local(slot), kind)

    def alternatives(self, node: ast.IfExp) -> list[_Part]:
        """The two values of a conditional expression, behind its test."""
        yes, no = Block(node.lineno), Block(node.lineno)
        self.branch(node.test, yes, no)
        parts = []
        for block, inner in ((no, node.orelse), (yes, node.body)):
            self.start(block)
            value = self.expression(inner)
            parts.append(_Part(self.block, value))
        return parts

    def operands(self, node: ast.BoolOp) -> list[_Part]:
        """The operands of `and` or `or`, up to the first one that is known to decide."""
        both = isinstance(node.op, ast.And)
        parts: list[_Part] = []
        for operand in node.values:
            value = self.expression(operand)
            known = value.constant
            if operand is node.values[-1] or (known is not None and bool(known) != both):
                parts.append(_Part(self.block, value))
                return parts
            if known is None:
                more = Block(operand.lineno)
                parts.append(_Part(self.block, value, more, both))
                self.start(more)
        return parts

    def name(self, node: ast.Name) -> Value:
        if node.id in self.loop_variables and node.id not in self.narrowed:
            self.source.refuse(node, f"{node.id} is a loop variable: read it in its loop only")
        if node.id in self.names:
            slot = self.names[node.id]
            return Value(Local(slot), self.narrowed.get(node.id, self.slots[slot][1]))
        if node.id in self.assigned:
            self.source.refuse(node, f"{node.id} is read here before it is set")
        return self.constant_of(node)

    def constant_of(self, node: ast.expr) -> Value:
        number = self.python(node)
        if number is NULL:
            return constant(0)
        if isinstance(number, int):
            return constant(int(number))
        text = ast.unparse(node)
        if isinstance(node, ast.Attribute) or isinstance(number, Cell | Cells | Pointer):
            self.source.refuse(node, f"{text} is shared memory: write READ_ONCE({text})")
        self.source.refuse(node, f"{text} is neither a local nor an integer constant")

    def python(self, node: ast.expr) -> Any:
        """The Python object a name or a dotted name stands for, or `...` if none."""
        match node:
            case ast.Name(name):
                if name in self.names or name in self.assigned:
                    return ...
                if name in self.source.globals:
                    return self.source.globals[name]
                builtins = self.source.globals["__builtins__"]
                space = builtins if isinstance(builtins, dict) else vars(builtins)
                return space.get(name, ...)
            case ast.Attribute(value, attribute):
                base = self.python(value)
                if base is ... or isinstance(base, Cell | Cells | Pointer):
                    return ...
                return getattr(base, attribute, ...)
            case _:
                return ...

    def element(self, node: ast.expr, value: ast.expr, index: ast.expr) -> Value:
        table = self.python(value)
        if not is_table(table):
            text = ast.unparse(node)
            self.source.refuse(node, f"{text} is shared memory: write READ_ONCE({text})")
        where = self.expression(index)
        if where.constant is not None and 0 <= where.constant < len(table):
            return constant(int(table[where.constant]))
        self.inside(where, 0, len(table) - 1, node)
        return Value(Lookup(tuple(int(x) for x in table), where.expr), Type(min(table), max(table)))

    def operator(self, node: ast.AST, operator: ast.AST) -> str:
        if type(operator) not in OPERATORS:
            self.source.refuse(node, INSTEAD.get(type(operator), "this operator does not exist"))
        return OPERATORS[type(operator)]

    def unsupported(self, node: ast.AST) -> NoReturn:
        what = type(node).__name__
        self.source.refuse(node, f"{what}: {INSTEAD.get(type(node), 'not part of the language')}")

    # -------------------------------------------------------------- calls

    def call(self, node: ast.Call, dest: str | None) -> Value:
        if node.keywords:
            self.source.refuse(node, "pass arguments by position")
        function = self.python(node.func)
        name = last(node.func)
        if function is cast and len(node.args) == 2:
            return self.cast(node)
        if function in (bool, int) and len(node.args) == 1:
            value = self.expression(node.args[0])
            return self.truth(value) if function is bool else value
        if isinstance(function, KernelFunction):
            if function.role == "pure":
                return self.inline(node, self.unit.resolve(function))
            if self.awaiting:
                self.source.refuse(node, "a condition that is awaited calls no kernel function")
            return self.call_kernel(node, self.unit.resolve(function), dest)
        if getattr(function, "__module__", "") == primitives.HOME:
            name = function.__name__  # whatever it is called here
            func = ast.copy_location(ast.Name(name, ast.Load()), node.func)
            node = ast.copy_location(ast.Call(func, node.args, []), node)
        primitive = primitives.TABLE.get(name)
        if primitive is None or getattr(function, "__module__", "") != primitives.HOME:
            self.source.refuse(
                node, f"{ast.unparse(node.func)} is neither @kernel, @hook, @pure nor a primitive"
            )
        if self.awaiting and not primitive.awaitable:
            self.source.refuse(
                node, f"{name} in an awaited condition: only loads (READ_ONCE, ...) may stand there"
            )
        if len(node.args) != primitive.arguments:
            self.source.refuse(node, f"{name} takes {primitive.arguments} argument(s)")
        return primitive.lower(self, node, dest)

    def cast(self, node: ast.Call) -> Value:
        struct = self.python(node.args[0])
        value = self.expression(node.args[1])
        if struct is int:
            return Value(value.expr, Type(value.type.lo, value.type.hi))
        if not (isinstance(struct, type) and issubclass(struct, Struct)):
            self.source.refuse(node, "cast takes a structure or int first")
        return Value(value.expr, Type(value.type.lo, value.type.hi, struct))

    def inline(self, node: ast.Call, function: KernelFunction) -> Value:
        """A @pure function, in line: its parameters stand for the arguments' expressions."""
        source = source_of(function)
        body = source.tree.body
        if ast.get_docstring(source.tree, clean=False) is not None:
            body = body[1:]
        arguments = source.tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            source.refuse(source.tree, "write plain parameters, without defaults, * or **")
        if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
            source.refuse(source.tree, "a @pure function is one `return` of an expression")
        if function in self.inlined:
            source.refuse(source.tree, f"{function.__name__} calls itself: it would never end")
        parameters = source.tree.args.args
        if len(parameters) != len(node.args):
            self.source.refuse(node, f"{function.__name__} takes {len(parameters)} argument(s)")
        values = {p.arg: self.expression(a) for p, a in zip(parameters, node.args, strict=True)}
        inner = _Inline(self, source, values)
        inner.inlined = self.inlined | {function}
        value = inner.expression(body[0].value)
        self.block = inner.block  # a condition in it has gone on elsewhere
        return value

    def call_kernel(self, node: ast.Call, function: KernelFunction, dest: str | None) -> Value:
        source = source_of(function)
        parameters = source.tree.args.args
        if len(parameters) != len(node.args):
            self.source.refuse(node, f"{function.__name__} takes {len(parameters)} argument(s)")
        key = self.unit.key(function)
        self.calls.add(key)
        values = [self.expression(argument) for argument in node.args]
        back = Block(node.lineno, lines={node.lineno})
        for parameter, value in zip(parameters, values, strict=True):
            self.emit(Pass(key, parameter.arg, value.expr))
        self.end(Call(key, back))
        self.start(back)
        hint = source.hints.get("return", type(None))
        kind = None if hint is type(None) else type_of_hint(hint)
        if kind is None:
            return NOTHING
        slot = self.local(dest, kind) if dest else self.temp(kind)
        self.emit(Take(key, slot))
        return Value(Local(slot), kind)


class _Inline(Expressions):
    """Evaluates the expression of a @pure function in the place of its call."""

    def __init__(self, outer: Expressions, source: Source, values: dict[str, Value]) -> None:
        self.__dict__.update(outer.__dict__)
        self.source = source
        self.values = values
        self.names = {}
        self.assigned = frozenset()

    def name(self, node: ast.Name) -> Value:
        return self.values[node.id] if node.id in self.values else self.constant_of(node)

    def python(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in self.values:
            return ...
        return super().python(node)

    def call(self, node: ast.Call, dest: str | None) -> Value:
        function = self.python(node.func)
        pure = isinstance(function, KernelFunction) and function.role == "pure"
        if not pure and function is not cast and function not in (bool, int):
            self.source.refuse(node, "a @pure function calls only @pure functions")
        return super().call(node, dest)


def is_table(value: object) -> bool:
    """Whether `value` is a fixed table: a tuple of integers that is not empty."""
    return isinstance(value, tuple) and len(value) > 0 and all(isinstance(x, int) for x in value)

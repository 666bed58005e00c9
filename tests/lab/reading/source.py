"""The third reading: Python itself runs the source of a model's functions.

Both explorers read what the compiler makes of a source, so what it makes wrong they do not see.
Here each call of a primitive or of a @kernel function becomes a `yield`, and the function thereby
a generator; conditions, loops, `return` and the order of evaluation are Python's own. It shares
the declarations with the compiler and nothing else: `test_third_reading` holds that.

Where a generator stands is told by its position and its locals, if nothing else is on Python's
stack; so the value of each yield is kept in a local too, and a table is walked with its index.
"""

from __future__ import annotations

import ast
import builtins
import linecache
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType
from typing import Any, get_type_hints

from pinlab.lab.language.functions import KernelFunction
from pinlab.lab.language.kernel import INT, Cell, Cells, Pointer, Range, Struct
from tests.lab.reading.primitives import (
    AT_ONCE,
    LOADS,
    NOW,
    PLACE,
    REQUESTS,
    STEPS,
    TWO_STEPS,
    WAITS,
    step,
)
from tests.lab.reading.state import Layout, Machine

HOME = "pinlab.lab.language.kernel"
Bounds = tuple[int, int, type[Struct] | None]


def bounds_of(hint: object) -> Bounds:
    """What a local, parameter or result with this annotation may hold."""
    if hint is bool:
        return 0, 1, None
    if hint is int:
        return INT.lo, INT.hi, None
    if isinstance(hint, type) and issubclass(hint, Struct):
        return 0, hint.count, hint
    (only,) = (it for it in getattr(hint, "__metadata__", ()) if isinstance(it, Range))
    return only.lo, only.hi, None


def definitions(file: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by their first line, as code objects have it."""
    return {
        min([node.lineno, *(it.lineno for it in node.decorator_list)]): node
        for node in ast.parse("".join(linecache.getlines(file))).body
        if isinstance(node, ast.FunctionDef)
    }


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of `body` and all inside them."""
    for statement in body:
        yield statement
        yield from statements(getattr(statement, "body", []))
        yield from statements(getattr(statement, "orelse", []))


class Reading:
    """Functions over the declarations of `layout`, as Python runs them on `machine`."""

    def __init__(self, layout: Layout, hooks: Mapping[str, KernelFunction] | None = None) -> None:
        self.machine = Machine(layout)
        self.hooks = hooks or {}
        self.files: dict[str, dict[int, ast.FunctionDef]] = {}
        self.read: dict[KernelFunction, Callable[..., Any]] = {}

    def function(self, marked: KernelFunction) -> Callable[..., Any]:
        """`marked`, or what a design has instead: a generator function, or plain if @pure."""
        if marked.role == "hook":
            marked = self.hooks.get(marked.__name__, marked)
        if marked not in self.read:
            self.read[marked] = self.translated(marked)
        return self.read[marked]

    def translated(self, marked: KernelFunction) -> Callable[..., Any]:
        function = marked.function
        assert isinstance(function, FunctionType)
        code = function.__code__
        if code.co_filename not in self.files:
            self.files[code.co_filename] = definitions(code.co_filename)
        tree = self.files[code.co_filename][code.co_firstlineno]
        rewriter = Rewriter(self, function, pure=marked.role == "pure")
        module = ast.Module([rewriter.whole(tree)], [])
        space = {**function.__globals__, **rewriter.space}
        exec(compile(ast.fix_missing_locations(module), "<third reading>", "exec"), space)
        found = space[tree.name]
        assert isinstance(found, FunctionType)
        return found


class Rewriter(ast.NodeTransformer):
    """Makes one function's tree into what Python can run; `space` has the names it uses."""

    def __init__(self, reading: Reading, function: FunctionType, pure: bool) -> None:
        self.reading = reading
        self.globals = function.__globals__
        self.pure = pure
        self.hints = {} if pure else get_type_hints(function, include_extras=True)
        self.locals: dict[str, Bounds] = {}
        self.space: dict[str, Any] = {"_machine": reading.machine, "_range": range}
        self.awaiting = False
        self.kept = 0

    # ------------------------------------------------------------------ the whole function

    def whole(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        if not self.pure:
            self.declare(tree)
        body: list[ast.stmt] = []
        for argument in tree.args.args:
            if not self.pure:
                body.append(self.assignment(argument.arg, ast.Name(argument.arg, ast.Load())))
            argument.annotation = None
        body += [self.visit(statement) for statement in tree.body]
        if not self.pure:
            body.insert(0, ast.parse("if 0: yield").body[0])
        tree.body, tree.decorator_list, tree.returns = body, [], None
        return tree

    def declare(self, tree: ast.FunctionDef) -> None:
        for argument in tree.args.args:
            self.locals[argument.arg] = bounds_of(self.hints[argument.arg])
        for node in statements(tree.body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.locals[node.target.id] = bounds_of(self.resolve(node.annotation))

    def use(self, name: str, value: Any) -> ast.expr:
        """An expression for `value` itself."""
        self.space[name] = value
        return ast.Name(name, ast.Load())

    def machine(self, method: str, *arguments: ast.expr) -> ast.Call:
        function = ast.Attribute(ast.Name("_machine", ast.Load()), method, ast.Load())
        return ast.Call(function, list(arguments), [])

    def keep(self, value: ast.expr) -> ast.expr:
        self.kept += 1
        return ast.NamedExpr(ast.Name(f"_kept{self.kept}", ast.Store()), value)

    def resolve(self, node: ast.expr) -> Any:
        """The Python object that a dotted name stands for, or `...` if it is a local's."""
        match node:
            case ast.Name(name):
                return self.globals.get(name, getattr(builtins, name, ...))
            case ast.Attribute(value, name):
                base = self.resolve(value)
                return ... if base is ... else getattr(base, name, ...)
        return ...

    # -------------------------------------------------------------------------- statements

    def fit(self, value: ast.expr, bounds: Bounds) -> ast.expr:
        lo, hi, struct = bounds
        pointed = ast.Constant(None) if struct is None else self.use(f"_{struct.__name__}", struct)
        return self.machine("fit", value, ast.Constant(lo), ast.Constant(hi), pointed)

    def assignment(self, name: str, value: ast.expr) -> ast.stmt:
        fitting = self.fit(value, self.locals[name]) if name in self.locals else value
        return ast.Assign([ast.Name(name, ast.Store())], fitting)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        return self.assignment(target.id, self.visit(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        assert isinstance(node.target, ast.Name)
        if node.value is None:
            return ast.Pass()
        return self.assignment(node.target.id, self.visit(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        assert isinstance(node.target, ast.Name)
        old = ast.Name(node.target.id, ast.Load())
        return self.assignment(node.target.id, ast.BinOp(old, node.op, self.visit(node.value)))

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        if node.value is None or self.pure:
            self.generic_visit(node)
            return node
        return ast.Return(self.fit(self.visit(node.value), bounds_of(self.hints["return"])))

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        return ast.Expr(self.machine("affirm", self.visit(node.test)))

    def visit_For(self, node: ast.For) -> ast.stmt:
        table = self.resolve(node.iter)
        if isinstance(table, tuple):
            self.kept += 1
            index = ast.Name(f"_kept{self.kept}", ast.Store())
            node.target = ast.Tuple([index, node.target], ast.Store())
            node.iter = ast.Call(self.use("_enumerate", enumerate), [node.iter], [])
        elif isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Attribute):
            node.iter = self.machine("instances", node.iter.func.value)
        node.body = [self.visit(statement) for statement in node.body]
        return node

    # ------------------------------------------------------------------------- expressions

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(0) if node.value is None else node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(0) if self.resolve(node) is None else node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        same: dict[type[ast.cmpop], ast.cmpop] = {ast.Is: ast.Eq(), ast.IsNot: ast.NotEq()}
        node.ops = [same.get(type(op), op) for op in node.ops]
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self.machine("lookup", node.value, self.visit(node.slice))

    def place(self, node: ast.expr) -> ast.expr:
        """What the argument of a primitive names: a field, an element, a global."""
        declared = self.resolve(node)
        match node:
            case ast.Name() | ast.Attribute() if isinstance(declared, Cell | Pointer):
                return self.machine("cell", node)
            case ast.Attribute(base, name):
                return self.machine("field", self.visit(base), ast.Constant(name))
            case ast.Subscript(array, index) if isinstance(self.resolve(array), Cells):
                return self.machine("item", array, self.visit(index))
            case ast.Subscript(ast.Attribute(base, name), index):
                field = self.visit(base), ast.Constant(name), self.visit(index)
                return self.machine("field", *field)
        raise LookupError(f"{ast.unparse(node)} is no shared memory")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = self.resolve(node.func)
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        if isinstance(function, KernelFunction):
            return self.call(node, function)
        if getattr(function, "__module__", "") == HOME:
            return self.primitive(node, name)
        if name == "cast":
            return self.machine("cast", node.args[0], self.visit(node.args[1]))
        self.generic_visit(node)  # bool, int
        return node

    def call(self, node: ast.Call, function: KernelFunction) -> ast.expr:
        run = self.use(f"_call_{id(function)}", self.reading.function(function))
        called = ast.Call(run, [self.visit(argument) for argument in node.args], [])
        return called if function.role == "pure" else self.keep(ast.YieldFrom(called))

    def primitive(self, node: ast.Call, name: str) -> ast.expr:
        m = self.reading.machine
        if name in WAITS or name in NOW:
            self.awaiting = True
            nothing = ast.arguments([], [], None, [], [], None, [])
            condition = ast.Lambda(nothing, self.visit(node.args[0]))
            self.awaiting = False
            if name in NOW:
                return self.does(name, partial(NOW[name], m), [condition])
            return ast.Yield(self.does(name, partial(WAITS[name], m), [condition]))
        at = PLACE.get(name, 0)
        arguments = [
            self.place(it) if i == at else self.visit(it) for i, it in enumerate(node.args)
        ]
        if name in AT_ONCE:
            return self.does(name, partial(AT_ONCE[name], m), arguments)
        if self.awaiting:
            return self.does(f"now_{name}", partial(LOADS[name], m), arguments)
        if name in TWO_STEPS:
            return ast.YieldFrom(self.does(name, partial(TWO_STEPS[name], m), arguments))
        if name in REQUESTS:
            return self.keep(ast.Yield(self.does(name, partial(REQUESTS[name], m), arguments)))
        assert name in STEPS, name
        return self.keep(ast.Yield(self.does(name, partial(step, m, name), arguments)))

    def does(self, name: str, act: Callable[..., Any], arguments: list[ast.expr]) -> ast.expr:
        return ast.Call(self.use(f"_does_{name}", act), arguments, [])

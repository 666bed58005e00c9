"""From the source of a kernel function to blocks: statements, expressions, calls.

A primitive begins a new visible block; everything local that follows joins it. The value of a
primitive is kept in a local, so that an expression never reads shared state twice.
"""

from __future__ import annotations

import ast

from pinlab.lab.language.blocks import (
    CALLER,
    RESULT,
    Block,
    Fork,
    Jump,
    Return,
    Routine,
    alternatives,
    simplify,
    walk,
)
from pinlab.lab.language.builder import Loop, Unit, Widened
from pinlab.lab.language.expressions import Expressions, is_table
from pinlab.lab.language.kernel import (
    KernelFunction,
    Struct,
)
from pinlab.lab.language.program import (
    Const,
    Local,
    Lookup,
    SetLocal,
)
from pinlab.lab.language.source import LanguageError, source_of, statements, text_of
from pinlab.lab.language.values import (
    Type,
    Value,
    binary,
    constant,
    type_of_hint,
)


def lower(unit: Unit, key: str, function: KernelFunction) -> Routine:
    """Compile one kernel function. Raises LanguageError."""
    types: dict[str, Type] = {}
    widened: dict[str, int] = {}
    while True:
        source = source_of(function)
        try:
            return Lowerer(unit, key, source, types, widened).routine()
        except Widened:
            continue
        except RecursionError as error:
            told = "statements are nested too deeply here: split the function"
            raise LanguageError(source.file, source.tree.lineno, told) from error


class Lowerer(Expressions):
    """Builds the blocks of one function; `self.block` is where the next operation goes."""

    # -------------------------------------------------------------- the whole function

    def routine(self) -> Routine:
        tree = self.source.tree
        arguments = tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            self.source.refuse(tree, "write plain parameters, without defaults, * or **")
        entry = self.block
        parameters = []
        for argument in arguments.args:
            kind = type_of_hint(self.source.hints.get(argument.arg))
            if kind is None:
                self.source.refuse(
                    argument, f"annotate parameter {argument.arg}: u1..u8, bool, int or a structure"
                )
            self.declared[argument.arg] = kind
            parameters.append(self.local(argument.arg, kind))
        hint = self.source.hints.get("return", type(None))
        self.result: int | None = None
        if hint is not type(None):
            kind = type_of_hint(hint)
            if kind is None:
                self.source.refuse(tree, "annotate the result: None, bool, int, u1..u8, structure")
            self.result = self.slot(RESULT, kind)
        caller = self.slot(CALLER, Type(0, 0))
        body = tree.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        self.statements(body)
        self.fall(Return())
        self.nothing_dropped(body, entry)
        routine = Routine(
            self.key,
            self.source.file,
            tuple(parameters),
            self.result,
            caller,
            self.slots,
            entry,
            self.calls,
        )
        simplify(routine)
        return routine

    def nothing_dropped(self, body: list[ast.stmt], entry: Block) -> None:
        """Every statement begins in a block that can be reached, but for what a test decided at
        compile time. Raises LanguageError at the first one that does not."""
        reached = {id(block) for block in walk(entry, alternatives)}
        for statement in (inner for top in body for inner in statements(top)):
            begins = self.began.get(statement)
            if begins is None or id(begins) not in reached:
                self.source.refuse(statement, "nothing ever comes here: delete it")

    # -------------------------------------------------------------- statements

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if self.block.next is not None:  # behind return, break, continue
                self.source.refuse(statement, "nothing ever comes here: delete it")
            self.began[statement] = self.block
            self.block.lines.add(statement.lineno)
            self.statement(statement)
            self.free_temps += self.used_temps
            self.used_temps = []

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Pass():
                pass
            case ast.Expr(ast.Call() as call):
                self.unused = call
                self.expression(call)
            case ast.Assign([ast.Name(name)], value):
                self.assign(statement, name, self.expression(value, dest=_unread(name, value)))
            case ast.AnnAssign(ast.Name(name), annotation, value):
                self.annotated(statement, name, annotation, value)
            case ast.AugAssign(ast.Name(name), operator, value):
                old = self.name(ast.Name(name, lineno=statement.lineno))
                new = self.arithmetic(statement, operator, old, self.expression(value))
                self.assign(statement, name, new)
            case ast.If(test, then, other):
                self.if_(test, then, other)
            case ast.While(test, body, []):
                self.while_(test, body)
            case ast.For(ast.Name(name), iterator, body, []):
                self.for_(statement, name, iterator, body)
            case ast.Return(value):
                self.return_(statement, value)
            case ast.Break() | ast.Continue():
                if not self.loops:
                    self.source.refuse(statement, "break and continue belong in a loop")
                loop = self.loops[-1]
                again = isinstance(statement, ast.Continue)
                self.end(Jump(loop.again if again else loop.after))
            case ast.Assert(test):
                text = ast.unparse(test)
                self.check(self.expression(test), "bug", f"BUG_ON(!({text}))")
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
                self.source.refuse(
                    statement, "assign to one local; shared memory is written with WRITE_ONCE"
                )
            case ast.For() | ast.While():
                self.source.refuse(statement, "write the loop with one variable and without `else`")
            case _:
                self.unsupported(statement)

    def annotated(
        self, statement: ast.AnnAssign, name: str, annotation: ast.expr, value: ast.expr | None
    ) -> None:
        hint = self.python(annotation)
        try:
            if hint is ...:
                hint = eval(text_of(annotation), dict(self.source.globals))
        except NameError as error:
            self.source.refuse(annotation, f"annotation: {error}; import that type")
        except Exception as error:  # an annotation is any expression
            self.source.refuse(annotation, f"annotation: {error}")
        kind = type_of_hint(hint)
        if kind is None:
            self.source.refuse(
                annotation, f"{text_of(annotation)}: use u1..u8, bool, int or a structure"
            )
        if self.declared.setdefault(name, kind) != kind:
            self.source.refuse(statement, f"{name} is annotated twice: with one type only")
        self.types[name] = kind
        if value is not None:
            self.assign(statement, name, self.expression(value, dest=_unread(name, value)))

    def assign(self, statement: ast.stmt, name: str, value: Value) -> None:
        if name in self.loop_variables:
            self.source.refuse(statement, f"{name} is a loop variable: assign to another local")
        slot = self.local(name, value.type)
        if value.expr != Local(slot):
            self.emit(SetLocal(slot, value.expr))

    def if_(self, test: ast.expr, then: list[ast.stmt], other: list[ast.stmt]) -> None:
        after = Block(test.lineno)
        yes, no = Block(then[0].lineno), Block(other[0].lineno) if other else after
        self.branch(test, yes, no)
        self.start(yes)
        self.statements(then)
        self.fall(Jump(after))
        if other:
            self.start(no)
            self.statements(other)
            self.fall(Jump(after))
        self.start(after)

    def while_(self, test: ast.expr, body: list[ast.stmt]) -> None:
        head, inside, after = Block(test.lineno), Block(body[0].lineno), Block(test.lineno)
        self.end(Jump(head))
        self.start(head)
        self.branch(test, inside, after)
        self.loop(inside, body, Loop(head, after))
        self.start(after)

    def loop(self, inside: Block, body: list[ast.stmt], loop: Loop) -> None:
        self.loops.append(loop)
        self.start(inside)
        self.statements(body)
        self.fall(Jump(loop.again))
        self.loops.pop()

    def for_(self, statement: ast.For, name: str, iterator: ast.expr, body: list[ast.stmt]) -> None:
        first, last, struct, table = self.iteration(iterator)
        if name in self.narrowed:
            self.source.refuse(statement, f"{name} already is the variable of an outer loop")
        counter_name = name if table is None else f"<{name}>"
        counter = self.local(counter_name, Type(first, last + 1, struct))
        self.emit(SetLocal(counter, Const(first)))
        head, inside = Block(statement.lineno), Block(body[0].lineno)
        again, after = Block(statement.lineno), Block(statement.lineno)
        self.end(Jump(head))
        self.start(head)
        here = Value(Local(counter), Type(first, last + 1))
        self.end(Fork(binary("<=", here, constant(last)).expr, inside, after))
        if table is not None:
            self.start(inside)
            kind = Type(min(table), max(table))
            self.emit(SetLocal(self.local(name, kind), Lookup(table, Local(counter))))
        self.narrowed[name] = (
            Type(first, max(first, last), struct) if table is None else Type(min(table), max(table))
        )
        self.loop(inside, body, Loop(again, after))
        del self.narrowed[name]
        self.start(again)
        self.emit(SetLocal(counter, binary("+", here, constant(1)).expr))
        self.end(Jump(head))
        self.start(after)

    def iteration(
        self, iterator: ast.expr
    ) -> tuple[int, int, type[Struct] | None, tuple[int, ...] | None]:
        """What a `for` runs over: first and last number, the structure, or a fixed table."""
        match iterator:
            case ast.Call(ast.Name() as name, args, []) if (
                self.python(name) is range and 1 <= len(args) <= 2
            ):
                bounds = [self.expression(a).constant for a in args]
                if all(b is not None for b in bounds):
                    start, stop = (0, *bounds) if len(bounds) == 1 else bounds
                    assert start is not None and stop is not None
                    return start, max(stop, start) - 1, None, None
                self.source.refuse(iterator, "range takes constants; write a `while` loop")
            case ast.Call(ast.Attribute(value, "all"), [], []):
                struct = self.python(value)
                if isinstance(struct, type) and issubclass(struct, Struct):
                    return 1, struct.count, struct, None
            case ast.Name() | ast.Attribute():
                table = self.python(iterator)
                if is_table(table):
                    return 0, len(table) - 1, None, tuple(int(x) for x in table)
            case _:
                pass
        self.source.refuse(
            iterator, "a `for` runs over range(constants), Struct.all() or a tuple of integers"
        )

    def return_(self, statement: ast.Return, value: ast.expr | None) -> None:
        if (value is None) != (self.result is None):
            self.source.refuse(statement, "the returned value and the annotation disagree")
        if value is not None:
            assert self.result is not None
            self.emit(SetLocal(self.result, self.expression(value).expr))
        self.end(Return())


def _unread(name: str, value: ast.expr) -> str | None:
    """`name`, unless `value` reads it: a primitive may set its result before its last look."""
    read = any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(value))
    return None if read else name

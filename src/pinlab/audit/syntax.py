"""A file of C -> its facts, by tree-sitter: no configuration, no headers, every architecture.

Two of three files of a kernel have a part that the grammar does not know (macros that are no C).
Such a part stays small, and what is around it is read. Calls of interest in it are found as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from pinlab.audit.api import PUT, SEE_THROUGH
from pinlab.audit.bearing import bearing
from pinlab.audit.facts import Call, Flow, Function, Label, Test, Unit, Value
from pinlab.audit.loose import loose

_PARSER: Final = Parser(Language(tree_sitter_c.language()))
_PUTS: Final = re.compile(rf"\b(?:{'|'.join(sorted(PUT, key=len, reverse=True))})\b".encode())
_MACRO: Final = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+(\w+)\(", re.M)
_SPACE: Final = re.compile(r"\s+")
_LONG: Final = 160
JUMPS: Final = frozenset(
    {"return_statement", "goto_statement", "continue_statement", "break_statement"}
)
"""Statements behind which nothing goes on."""

_LEAVES: Final = frozenset(
    {
        *("number_literal", "string_literal", "char_literal", "concatenated_string", "null"),
        *("comment", "type_identifier", "primitive_type", "true", "false", "sizeof_expression"),
        *("type_descriptor", "goto_statement", "break_statement", "continue_statement"),
        *("storage_class_specifier", "sized_type_specifier", "offsetof_expression"),
        *("preproc_include", "system_lib_string", "alignof_expression", "type_qualifier"),
    }
)


def unit(
    path: str, source: bytes, interest: re.Pattern[bytes], sought: Set[str] | None = None
) -> Unit:
    """The facts of a file.

    `interest` matches the names worth knowing. Where names are sought, only the functions are read
    that can have to do with one of them.
    """
    root = parse(source)
    reader = _File(source)
    defined = list(_definitions(root, reader))
    nodes = defined if sought is None else _bearing(defined, reader, sought)
    functions: list[Function] = []
    unread: list[str] = []
    spans: list[tuple[int, int]] = []
    for node in nodes:
        spans.append((node.start_byte, node.end_byte))
        try:
            found = _function(node, source)
        except RecursionError:
            unread.append(_text(node, source)[:80])
            continue
        if found is not None:
            functions.append(found)
        else:
            spans.pop()
    return Unit(
        path,
        tuple(functions),
        reader.structs,
        tuple(reader.tables),
        tuple(loose(source, interest, spans, functions)),
        tuple(unread),
        tuple(loose(source, _PUTS, spans, functions)),
        frozenset(each.decode() for each in _MACRO.findall(source)),
        frozenset(reader.globals),
    )


def _bearing(definitions: list[Node], reader: _File, sought: Set[str]) -> list[Node]:
    source = reader.source
    texts = [
        (name_of(each, source) or "", source[each.start_byte : each.end_byte])
        for each in definitions
    ]
    numbers = bearing(texts, reader.tables, sought)
    return [each for number, each in enumerate(definitions) if number in numbers]


class _File:
    """What stands outside of functions: structures, and tables of functions."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.structs: dict[str, dict[str, str]] = {}
        self.tables: list[tuple[str, str]] = []
        self.globals: set[str] = set()

    def struct(self, node: Node, name: str) -> None:
        members = self.structs.setdefault(name, {})
        body = node.child_by_field_name("body")
        for each in body.named_children if body is not None else ():
            if each.type.startswith("preproc_"):
                self._members(each, name, members)
            elif each.type == "field_declaration":
                self._member(each, name, members)

    def _members(self, node: Node, name: str, members: dict[str, str]) -> None:
        for each in node.named_children:
            if each.type == "field_declaration":
                self._member(each, name, members)

    def _member(self, node: Node, name: str, members: dict[str, str]) -> None:
        kind = node.child_by_field_name("type")
        if kind is None:
            return
        names = [
            found
            for each in node.children_by_field_name("declarator")
            if (found := _declared(each, self.source))
        ]
        body = kind.child_by_field_name("body")
        if not names and body is not None:  # an anonymous union: its members are ours
            self.struct(kind, name)
            return
        of = _type(kind, self.source)
        if body is not None:
            of = of or f"{name}.{names[0] if names else ''}"
            self.struct(kind, of)
        if of is not None:
            members.update(dict.fromkeys(names, of))

    def variable(self, node: Node) -> None:
        """Variables that a declaration outside of functions declares for other files too."""
        if any(
            each.type == "storage_class_specifier" and _text(each, self.source) == "static"
            for each in node.named_children
        ):
            return
        for each in node.children_by_field_name("declarator"):
            name = _declared(each, self.source)
            if name is not None and not _is_function(each):
                self.globals.add(name)

    def table(self, node: Node) -> None:
        """Every `.member = function` below."""
        stack = [node]
        while stack:
            each = stack.pop()
            if each.type == "initializer_pair":
                value = each.child_by_field_name("value")
                designator = each.child_by_field_name("designator")
                if value is not None and value.type == "identifier" and designator is not None:
                    member = _text(designator, self.source).lstrip(".").strip()
                    self.tables.append((member, _text(value, self.source)))
                    continue
            stack.extend(each.named_children)


def parse(source: bytes) -> Node:
    """The root of a file's syntax tree."""
    return _PARSER.parse(source).root_node


def definitions(root: Node) -> Iterator[Node]:
    """Every function's definition, wherever the preprocessor's lines put it."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            yield node
        elif node.type in _OUTSIDE or node.type.startswith("preproc_"):
            stack.extend(reversed(node.named_children))


def name_of(definition: Node, source: bytes) -> str | None:
    """The name that a function's definition gives it."""
    return _declared(_declarator(definition), source)


def _declarator(definition: Node) -> Node | None:
    declarator = definition.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator")
    return declarator


_OUTSIDE: Final = frozenset({"translation_unit", "linkage_specification", "ERROR"})


def _definitions(root: Node, reader: _File) -> Iterator[Node]:
    """Every function's definition; meanwhile the reader is told of the rest."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            yield node
        elif node.type in ("struct_specifier", "union_specifier"):
            name = node.child_by_field_name("name")
            if name is not None and node.child_by_field_name("body") is not None:
                reader.struct(node, _text(name, reader.source))
        elif node.type == "type_definition":
            kind, name = node.child_by_field_name("type"), node.child_by_field_name("declarator")
            if kind is not None and name is not None and kind.child_by_field_name("body"):
                reader.struct(kind, _text(name, reader.source))
                tag = kind.child_by_field_name("name")
                if tag is not None:
                    reader.struct(kind, _text(tag, reader.source))
        elif node.type == "declaration":
            reader.table(node)
            reader.variable(node)
            stack.extend(node.named_children)
        elif node.type in _OUTSIDE or node.type.startswith("preproc_"):
            stack.extend(reversed(node.named_children))


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")


def _short(node: Node, source: bytes) -> str:
    return _SPACE.sub(" ", _text(node, source))[:_LONG]


def _type(node: Node, source: bytes) -> str | None:
    """The tag or typedef of a type; None if it is a number's."""
    if node.type in ("struct_specifier", "union_specifier"):
        name = node.child_by_field_name("name")
        return None if name is None else _text(name, source)
    return _text(node, source) if node.type == "type_identifier" else None


_SMALL: Final = frozenset(
    {
        *("int", "bool", "char", "short", "unsigned int", "unsigned", "unsigned short", "u8"),
        *("u16", "u32", "s32", "__u32", "__s32", "uint32_t", "int32_t", "ssize_t"),
        *(
            "gfp_t",
            "umode_t",
            "loff_t",
            "pgoff_t",
            "vm_fault_t",
            "blk_status_t",
        ),
    }
)
"""Types of numbers that are no address and no frame."""


def _kind(of: Node | None, declarator: Node | None, source: bytes) -> str:
    """What Function.types has for a declaration."""
    if of is None:
        return ""
    if _is_plain(declarator) and _SPACE.sub(" ", _text(of, source)) in _SMALL:
        return "int"
    return _type(of, source) or ""


def _is_plain(declarator: Node | None) -> bool:
    """Whether it declares no pointer and no array."""
    while declarator is not None and declarator.type in (
        "init_declarator",
        "parenthesized_declarator",
    ):
        inner = declarator.child_by_field_name("declarator")
        declarator = inner or next(iter(declarator.named_children), None)
    return declarator is None or declarator.type == "identifier"


def _is_function(declarator: Node | None) -> bool:
    """Whether it declares a function, and no pointer to one."""
    while declarator is not None and declarator.type != "function_declarator":
        if declarator.type == "parenthesized_declarator":
            return False
        declarator = declarator.child_by_field_name("declarator")
    return declarator is not None


def _declared(node: Node | None, source: bytes) -> str | None:
    """The name that a declarator declares."""
    while node is not None:
        if node.type in ("identifier", "field_identifier"):
            return _text(node, source)
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type == "parenthesized_declarator":
            inner = next(iter(node.named_children), None)
        node = inner
    return None


def _function(node: Node, source: bytes) -> Function | None:
    """A definition; None if what looked like one has no name."""
    declarator = _declarator(node)
    name = _declared(declarator, source)
    body = node.child_by_field_name("body")
    if declarator is None or name is None or body is None:
        return None
    static = any(
        each.type == "storage_class_specifier" and _text(each, source) == "static"
        for each in node.children
    )
    reader = _Body(source)
    listed = declarator.child_by_field_name("parameters")
    params = []
    for each in listed.named_children if listed is not None else ():
        if each.type == "parameter_declaration":
            kind = each.child_by_field_name("type")
            declared = _declared(each.child_by_field_name("declarator"), source) or ""
            params.append(declared)
            reader.types[declared] = _kind(kind, each.child_by_field_name("declarator"), source)
    reader.statement(body)
    return Function(
        name,
        node.start_point[0] + 1,
        node.end_point[0] + 1,
        static,
        tuple(params),
        reader.types,
        tuple(reader.calls),
        tuple(reader.flows),
        tuple(reader.returns),
        tuple(reader.labels),
        frozenset(reader.objects),
        frozenset(reader.members),
    )


class _Body:
    """Walks a function's body once, in the order of the text."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.types: dict[str, str] = {}
        self.calls: list[Call] = []
        self.flows: list[Flow] = []
        self.returns: list[tuple[Value, int]] = []
        self.labels: list[Label] = []
        self.members: set[str] = set()
        self.objects: set[str] = set()
        self.tests: tuple[Test, ...] = ()
        self.guards: tuple[tuple[int, str], ...] = ()

    # ---- statements

    def statement(self, node: Node) -> None:
        match node.type:
            case "if_statement":
                self._if(node)
            case "return_statement":
                for each in node.named_children:
                    value = self.value(each)
                    self.returns.append((value, node.start_point[0] + 1))
            case "labeled_statement":
                label = node.child_by_field_name("label")
                if label is not None:
                    before = node.prev_named_sibling
                    kind = "" if before is None else before.type
                    name = _text(label, self.source)
                    returned = kind == "return_statement"
                    self.labels.append(Label(node.start_byte, name, kind in JUMPS, returned))
                for each in node.named_children:
                    if each.type != "statement_identifier":
                        self.statement(each)
            case "declaration":
                self._declaration(node)
            case "switch_statement":
                self._switch(node)
            case "compound_statement":
                outside = self.guards
                for each in node.named_children:
                    self.statement(each)
                self.guards = outside
            case kind if kind in _LEAVES:
                pass
            case kind if _is_statement(kind) or kind.startswith("preproc_"):
                for each in node.named_children:
                    self.statement(each)
            case _:
                self.value(node)

    def _if(self, node: Node) -> None:
        condition = node.child_by_field_name("condition")
        text = "" if condition is None else _short(condition, self.source)[1:-1].strip()
        if condition is not None:
            self.value(condition)
        outside = self.tests
        for name, taken in (("consequence", True), ("alternative", False)):
            branch = node.child_by_field_name(name)
            if branch is not None:
                self.tests = (*outside, Test(text, taken))
                self.statement(branch)
        self.tests = outside
        if node.child_by_field_name("alternative") is None and leaves(node):
            self.guards = (*self.guards, (node.start_byte, text))

    def _switch(self, node: Node) -> None:
        condition = node.child_by_field_name("condition")
        text = "" if condition is None else _short(condition, self.source)[1:-1].strip()
        if condition is not None:
            self.value(condition)
        outside = self.tests
        body = node.child_by_field_name("body")
        for each in body.named_children if body is not None else ():
            if each.type == "case_statement":
                value = each.child_by_field_name("value")
                case = "default" if value is None else _short(value, self.source)
                self.tests = (*outside, Test(f"{text} == {case}", True))
            for inner in each.named_children if each.type == "case_statement" else (each,):
                self.statement(inner)
        self.tests = outside

    def _declaration(self, node: Node) -> None:
        kind = node.child_by_field_name("type")
        for each in node.children_by_field_name("declarator"):
            name = _declared(each, self.source)
            if name is None:
                continue
            self.types[name] = _kind(kind, each, self.source)
            if self.types[name] not in ("", "int") and _is_plain(each):
                self.objects.add(name)
            value = each.child_by_field_name("value") if each.type == "init_declarator" else None
            if value is not None:
                self._assign(name, True, value, node)

    # ---- expressions

    def value(self, node: Node) -> Value:
        """What an expression may denote; its calls and assignments are noted on the way."""
        match node.type:
            case "identifier":
                name = _text(node, self.source)
                return () if name.isupper() else (name,)
            case "field_expression":
                argument, member = (
                    node.child_by_field_name("argument"),
                    node.child_by_field_name("field"),
                )
                if argument is None or member is None:
                    return ()
                name = _text(member, self.source)
                self.members.add(name)
                return tuple(f"{each}.{name}" for each in self._typed(argument))
            case "subscript_expression":
                argument, index = (
                    node.child_by_field_name("argument"),
                    node.child_by_field_name("index"),
                )
                at = () if index is None else self.value(index)
                found = () if argument is None else self.value(argument)
                return found or at  # 0[pages] is pages[0]
            case "pointer_expression" | "update_expression":
                argument = node.child_by_field_name("argument")
                return () if argument is None else self.value(argument)
            case "parenthesized_expression":
                values = [self.value(each) for each in node.named_children]
                return values[-1] if values else ()
            case "cast_expression":
                inner = node.child_by_field_name("value")
                return () if inner is None else self.value(inner)
            case "comma_expression":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None:
                    self.value(left)
                return () if right is None else self.value(right)
            case "conditional_expression":
                parts = [self.value(each) for each in node.named_children]
                return tuple(dict.fromkeys(each for part in parts[1:] for each in part))
            case "binary_expression":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                operator = node.child_by_field_name("operator")
                found = () if left is None else self.value(left)
                other = () if right is None else self.value(right)
                kind = "" if operator is None else operator.type
                if kind == "+" and all(self.types.get(each) == "int" for each in found):
                    return other  # 1 + pages is pages + 1
                return found if kind == "+" or kind in _KEEPS else ()
            case "assignment_expression":
                return self._assignment(node)
            case "call_expression":
                return self._call(node)
            case "initializer_list":
                return self._initializer(node, "")
            case "compound_literal_expression":
                inner = node.child_by_field_name("value")
                return () if inner is None else self.value(inner)
            case kind if kind in _LEAVES:
                return ()
            case kind if _is_statement(kind) or kind == "declaration":
                self.statement(node)
                return ()
            case "unary_expression":
                argument = node.child_by_field_name("argument")
                if argument is not None:
                    self.value(argument)
                return ()
            case _:
                for each in node.named_children:
                    self.value(each)
                return ()

    def _typed(self, node: Node) -> Value:
        """What an expression denotes, of which a member is asked: a local of the structure that a
        cast says, or a macro that goes from a member to what has it."""
        value = self.value(node)
        while node.type == "parenthesized_expression" and node.named_children:
            node = node.named_children[-1]
        of: Node | None = None
        if node.type == "cast_expression":
            of = node.child_by_field_name("type")
        elif node.type == "call_expression":
            name = node.child_by_field_name("function")
            if name is not None and _text(name, self.source) in _ENTRY:
                of = node.child_by_field_name("arguments")
        tag = None if of is None else _TAG.search(_text(of, self.source))
        if tag is None:
            return value
        local = f"({tag[1]})"
        self.types[local] = tag[1]
        at = (node.start_point[0] + 1, node.start_byte, self.tests)
        self.flows.append(Flow(value, local, True, "", *at))
        return (local,)

    def _initializer(self, node: Node, to: str) -> Value:
        """Members that an initialiser sets, if it is known of what."""
        for each in node.named_children:
            if each.type != "initializer_pair":
                self.value(each)
                continue
            value = each.child_by_field_name("value")
            designator = each.child_by_field_name("designator")
            if value is None or designator is None:
                continue
            member = _text(designator, self.source).lstrip(".").strip()
            if to and member.isidentifier():
                self.members.add(member)
                self._assign(f"{to}.{member}", True, value, each)
            else:
                self.value(value)
        return ()

    def _assignment(self, node: Node) -> Value:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None:
            return ()
        places = self.value(left)
        if operator is not None and operator.type in ("=", "|=", "&="):
            for place in places[:1]:
                self._assign(place, _is_whole(left), right, node)
        else:
            self.value(right)
        return places

    def _assign(self, to: str, whole: bool, right: Node, at: Node) -> None:
        if right.type == "initializer_list":
            self._initializer(right, to)
            return
        value = self.value(right)
        text = _short(right, self.source)
        flow = Flow(
            value,
            to,
            whole and _is_whole(right),
            text,
            at.start_point[0] + 1,
            at.start_byte,
            self.tests,
        )
        self.flows.append(flow)

    def _call(self, node: Node) -> Value:
        function, listed = (
            node.child_by_field_name("function"),
            node.child_by_field_name("arguments"),
        )
        if function is None or listed is None:
            return ()
        while function.type in ("parenthesized_expression", "pointer_expression"):
            inner = next(iter(function.named_children), None)
            if inner is None:
                return ()
            function = inner
        through = function.type == "field_expression"
        member = function.child_by_field_name("field") if through else function
        if through or function.type != "identifier":
            self.value(function)
        name = "" if member is None else _text(member, self.source)
        nodes = [each for each in listed.named_children if each.type != "comment"]
        args = tuple(self.value(each) for each in nodes)
        if name == "va_arg":
            return ()  # of whoever called
        number = len(self.calls)
        self.calls.append(
            Call(
                name,
                through,
                args,
                tuple(_short(each, self.source) for each in nodes),
                node.start_point[0] + 1,
                (function if member is None else member).start_byte,
                self.tests,
                self.guards,
            )
        )
        seen = SEE_THROUGH.get(name)
        if seen is not None and seen < len(args):
            return args[seen]
        return (f"#{number}",)


_KEEPS: Final = frozenset({"-", "&", "<<", ">>", "|", "^", "*", "/"})
"""Operators that make of an address, or of a frame's number, another word for it."""

_TAG: Final = re.compile(r"\bstruct\s+(\w+)")

_ENTRY: Final = frozenset(
    {
        *("container_of", "container_of_const", "list_entry", "list_first_entry"),
        *("list_last_entry", "list_first_entry_or_null", "list_next_entry", "rb_entry"),
        *("hlist_entry", "llist_entry"),
    }
)
"""Macros whose second argument is the structure that the first one is in."""


def leaves(statement: Node) -> bool:
    """Whether what an `if` guards is a jump, or ends in one."""
    branch = statement.child_by_field_name("consequence")
    while branch is not None and branch.type == "compound_statement":
        inner = [each for each in branch.named_children if each.type != "comment"]
        branch = inner[-1] if inner else None
    return branch is not None and branch.type in JUMPS


def _is_statement(kind: str) -> bool:
    return kind.endswith("_statement") or kind in ("else_clause", "ERROR")


_WITHIN: Final = {"field_expression": "argument", "cast_expression": "value"}


def _is_whole(node: Node) -> bool:
    """Whether an expression names a place, or points into it, and is not an element of it."""
    points = False
    while node.type != "identifier":
        inner: Node | None
        match node.type:
            case "field_expression" | "cast_expression":
                inner = node.child_by_field_name(_WITHIN[node.type])
            case "parenthesized_expression":
                inner = next(iter(node.named_children), None)
            case "binary_expression":
                inner = node.child_by_field_name("left")
            case "pointer_expression":
                points = node.children[0].type == "&"
                inner = node.child_by_field_name("argument") if points else None
            case "subscript_expression" if points:
                inner = node.child_by_field_name("argument")
            case _:
                return False
        if inner is None:
            return False
        node = inner
    return True

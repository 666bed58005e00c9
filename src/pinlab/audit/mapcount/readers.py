"""A file of C -> its readers of a mapcount: the expression, and what surrounds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tree_sitter import Node

from pinlab.audit.facts import Test
from pinlab.audit.mapcount.names import (
    ACCESSORS,
    INTEREST,
    MEMBERS,
    TRANSITIONS,
    WRITERS,
    Tells,
)
from pinlab.audit.syntax import JUMPS, definitions, name_of, parse

_SPACE: Final = re.compile(r"\s+")
_LONG: Final = 200
_WITHIN: Final = frozenset(
    {
        *("binary_expression", "parenthesized_expression", "unary_expression", "cast_expression"),
        *("conditional_expression", "comma_expression"),
    }
)
_PLAIN_CALLS: Final = frozenset({"likely", "unlikely", "min", "max", "min_t", "max_t", "READ_ONCE"})


class Raw(NamedTuple):
    """A reader as it stands in the source; what it means is judged later."""

    file: str
    function: str
    line: int
    accessor: str
    tells: Tells
    expression: str
    """The whole expression that the number is part of."""
    role: str
    """if, while, return, argument, assigned, statement."""
    of: str
    """The function whose argument it is, or the variable it is assigned to."""
    negated: bool
    """The smallest condition that it is part of has a `!` before it."""
    jumps: bool
    """Of an `if`: what follows leaves (return, goto, continue, break)."""
    uses: tuple[str, ...]
    """Of a variable: every comparison that it is part of."""
    around: tuple[Test, ...]
    """Conditions that hold here: around the statement, and those that left before it."""
    before: tuple[str, ...]
    """Functions called earlier in the function."""
    after: tuple[str, ...]
    """Functions called later in it."""
    transition: bool
    """It changes the number and decides by what came out."""


def readers(path: str, source: bytes) -> list[Raw]:
    """Every reader of a file, in the order of the text."""
    found: list[Raw] = []
    for node in definitions(parse(source)):
        name = name_of(node, source)
        if name is None or name in ACCESSORS:
            continue
        if INTEREST.search(source, node.start_byte, node.end_byte):
            found += _Function(path, name, node, source).readers()
    return found


class _Function:
    def __init__(self, path: str, name: str, node: Node, source: bytes) -> None:
        self.path = path
        self.name = name
        self.node = node
        self.source = source
        self.calls: list[tuple[int, str, Node]] = []
        self.members: list[Node] = []
        self._collect()

    def _collect(self) -> None:
        stack = [self.node]
        while stack:
            node = stack.pop()
            if node.type == "call_expression":
                function = node.child_by_field_name("function")
                if function is not None and function.type == "identifier":
                    self.calls.append((node.start_byte, self.text(function), node))
            elif node.type == "field_expression":
                member = node.child_by_field_name("field")
                if member is not None and self.text(member) in MEMBERS:
                    self.members.append(node)
            stack.extend(node.named_children)
        self.calls.sort(key=lambda each: each[0])

    def text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def short(self, node: Node) -> str:
        return _SPACE.sub(" ", self.text(node))[:_LONG]

    def readers(self) -> Iterator[Raw]:
        found: dict[int, tuple[Node, str, Tells, bool]] = {}
        for _, name, node in self.calls:
            if name in ACCESSORS:
                found[node.start_byte] = node, name, ACCESSORS[name], False
        for node in self.members:
            access = self._access(node)
            if access is not None:
                outer, changes = access
                member = self.text(node.child_by_field_name("field") or node)
                found.setdefault(outer.start_byte, (outer, member, Tells.count, changes))
        for at in sorted(found):
            yield self._reader(*found[at])

    def _access(self, node: Node) -> tuple[Node, bool] | None:
        """The read of a member, and whether it changes it; None if it only writes."""
        outer = node
        while outer.parent is not None and outer.parent.type in (
            *("pointer_expression", "parenthesized_expression", "field_expression"),
            *("subscript_expression", "argument_list", "cast_expression"),
        ):
            outer = outer.parent
        call = outer.parent
        if call is not None and call.type == "call_expression":
            function = call.child_by_field_name("function")
            name = "" if function is None else self.text(function)
            if TRANSITIONS.match(name):
                if call.parent is not None and call.parent.type == "expression_statement":
                    return None
                return call, True
            return None if WRITERS.match(name) or "init" in name else (call, False)
        if outer.type == "pointer_expression":
            return None  # the place itself, which somebody else reads or writes
        parent = outer.parent
        if parent is not None and parent.type in ("assignment_expression", "update_expression"):
            left = parent.child_by_field_name("left")
            if left is None or left.start_byte == outer.start_byte:
                return None
        return outer, False

    def _reader(self, node: Node, accessor: str, tells: Tells, changes: bool) -> Raw:
        whole, negated = self._whole(node)
        role, of, jumps = self._role(whole)
        uses = tuple(self._uses(of, node)) if role == "assigned" else ()
        around = tuple(self._around(whole))
        return Raw(
            self.path,
            self.name,
            node.start_point[0] + 1,
            accessor,
            tells,
            self.short(whole),
            role,
            of,
            negated,
            jumps,
            uses,
            around,
            tuple(name for at, name, _ in self.calls if at < node.start_byte),
            tuple(name for at, name, _ in self.calls if at > node.start_byte),
            changes,
        )

    def _whole(self, node: Node) -> tuple[Node, bool]:
        """The whole expression, and whether the part of a condition has a `!`."""
        negated = False
        deciding = True
        while (parent := node.parent) is not None:
            if parent.type == "argument_list" and parent.parent is not None:
                function = parent.parent.child_by_field_name("function")
                if function is None or self.text(function) not in _PLAIN_CALLS:
                    break
                node = parent.parent
                continue
            if parent.type not in _WITHIN:
                break
            if parent.type == "unary_expression" and deciding:
                operator = parent.child_by_field_name("operator")
                negated ^= operator is not None and operator.type == "!"
            if parent.type == "binary_expression":
                operator = parent.child_by_field_name("operator")
                deciding &= operator is None or operator.type not in ("&&", "||")
            node = parent
        return node, negated

    def _role(self, whole: Node) -> tuple[str, str, bool]:
        parent = whole.parent
        if parent is None:
            return "statement", "", False
        match parent.type:
            case "if_statement":
                return "if", "", self._leaves(parent)
            case "while_statement" | "do_statement" | "for_statement":
                return "while", "", False
            case "return_statement":
                return "return", "", False
            case "argument_list":
                call = parent.parent
                function = None if call is None else call.child_by_field_name("function")
                return "argument", "" if function is None else self.short(function), False
            case "assignment_expression" | "init_declarator":
                left = parent.child_by_field_name(
                    "left" if parent.type == "assignment_expression" else "declarator"
                )
                return "assigned", "" if left is None else self.short(left).lstrip("* "), False
            case "initializer_pair":
                return "assigned", self.short(parent).split("=")[0].strip(), False
            case _:
                return "statement", "", False

    def _leaves(self, statement: Node) -> bool:
        """Whether what an `if` guards is or ends in a jump."""
        branch = statement.child_by_field_name("consequence")
        while branch is not None and branch.type in ("compound_statement", "else_clause"):
            inner = [each for each in branch.named_children if each.type != "comment"]
            branch = inner[-1] if inner else None
        if branch is None or branch.type != "if_statement":
            return branch is not None and branch.type in JUMPS
        other = branch.child_by_field_name("alternative")
        return other is not None and self._leaves(branch) and self._ends(other)

    def _ends(self, branch: Node | None) -> bool:
        while branch is not None and branch.type in ("compound_statement", "else_clause"):
            inner = [each for each in branch.named_children if each.type != "comment"]
            branch = inner[-1] if inner else None
        return branch is not None and branch.type in JUMPS

    def _uses(self, variable: str, after: Node) -> Iterator[str]:
        """Every expression of a condition or a call that a local variable is part of."""
        if not variable.isidentifier():
            return
        stack = [self.node]
        spots = []
        while stack:
            node = stack.pop()
            later = node.type == "identifier" and node.start_byte > after.end_byte
            if later and self.text(node) == variable:
                spots.append(node)
            stack.extend(node.named_children)
        for node in sorted(spots, key=lambda each: each.start_byte):
            whole, _ = self._whole(node)
            role, of, _ = self._role(whole)
            text = self.short(whole)
            if role == "argument":
                text = f"{of}({text})"
            elif role == "assigned":
                text = f"{of} = {text}"
            yield f"{role}: {text}"

    def _around(self, node: Node) -> Iterator[Test]:
        """Conditions that hold at a node."""
        here: Node | None = node
        while here is not None and here.start_byte != self.node.start_byte:
            parent = here.parent
            if parent is None:
                return
            if parent.type == "if_statement":
                condition = parent.child_by_field_name("condition")
                inside = condition is not None and condition.start_byte != here.start_byte
                if condition is not None and inside:
                    text = self.short(condition)[1:-1]
                    yield Test(text, here.type != "else_clause")
            elif parent.type in ("compound_statement", "case_statement"):
                for each in parent.named_children:
                    if each.start_byte >= here.start_byte:
                        break
                    if each.type == "if_statement" and self._leaves(each):
                        condition = each.child_by_field_name("condition")
                        if condition is not None:
                            yield Test(self.short(condition)[1:-1], False)
            here = parent

"""LLVM assembly, line by line: registers, labels, failures, fields of a packed state.

Values are operands as LLVM writes them: a register ("%r7") or a decimal constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, lshift, mul, sub, xor

from pinlab.lab.explore.packing import Field
from pinlab.lab.explore.ranges import Interval

DISABLED = -1
BROKEN = -2
"""The program broke a promise of the language (a table index, a division by zero)."""
FAILED = -3

ACTOR, CPU, CHOICE, WATCHED, VIOLATED, EVENTS, CONTEXT = range(7)
"""Positions in a context, and their number."""

FOLD = {"add": add, "sub": sub, "mul": mul, "shl": lshift, "xor": xor}


class Writer:
    """The text of one function."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.globals: list[str] = []
        self.registers = 0
        self.labels = 0
        self.block = "start"
        self.failures: set[int] = set()

    def text(self, parameters: str) -> str:
        for code in sorted(self.failures):
            self.lines.append(f"x{-code}:\nret i64 {code}")
        body = "\n".join(self.lines)
        head = f"define i64 @{self.name}({parameters}) nounwind {{\nstart:\n"
        return "".join(self.globals) + head + body + "\n}\n"

    def add(self, line: str) -> None:
        self.lines.append(line)

    def let(self, line: str) -> str:
        self.registers += 1
        self.lines.append(f"%r{self.registers} = {line}")
        return f"%r{self.registers}"

    def label(self) -> str:
        self.labels += 1
        return f"b{self.labels}"

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def require(self, ok: str, code: int) -> None:
        """Leave with `code` unless `ok`."""
        if ok in ("1", "true"):
            return
        self.failures.add(code)
        label = self.label()
        self.add(f"br i1 {ok}, label %{label}, label %x{-code}")
        self.start(label)

    def context(self, position: int) -> str:
        return self.let(f"getelementptr i64, ptr %c, i64 {position}")

    def turn_on(self, position: int, bits: str) -> None:
        where = self.context(position)
        old = self.let(f"load i64, ptr {where}")
        self.add(f"store i64 {self.let(f'or i64 {old}, {bits}')}, ptr {where}")

    def locate(self, base: str, field: Field, index: str) -> tuple[str, str]:
        """(pointer to the word, shift) of element `index`, which exists."""
        if not index.startswith("%"):
            word, bits = field.at(int(index))
            return self.let(f"getelementptr i64, ptr {base}, i64 {word}"), str(bits)
        word_, element = str(field.word), index
        if field.per_word < field.length:
            word_ = self.let(f"udiv i64 {index}, {field.per_word}")
            word_ = self.arithmetic("add", word_, str(field.word))
            element = self.let(f"urem i64 {index}, {field.per_word}")
        shift = self.arithmetic("mul", element, str(field.width))
        shift = self.arithmetic("add", shift, str(field.shift))
        return self.let(f"getelementptr i64, ptr {base}, i64 {word_}"), shift

    def load(self, base: str, field: Field, index: str) -> str:
        if field.width == 0:
            return str(field.lo)
        where, shift = self.locate(base, field, index)
        word = self.let(f"load i64, ptr {where}")
        shifted = self.arithmetic("lshr", word, shift)
        return self.arithmetic("add", self.let(f"and i64 {shifted}, {field.mask}"), str(field.lo))

    def store(self, base: str, field: Field, index: str, value: str) -> None:
        if field.width == 0:
            return
        where, shift = self.locate(base, field, index)
        hole = self.arithmetic("shl", str(field.mask), shift)
        bits = self.arithmetic("shl", self.arithmetic("sub", value, str(field.lo)), shift)
        old = self.let(f"load i64, ptr {where}")
        cleared = self.let(f"and i64 {old}, {self.arithmetic('xor', hole, '-1')}")
        self.add(f"store i64 {self.let(f'or i64 {cleared}, {bits}')}, ptr {where}")

    def element(self, table: Sequence[int], index: str, bounds: Interval) -> str:
        """table[index], where the language promises that it exists."""
        if not 0 <= bounds[0] <= bounds[1] < len(table):
            self.require(self.let(f"icmp ult i64 {index}, {len(table)}"), BROKEN)
        name = f"@{self.name}.t{len(self.globals)}"
        values = ", ".join(f"i64 {value}" for value in table)
        self.globals.append(f"{name} = private constant [{len(table)} x i64] [{values}]\n")
        where = self.let(f"getelementptr i64, ptr {name}, i64 {index}")
        return self.let(f"load i64, ptr {where}")

    def arithmetic(self, op: str, left: str, right: str) -> str:
        """`left op right` without an instruction where it is a constant or changes nothing."""
        if right == "0" and op not in ("mul", "and"):
            return left
        if op in FOLD and not left.startswith("%") and not right.startswith("%"):
            result = FOLD[op](int(left), int(right))
            return str((result + (1 << 63)) % (1 << 64) - (1 << 63))
        return self.let(f"{op} i64 {left}, {right}")

"""Kernel structures from C declarations: to BTF, laid out as a compiler would on x86-64.

Understood: pointers, arrays, bitfields, structures by name, anonymous unions and structures,
enums with every value given, and the integers in SIZES. Nothing is read of the running machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pinlab.field.layout.btf import Btf
from tests.field.btf_builder import BtfBuilder

SIZES = {
    "char": 1,
    "bool": 1,
    "u8": 1,
    "u16": 2,
    "short": 2,
    "int": 4,
    "u32": 4,
    "long": 8,
    "u64": 8,
}
TOKEN = re.compile(r"\w+|[{}\[\]:;*=,]")


@dataclass
class Laid:
    """A type: its number in BTF, bytes, alignment."""

    number: int
    size: int
    align: int


@dataclass
class Compiler:
    """Turns declarations into types, in their order."""

    build: BtfBuilder = field(default_factory=BtfBuilder)
    known: dict[str, Laid] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    late: dict[int, str] = field(default_factory=dict)

    def compile(self, text: str) -> Btf:
        for name, size in SIZES.items():
            self.known[name] = Laid(self.build.integer(name, size), size, size)
        self.tokens = TOKEN.findall(re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL))
        while self.tokens:
            if self.tokens[0] == "enum":
                self._enum()
                continue
            self._take("struct")
            name = self.tokens.pop(0)
            self.known[name] = self._body(name, union=False)
            self._take(";")
        # Pointers may point to what is declared later, or nowhere.
        for number, name in self.late.items():
            target = self.known[name].number if name in self.known else self._forward(name)
            head = self.build.types[number - 1]
            self.build.types[number - 1] = head[:8] + target.to_bytes(4, "little")
        return Btf(self.build.bytes())

    def _enum(self) -> None:
        self._take("enum")
        name, values = self.tokens.pop(0), {}
        self._take("{")
        while self.tokens[0] != "}":
            key = self.tokens.pop(0)
            self._take("=")
            values[key] = int(self.tokens.pop(0))
            if self.tokens[0] == ",":
                self._take(",")
        self._take("}")
        self._take(";")
        self.build.enum(name, values)

    def _forward(self, name: str) -> int:
        if name == "void":
            return 0
        return self.build.add(7, name, 0, 0)

    def _take(self, token: str) -> None:
        assert self.tokens[0] == token, f"{token} expected: {self.tokens[:8]}"
        self.tokens.pop(0)

    def _body(self, name: str, *, union: bool) -> Laid:
        self._take("{")
        fields: list[tuple[str, int, int, int]] = []
        at, size, align = 0, 0, 1  # `at` in bits
        while self.tokens[0] != "}":
            member, laid, width = self._member()
            unit = 8 * (1 if width else laid.align)
            at = 0 if union else -(-at // unit) * unit if not width else at
            fields.append((member, laid.number, at, width))
            at += width or 8 * laid.size
            size, align = max(size, -(-at // 8)), max(align, laid.align)
        self._take("}")
        size = -(-size // align) * align
        if union:
            assert not any(width for *_, width in fields)
            plain = [(member, number, start // 8) for member, number, start, _ in fields]
            return Laid(self.build.struct(name, size, plain, union=True), size, align)
        return Laid(self.build.bitfields(name, size, fields), size, align)

    def _member(self) -> tuple[str, Laid, int]:
        word = self.tokens.pop(0)
        while word == "unsigned":
            word = self.tokens.pop(0)
        if word in ("struct", "union") and self.tokens[0] == "{":
            laid, name = self._body("", union=word == "union"), ""
            if self.tokens[0] != ";":
                name = self.tokens.pop(0)
            self._take(";")
            return name, laid, 0
        if word == "struct":
            word = self.tokens.pop(0)
        pointers = 0
        while self.tokens[0] == "*":
            self.tokens.pop(0)
            pointers += 1
        laid = self._pointer(word, pointers) if pointers else self.known[word]
        name, width = self.tokens.pop(0), 0
        if self.tokens[0] == "[":
            self._take("[")
            count = int(self.tokens.pop(0))
            self._take("]")
            laid = Laid(self.build.array(laid.number, count), laid.size * count, laid.align)
        elif self.tokens[0] == ":":
            self._take(":")
            width = int(self.tokens.pop(0))
        self._take(";")
        return name, laid, width

    def _pointer(self, to: str, depth: int) -> Laid:
        number = self.build.pointer(0)
        self.late[number] = to
        for _ in range(depth - 1):
            number = self.build.pointer(number)
        return Laid(number, 8, 8)


def btf_of(text: str) -> Btf:
    """The BTF of some declarations."""
    return Compiler().compile(text)

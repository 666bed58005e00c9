"""A structure of the kernel in its memory, with its fields by name.

`view["buf_table.nr"]` is a number, `view.follow("nodes")` the structure behind a pointer,
`view.inside("iq")` a structure inside this one. Where a field lies is asked of BTF once per
kernel and field. Small structures are read whole, so that their fields are of one moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from pinlab.field.errors import FaultError, LayoutError
from pinlab.field.layout.btf import Btf
from pinlab.field.memory.reader import PAGE_SIZE, Reader
from pinlab.names import decoded

WHOLE = 512
"""Bytes up to which a structure is read whole; a task_struct has 10 KiB."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lies and what it is."""

    byte: int
    size: int
    shift: int
    """Bits below a bitfield in its bytes; else 0."""
    mask: int
    """Of a bitfield; 0: all bytes."""
    type: str
    """As C spells it."""


class Structs:
    """The structures of one kernel, with what was asked about them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.btf: Btf = reader.btf
        self._places: dict[tuple[str, str], Place] = {}
        self._sizes: dict[str, int] = {}

    def at(self, type_name: str, address: int) -> View:
        """The structure at an address. Nothing is read yet."""
        return View(self, type_name, address)

    def size(self, type_name: str) -> int:
        """Bytes of a type. Raises LayoutError."""
        if type_name not in self._sizes:
            self._sizes[type_name] = self.btf.size(type_name)
        return self._sizes[type_name]

    def place(self, type_name: str, path: str) -> Place:
        """Where a field lies. Raises LayoutError."""
        found = self._places.get((type_name, path))
        if found is None:
            member = self.btf.member(type_name, path)
            byte, shift = divmod(member.bit_offset, 8)
            size = -(-(shift + member.bits) // 8) if member.bitfield else member.size
            mask = (1 << member.bits) - 1 if member.bitfield else 0
            spelled = self.btf.describe(member.type_id)
            found = self._places[type_name, path] = Place(byte, size, shift, mask, spelled)
        return found

    def has(self, type_name: str, path: str = "") -> bool:
        """Whether this kernel has a type, and a field in it."""
        return self.btf.has(type_name, path)

    def text(self, address: int, most: int = 256) -> str:
        """The text at an address, up to a zero byte. Raises FaultError."""
        # Not beyond the page: the next one may not be mapped.
        room = min(most, PAGE_SIZE - address % PAGE_SIZE)
        data = self.reader.read(address, room)
        if b"\0" not in data and room < most:
            data += self.reader.read(address + room, most - room)
        return decoded(data)

    def entry(self, address: int, type_name: str, path: str) -> View:
        """The structure that has the field `path` at an address (container_of)."""
        return self.at(type_name, address - self.place(type_name, path).byte)


class View:
    """One structure at one address."""

    __slots__ = ("_data", "address", "structs", "type")

    def __init__(self, structs: Structs, type_name: str, address: int) -> None:
        self.structs = structs
        self.type = type_name
        self.address = address
        self._data: bytes | None = None

    def __repr__(self) -> str:
        return f"<struct {self.type}>"

    def has(self, path: str) -> bool:
        """Whether this kernel's structure has such a field."""
        return self.structs.has(self.type, path)

    def bytes(self, path: str) -> bytes:
        """The bytes of a field. Raises LayoutError, FaultError."""
        place = self.structs.place(self.type, path)
        if self._data is None and self.structs.size(self.type) <= WHOLE:
            self._data = self.structs.reader.read(self.address, self.structs.size(self.type))
        if self._data is not None:
            return self._data[place.byte : place.byte + place.size]
        return self.structs.reader.read(self.address + place.byte, place.size)

    def __getitem__(self, path: str) -> int:
        """An unsigned number, a pointer, a bitfield. Raises LayoutError, FaultError."""
        place = self.structs.place(self.type, path)
        if place.size > 8:
            raise LayoutError(f"{path} of struct {self.type} is not a number in this kernel")
        value = int.from_bytes(self.bytes(path), "little")
        return value >> place.shift & place.mask if place.mask else value

    def text(self, path: str) -> str:
        """A char array up to its zero."""
        return decoded(self.bytes(path))

    def where(self, path: str) -> int:
        """The address of a field."""
        return self.address + self.structs.place(self.type, path).byte

    def inside(self, path: str, type_name: str = "") -> View:
        """A structure inside this one; its type as BTF has it unless said."""
        name = type_name or _bare(self.structs.place(self.type, path).type)
        return self.structs.at(name, self.where(path))

    def follow(self, path: str, type_name: str = "") -> View | None:
        """The structure that a pointer points to; None if it is NULL."""
        address = self[path]
        if not address:
            return None
        return self.structs.at(type_name or self.target(path), address)

    def behind(self, path: str) -> View:
        """The structure behind a pointer that is never NULL. Raises FaultError if it is: then the
        structure is gone."""
        found = self.follow(path)
        if found is None:
            raise FaultError(0, self.structs.size(self.target(path)))
        return found

    def text_at(self, path: str, most: int = 256) -> str:
        """The text that a pointer points to, up to a zero byte. Raises FaultError."""
        return self.structs.text(self[path], most)

    def target(self, path: str) -> str:
        """The name of the structure that a pointer points to. Raises LayoutError."""
        spelled = self.structs.place(self.type, path).type
        if not spelled.endswith("*"):
            raise LayoutError(f"{path} of struct {self.type} is not a pointer in this kernel")
        return _bare(spelled[:-1])


def _bare(spelled: str) -> str:
    words = [word for word in spelled.split() if word not in ("struct", "union", "const")]
    return " ".join(words)

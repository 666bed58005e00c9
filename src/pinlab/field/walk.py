"""Following pointers through a kernel's structures, by the names of its fields."""

from __future__ import annotations

from collections.abc import Iterator

from pinlab.field.readers.reader import Reader

LONGEST_TEXT = 256


class Walk:
    """Reads fields of structures; every call may raise FaultError, or LayoutError once."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._places: dict[tuple[str, str], tuple[int, int]] = {}

    def place(self, type_name: str, path: str) -> tuple[int, int]:
        """Bytes from the start of the structure to a field, and its size."""
        key = type_name, path
        if key not in self._places:
            member = self.reader.btf.member(type_name, path)
            self._places[key] = member.offset, member.size
        return self._places[key]

    def field(self, address: int, type_name: str, path: str) -> int:
        """The field as a whole number without sign: a pointer, a count, a device number."""
        offset, size = self.place(type_name, path)
        return int.from_bytes(self.reader.read(address + offset, size), "little")

    def text(self, address: int, length: int = LONGEST_TEXT) -> str:
        """The text at an address, up to a zero byte."""
        # Not beyond the page: the next one may not be mapped.
        room = min(length, 4096 - address % 4096)
        data = self.reader.read(address, room)
        if b"\0" not in data and room < length:
            data += self.reader.read(address + room, length - room)
        return data.split(b"\0", 1)[0].decode("utf-8", "replace")

    def field_text(self, address: int, type_name: str, path: str) -> str:
        """A field that is an array of characters."""
        offset, size = self.place(type_name, path)
        return self.text(address + offset, size)

    def rbtree(self, root: int, most: int) -> Iterator[int]:
        """The addresses of the `struct rb_node` below a node, at most so many, parents first."""
        todo = [root] if root else []
        while todo and most > 0:
            most -= 1
            node = todo.pop()
            yield node
            for side in ("rb_right", "rb_left"):
                child = self.field(node, "rb_node", side)
                if child:
                    todo.append(child)

    def tasks(self, most: int = 1 << 20) -> Iterator[int]:
        """The `struct task_struct` of each process, in the order of their list."""
        offset, _ = self.place("task_struct", "tasks")
        first = here = self.reader.task()
        for _ in range(most):
            yield here
            here = self.field(here, "task_struct", "tasks.next") - offset
            if here == first:
                return

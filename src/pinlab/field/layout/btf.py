"""BTF, the kernel's own description of its types, read without a library.

BTF (Documentation/bpf/btf.rst) is a list of type records of different lengths and a pool of
names. Only the places of the records are found when it is parsed, in one pass over the words
(40 ms for a vmlinux of 5 MiB); a record is decoded when it is asked for. A cache on disk was
refused: it would be slower to check than this is to do again.

Only little endian is read, as every kernel with a census here is; another is refused.
"""

from __future__ import annotations

import functools
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import LayoutError

VMLINUX = Path("/sys/kernel/btf/vmlinux")

(
    _VOID,
    _INT,
    _PTR,
    _ARRAY,
    _STRUCT,
    _UNION,
    _ENUM,
    _FWD,
    _TYPEDEF,
    _VOLATILE,
    _CONST,
    _RESTRICT,
    _FUNC,
    _FUNC_PROTO,
    _VAR,
    _DATASEC,
    _FLOAT,
    _DECL_TAG,
    _TYPE_TAG,
    _ENUM64,
) = range(20)

# Words after the three common ones: fixed, and per member.
_FIXED = {_INT: 1, _ARRAY: 3, _VAR: 1, _DECL_TAG: 1}
_EACH = {_STRUCT: 3, _UNION: 3, _ENUM: 2, _FUNC_PROTO: 2, _DATASEC: 3, _ENUM64: 3}

_TRANSPARENT = frozenset({_TYPEDEF, _VOLATILE, _CONST, _RESTRICT, _TYPE_TAG})
_COMPOSITE = (_STRUCT, _UNION)
_PREFIX = {_STRUCT: "struct ", _UNION: "union ", _ENUM: "enum ", _ENUM64: "enum "}
_QUALIFIER = {_VOLATILE: "volatile ", _CONST: "const ", _RESTRICT: "", _TYPE_TAG: ""}

_DEEPEST = 64
_POINTER = 8


class BtfError(LayoutError):
    """Not BTF, or cut short, or corrupt."""


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a structure, reached through anonymous members."""

    bit_offset: int
    """Bits from the start of the structure that was asked."""
    bits: int
    """Its width in bits; of an array, that of all elements."""
    type_id: int
    bitfield: bool

    @property
    def offset(self) -> int:
        """Bytes from the start of the structure. Raises LayoutError inside a bitfield."""
        if self.bit_offset % 8:
            raise LayoutError("a field that should be whole bytes is a bitfield in this kernel")
        return self.bit_offset // 8

    @property
    def size(self) -> int:
        """Bytes."""
        return self.bits // 8


class Btf:
    """The types of one kernel."""

    def __init__(self, data: bytes) -> None:
        """Parse `data`. Raises BtfError."""
        types, self._strings = _sections(data)
        # The kernel's records are words, so the file is; a cut one may not be.
        words = array("I")
        words.frombytes(types[: len(types) // 4 * 4])
        self._words = words
        self._at = _places(words)
        all_words = np.frombuffer(words, dtype=np.uint32)
        at = np.asarray(self._at[1:], dtype=np.int64)
        self._names: NDArray[np.uint32] = np.concatenate(
            (np.zeros(1, np.uint32), all_words[at] if len(at) else np.zeros(0, np.uint32))
        )
        kinds = (all_words[at + 1] >> 24) & 31 if len(at) else np.zeros(0, np.uint32)
        self._kinds: NDArray[np.uint32] = np.concatenate((np.zeros(1, np.uint32), kinds))

    @classmethod
    def of_file(cls, path: Path = VMLINUX) -> Btf:
        """The types in a raw BTF file; by default those of the running kernel.

        Raises LayoutError if there is none (a kernel without CONFIG_DEBUG_INFO_BTF).
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise LayoutError(
                f"there is no {path}: this kernel was built without CONFIG_DEBUG_INFO_BTF, "
                "so nobody can say where its fields lie"
            ) from None
        except OSError as error:
            raise LayoutError(f"{path} cannot be read: {error.strerror}") from error
        return cls(data)

    def __len__(self) -> int:
        return len(self._at)

    # -- structures ---------------------------------------------------------------------------

    def has(self, type_name: str, path: str = "") -> bool:
        """Whether there is such a structure, and such a field in it."""
        type_id = self._named(type_name)
        return type_id is not None and (not path or self._walk(type_id, path) is not None)

    def size(self, type_name: str) -> int:
        """Bytes of a structure, union, enum, integer or typedef. Raises LayoutError."""
        return self._size(self._required(type_name))

    def member(self, type_name: str, path: str) -> Member:
        """A field by path ("lru.next"), through anonymous members. Raises LayoutError."""
        found = self._walk(self._required(type_name), path)
        if found is None:
            raise LayoutError(f"this kernel's struct {type_name} has no field {path}")
        return found

    def offset(self, type_name: str, path: str) -> int:
        """Bytes from the start of the structure to a field. Raises LayoutError."""
        return self.member(type_name, path).offset

    def describe(self, type_id: int) -> str:
        """A type as C spells it, as far as one line goes: `struct page *`."""
        return self._describe(type_id, 0)

    # -- enums and functions ------------------------------------------------------------------

    @functools.cached_property
    def _enumerators(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for type_id in np.flatnonzero((self._kinds == _ENUM) | (self._kinds == _ENUM64)).tolist():
            for name, value in self._enum(type_id).items():
                found.setdefault(name, value)
        return found

    def enum(self, type_name: str) -> dict[str, int]:
        """The values of a named enum; empty if there is none."""
        for kind in (_ENUM, _ENUM64):
            type_id = self._find(type_name, kind)
            if type_id is not None:
                return self._enum(type_id)
        return {}

    def enumerator(self, name: str) -> int | None:
        """The value of an enum constant of any enum, named or not."""
        return self._enumerators.get(name)

    def parameters(self, name: str) -> tuple[str, ...] | None:
        """The parameter types of a function, or of a typedef of a pointer to one.

        A raw tracepoint T is the typedef btf_trace_T; its first parameter is `void *`.
        """
        type_id = self._find(name, _FUNC)
        if type_id is None:
            type_id = self._find(name, _TYPEDEF)
        for _ in range(_DEEPEST):
            if type_id is None:
                return None
            at, kind, count, _ = self._record(type_id)
            if kind == _FUNC_PROTO:
                types = self._words[at + 4 : at + 4 + 2 * count : 2]
                return tuple(self._describe(each, 0) for each in types)
            if kind not in (_FUNC, _PTR) and kind not in _TRANSPARENT:
                return None
            type_id = self._words[at + 2]
        return None

    def function(self, name: str) -> int | None:
        """The type number of a function, by which a BPF program is hung on it."""
        return self._find(name, _FUNC)

    # -- records ------------------------------------------------------------------------------

    def _record(self, type_id: int) -> tuple[int, int, int, bool]:
        """Where a record lies, its kind, its number of members, its flag."""
        if not 0 < type_id < len(self._at):
            raise BtfError("the BTF is corrupt: a type refers to one that is not there")
        at = self._at[type_id]
        info = self._words[at + 1]
        return at, info >> 24 & 31, info & 0xFFFF, bool(info >> 31)

    def _name(self, offset: int) -> str:
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise BtfError("the BTF is corrupt: a name lies outside its pool of names")
        return self._strings[offset:end].decode("ascii", "replace")

    def _find(self, name: str, kind: int) -> int | None:
        wanted = b"\0" + name.encode() + b"\0"
        start = 0
        while name and (place := self._strings.find(wanted, start)) >= 0:
            ids = np.flatnonzero((self._names == place + 1) & (self._kinds == kind))
            if len(ids):
                return int(ids[0])
            start = place + 1
        return None

    @functools.cache  # noqa: B019 - a Btf lives as long as the program needs it
    def _named(self, name: str) -> int | None:
        for kind in (_STRUCT, _UNION, _TYPEDEF, _ENUM, _ENUM64, _INT):
            found = self._find(name, kind)
            if found is not None:
                return found
        return None

    def _required(self, name: str) -> int:
        found = self._named(name)
        if found is None:
            raise LayoutError(f"this kernel has no type {name}")
        return found

    def _bare(self, type_id: int) -> int:
        """The type behind typedefs and qualifiers."""
        for _ in range(_DEEPEST):
            if type_id == _VOID:
                return _VOID
            at, kind, _, _ = self._record(type_id)
            if kind not in _TRANSPARENT:
                return type_id
            type_id = self._words[at + 2]
        raise BtfError("the BTF is corrupt: a type is defined by itself")

    def _size(self, type_id: int, depth: int = 0) -> int:
        if depth > _DEEPEST:
            raise BtfError("the BTF is corrupt: a type contains itself")
        bare = self._bare(type_id)
        if bare == _VOID:
            return 0
        at, kind, _, _ = self._record(bare)
        if kind == _PTR:
            return _POINTER
        if kind == _ARRAY:
            element, _, count = self._words[at + 3 : at + 6]
            return self._size(element, depth + 1) * count
        if kind in (_INT, _STRUCT, _UNION, _ENUM, _ENUM64, _FLOAT):
            return self._words[at + 2]
        return 0

    def _walk(self, type_id: int, path: str) -> Member | None:
        bits = 0
        found: Member | None = None
        for name in path.split("."):
            found = self._field(type_id, name, 0)
            if found is None:
                return None
            bits += found.bit_offset
            type_id = found.type_id
        assert found is not None
        return Member(bits, found.bits, found.type_id, found.bitfield)

    def _field(self, type_id: int, wanted: str, depth: int) -> Member | None:
        if depth > _DEEPEST:
            raise BtfError("the BTF is corrupt: a structure contains itself")
        bare = self._bare(type_id)
        if bare == _VOID:
            return None
        at, kind, count, flag = self._record(bare)
        if kind not in _COMPOSITE:
            return None
        words = self._words
        for place in range(at + 3, at + 3 + 3 * count, 3):
            name, member_type, where = words[place : place + 3]
            width = where >> 24 if flag else 0
            if flag:
                where &= 0xFFFFFF
            if name:
                if self._name(name) == wanted:
                    return Member(
                        where, width or 8 * self._size(member_type), member_type, bool(width)
                    )
                continue
            inner = self._field(member_type, wanted, depth + 1)
            if inner is not None:
                return Member(where + inner.bit_offset, inner.bits, inner.type_id, inner.bitfield)
        return None

    def _enum(self, type_id: int) -> dict[str, int]:
        at, kind, count, signed = self._record(type_id)
        found: dict[str, int] = {}
        step = _EACH[kind]
        for place in range(at + 3, at + 3 + step * count, step):
            value = self._words[place + 1]
            bits = 32
            if kind == _ENUM64:
                value |= self._words[place + 2] << 32
                bits = 64
            if signed and value >> (bits - 1):
                value -= 1 << bits
            found[self._name(self._words[place])] = value
        return found

    def _describe(self, type_id: int, depth: int) -> str:
        if type_id == _VOID:
            return "void"
        if depth > _DEEPEST:
            raise BtfError("the BTF is corrupt: a type is defined by itself")
        at, kind, _, _ = self._record(type_id)
        name = self._name(self._words[at])
        if kind == _PTR:
            inner = self._describe(self._words[at + 2], depth + 1)
            return inner + ("*" if inner.endswith("*") else " *")
        if kind in _QUALIFIER:
            return _QUALIFIER[kind] + self._describe(self._words[at + 2], depth + 1)
        if kind == _ARRAY:
            element, _, count = self._words[at + 3 : at + 6]
            return f"{self._describe(element, depth + 1)}[{count}]"
        if kind == _FUNC_PROTO:
            return "function"
        if kind == _FWD:
            return f"struct {name}"
        return _PREFIX.get(kind, "") + (name or "(anonymous)")


def _sections(data: bytes) -> tuple[bytes, bytes]:
    """The bytes of the type records, and of the names."""
    if len(data) < 24:
        raise BtfError("this is not BTF: it is shorter than its header")
    magic, version, _, header, types, types_size, names, names_size = struct.unpack_from(
        "<HBBIIIII", data
    )
    if magic == 0x9FEB:
        raise BtfError("this BTF is big endian; only little endian kernels are read")
    if magic != 0xEB9F:
        raise BtfError("this is not BTF: it does not begin with BTF's magic number")
    if version != 1:
        raise BtfError(f"this is BTF version {version}; only version 1 is known")
    if header < 24 or types % 4:
        raise BtfError("the BTF is corrupt: its header makes no sense")
    if max(types + types_size, names + names_size) + header > len(data):
        raise BtfError("the BTF is cut short: its header promises more than there is")
    strings = data[header + names : header + names + names_size]
    if not strings.startswith(b"\0") or not strings.endswith(b"\0"):
        raise BtfError("the BTF is corrupt: its pool of names does not begin and end with zero")
    start = header + types
    return data[start : start + types_size], strings


def _places(words: array[int]) -> list[int]:
    """Where each record begins, in words; index 0 is void and begins nowhere."""
    fixed = [3 + _FIXED.get(kind, 0) for kind in range(32)]
    each = [_EACH.get(kind, 0) for kind in range(32)]
    places = [-1]
    place, end = 0, len(words)
    add = places.append
    try:
        while place < end:
            add(place)
            info = words[place + 1]
            kind = info >> 24 & 31
            place += fixed[kind] + each[kind] * (info & 0xFFFF)
            if kind > _ENUM64:
                raise BtfError(f"the BTF has a record of kind {kind}, which is not known")
    except IndexError:
        place = -1
    if place != end:
        raise BtfError("the BTF is cut short: its last record is not whole")
    return places

"""Memory that drgn can read: /proc/kcore, a kernel dump, a QEMU guest over its QMP socket.

drgn is used for reading memory, and for nothing that would need debug information, which is a
gigabyte that few have at hand. The types come from the BTF in the kernel's own memory, symbols
from its kallsyms, and both are found through VMCOREINFO, which dumps and /proc/kcore carry and a
guest publishes with `-device vmcoreinfo` (and the module qemu_fw_cfg).
"""

from __future__ import annotations

import functools
import gc
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import drgn
import numpy as np
from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms
from numpy.typing import NDArray

from pinlab.field.errors import FaultError, LayoutError, ReaderError
from pinlab.field.layout.btf import Btf
from pinlab.field.memory.chunking import chunked
from pinlab.field.memory.ram import merged
from pinlab.field.memory.reader import PAGE_SIZE, Chunk, PfnRange
from pinlab.field.memory.singly import read_singly

_HAS_MEM_MAP, _ONLINE = 1 << 1, 1 << 2
"""Low bits of section_mem_map."""
_SECTION_MASK = ~0x3F
_COUNTERS = ("nr_foll_pin_acquired", "nr_foll_pin_released")


class DrgnReader:
    """A kernel whose memory drgn reads."""

    def __init__(self, program: drgn.Program, name: str, *, frozen: bool) -> None:
        """Raises ReaderError if the kernel does not tell enough about itself."""
        self.name = name
        self.frozen = frozen
        self._program = program
        try:
            text = program["VMCOREINFO"].string_().decode("ascii", "replace")
        except (LookupError, drgn.FaultError) as error:
            raise ReaderError(f"the {name} has no VMCOREINFO, so nothing can be found") from error
        self._info = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        self.release = self._info.get("OSRELEASE", "")
        self.boot = f"{self._info.get('BUILD-ID', '')}+{self._info.get('KERNELOFFSET', '')}"
        # Without kallsyms the symbols are those of debug information, if drgn has any.
        with suppress(LookupError, ValueError, drgn.FaultError):
            finder = load_vmlinux_kallsyms(program)
            program.register_symbol_finder("pinlab kallsyms", finder, enable_index=-1)
        self.btf = self._btf()
        self._page_bytes = self.btf.size("page")

    def _btf(self) -> Btf:
        start, end = self.symbol("__start_BTF"), self.symbol("__stop_BTF")
        if start is None or end is None:
            raise LayoutError(
                f"the {self.name} of {self.release} does not tell where its BTF lies: its kernel "
                "was built without CONFIG_DEBUG_INFO_BTF or without CONFIG_KALLSYMS_ALL"
            )
        return Btf(self.read(start, end - start))

    # -- memory -------------------------------------------------------------------------------

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of kernel memory. Raises FaultError."""
        try:
            return bytes(self._program.read(address, size))
        except (drgn.FaultError, ValueError, OverflowError):
            raise FaultError(address, size) from None

    def pointer(self, address: int) -> int:
        """The word of 8 bytes at an address. Raises FaultError."""
        return int.from_bytes(self.read(address, 8), "little")

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """`size` bytes at each address: shape (addresses, size), and which could be read."""
        return read_singly(self.read, addresses, size)

    def pages(self, first: int, count: int) -> NDArray[np.uint64]:
        """A copy of `count` struct pages from frame `first`. Raises FaultError."""
        data = self.read(self.vmemmap + first * self._page_bytes, count * self._page_bytes)
        return np.frombuffer(data, np.uint64).reshape(count, -1)

    def chunks(self, ranges: Iterable[PfnRange]) -> Iterator[Chunk]:
        """The struct pages of `ranges`."""
        return chunked(ranges, self._page_bytes, self._get)

    def _get(self, first: int, end: int) -> NDArray[np.uint64] | None:
        try:
            return self.pages(first, end - first)
        except FaultError:
            return None

    # -- places -------------------------------------------------------------------------------

    def symbol(self, name: str) -> int | None:
        """The address of a kernel symbol, or None."""
        try:
            return int(self._program.symbol(name).address)
        except LookupError:
            return None

    def _required(self, name: str) -> int:
        address = self.symbol(name)
        if address is None:
            raise ReaderError(f"the {self.name} of {self.release} does not list the symbol {name}")
        return address

    def _number(self, key: str) -> int:
        if key not in self._info:
            raise ReaderError(f"the VMCOREINFO of the {self.name} does not tell {key}")
        return int(self._info[key], 0)

    @functools.cached_property
    def vmemmap(self) -> int:
        """Address of the struct page of frame 0: every section's map is encoded from there."""
        for _, word in self._sections():
            if word & _HAS_MEM_MAP:
                return word & _SECTION_MASK
        raise ReaderError(f"the {self.name} of {self.release} has no section of memory")

    @functools.cached_property
    def page_offset(self) -> int:
        """Address at which the kernel maps frame 0. Raises ReaderError."""
        return self.pointer(self._required("page_offset_base"))

    def _sections(self) -> Iterator[tuple[int, int]]:
        """Number and `section_mem_map` of each section that was ever there."""
        size = self._number("SIZE(mem_section)")
        offset = self._number("OFFSET(mem_section.section_mem_map)")
        each = PAGE_SIZE // size
        roots = self.pointer(self._required("mem_section"))
        table = np.frombuffer(self.read(roots, 8 * self._number("LENGTH(mem_section)")), np.uint64)
        for root in np.flatnonzero(table).tolist():
            words = np.frombuffer(self.read(int(table[root]), each * size), np.uint64)
            column = words.reshape(each, -1)[:, offset // 8]
            for i in np.flatnonzero(column).tolist():
                yield root * each + i, int(column[i])

    def ranges(self) -> tuple[PfnRange, ...]:
        """The frames of sections with struct pages; memory that is not online is a device's."""
        pages = 1 << int(self._info["NUMBER(SECTION_SIZE_BITS)"]) >> 12
        return merged(
            PfnRange(number * pages, pages, device=not word & _ONLINE)
            for number, word in self._sections()
            if word & _HAS_MEM_MAP
        )

    def task(self) -> int:
        """The address of the first task of all."""
        return self._required("init_task")

    def counters(self) -> dict[str, int]:
        """Those of pins: the sums, and what each CPU has not added to them yet."""
        items = self.btf.enum("node_stat_item")
        names = {name: items[name.upper()] for name in _COUNTERS if name.upper() in items}
        sums, nodes = self.symbol("vm_node_stat"), self.symbol("node_data")
        offsets, count = self.symbol("__per_cpu_offset"), self.symbol("nr_cpu_ids")
        if not names or sums is None or nodes is None or offsets is None or count is None:
            return {}
        found = {name: self.pointer(sums + 8 * item) for name, item in names.items()}
        diffs = self.btf.offset("per_cpu_nodestat", "vm_node_stat_diff")
        stats = self.btf.offset("pglist_data", "per_cpu_nodestats")
        cpus = int.from_bytes(self.read(count, 4), "little")
        for node in _until_zero(self, nodes):
            area = self.pointer(node + stats)
            for cpu in range(cpus):
                here = (area + self.pointer(offsets + 8 * cpu)) % (1 << 64)
                for name, item in names.items():
                    byte = self.read(here + diffs + item, 1)
                    found[name] += int.from_bytes(byte, "little", signed=True)
        return found

    # -- end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Drop drgn's program, and with it its descriptors: a guest serves one QMP client."""
        if self._program is not None:
            self._program = None
            gc.collect()  # the program and its finder of symbols refer to each other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_MOST_NODES = 64


def _until_zero(reader: DrgnReader, address: int) -> Iterator[int]:
    for i in range(_MOST_NODES):
        word = reader.pointer(address + 8 * i)
        if not word:
            return
        yield word


def kcore() -> DrgnReader:
    """The running kernel. Raises ReaderError."""
    program = drgn.Program()
    try:
        program.set_kernel()
    except (OSError, ValueError, drgn.FaultError) as error:
        raise ReaderError(f"/proc/kcore cannot be read: {_said(error)}") from error
    return DrgnReader(program, "kcore", frozen=False)


def core(path: Path) -> DrgnReader:
    """A dump. Raises ReaderError."""
    program = drgn.Program()
    try:
        program.set_core_dump(str(path))
    except (OSError, ValueError, drgn.FaultError) as error:
        raise ReaderError(f"{path} is not a dump that can be read: {_said(error)}") from error
    if _cut_short(path):
        raise ReaderError(f"{path} is cut short: its header promises more memory than there is")
    if not program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL:
        raise ReaderError(f"{path} is a dump, but not of a Linux kernel")
    return DrgnReader(program, "core", frozen=True)


def _cut_short(path: Path) -> bool:
    """Whether an ELF file ends before its segments do; False for other formats."""
    with path.open("rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return False
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(table)
        data = file.read(size * count)
    ends = [
        sum(struct.unpack_from("<Q16xQ", data, at + 8))
        for at in range(0, len(data) - size + 1, size)
    ]
    return len(data) < size * count or max(ends, default=0) > path.stat().st_size


def guest(socket: Path) -> DrgnReader:
    """A QEMU guest. Raises ReaderError."""
    program = drgn.Program()
    try:
        program.set_qemu_qmp(str(socket))
    except (OSError, ValueError, LookupError, drgn.FaultError) as error:
        raise ReaderError(
            f"{socket} is not a QMP socket of a guest that can be read "
            f"(it needs `-device vmcoreinfo`, and qemu_fw_cfg loaded): {_said(error)}"
        ) from error
    return DrgnReader(program, "guest", frozen=False)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return re.sub(r"0x[0-9a-f]{9,}", "an address", str(error))

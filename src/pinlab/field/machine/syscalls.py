"""System calls that the standard library does not have, by ctypes. Each raises OSError.

Numbers above 423 are the same on every architecture. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from typing import Final

PAGE: Final = os.sysconf("SC_PAGESIZE")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.vmsplice.restype = ctypes.c_ssize_t
_libc.vmsplice.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
_libc.process_vm_readv.restype = ctypes.c_ssize_t
_libc.preadv.restype = ctypes.c_ssize_t
_libc.preadv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_long]

# -- memory: asm-generic/mman-common.h ---------------------------------------------------------
PROT_READ: Final = 1
PROT_WRITE: Final = 2
MAP_SHARED: Final = 0x01
MAP_PRIVATE: Final = 0x02
MAP_ANONYMOUS: Final = 0x20
MAP_HUGETLB: Final = 0x40000
MADV_HUGEPAGE: Final = 14
MADV_NOHUGEPAGE: Final = 15
MAP_FAILED: Final = ctypes.c_void_p(-1).value

# -- asm/unistd.h ------------------------------------------------------------------------------
NR_IO_URING_SETUP: Final = 425
NR_IO_URING_REGISTER: Final = 427
NR_FSOPEN: Final = 430
NR_FSCONFIG: Final = 431
NR_FSMOUNT: Final = 432
NR_MOVE_PAGES: Final = {"x86_64": 279}.get(platform.machine(), 239)
NR_USERFAULTFD: Final = {"x86_64": 323}.get(platform.machine(), 282)

# -- linux/mount.h -----------------------------------------------------------------------------
FSOPEN_CLOEXEC: Final = 1
FSCONFIG_SET_STRING: Final = 1
FSCONFIG_CMD_CREATE: Final = 6
FSMOUNT_CLOEXEC: Final = 1

# -- linux/prctl.h -----------------------------------------------------------------------------
PR_SET_PDEATHSIG: Final = 1


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mmap(length: int, protection: int, flags: int, fd: int = -1) -> int:
    """Map `length` bytes wherever the kernel likes; return the address."""
    address = _libc.mmap(None, length, protection, flags, fd, 0)
    if address is None or address == MAP_FAILED:
        _check(-1, "mmap")
    return int(address)


def munmap(address: int, length: int) -> None:
    """Unmap."""
    _check(_libc.munmap(address, length), "munmap")


def madvise(address: int, length: int, advice: int) -> None:
    """Advise the kernel on a range."""
    _check(_libc.madvise(address, length, advice), "madvise")


def fill(address: int, length: int, value: int) -> None:
    """Write every byte of our own memory, so that every page is there."""
    ctypes.memset(address, value, length)


def mincore(address: int, length: int) -> list[bool]:
    """Which pages of a range are in memory."""
    vector = (ctypes.c_ubyte * -(-length // PAGE))()
    _check(_libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(length), vector), "mincore")
    return [bool(byte & 1) for byte in vector]


def touch(address: int, offsets: Iterable[int]) -> None:
    """Read a byte at each offset of our own memory, so that its page is mapped."""
    for offset in offsets:
        ctypes.string_at(address + offset, 1)


def _iovec(address: int, length: int) -> ctypes.Array[ctypes.c_ulong]:
    return (ctypes.c_ulong * 2)(address, length)


def io_uring_setup(entries: int) -> int:
    """A ring; return its descriptor."""
    parameters = ctypes.create_string_buffer(120)
    return _check(_libc.syscall(NR_IO_URING_SETUP, entries, parameters), "io_uring_setup")


def io_uring_register(fd: int, opcode: int, address: int, length: int) -> None:
    """Register one buffer (an iovec) with a ring."""
    iovec = _iovec(address, length)
    _check(_libc.syscall(NR_IO_URING_REGISTER, fd, opcode, iovec, 1), "io_uring_register")


def io_uring_unregister(fd: int, opcode: int) -> None:
    """Take back what was registered with a ring."""
    _check(_libc.syscall(NR_IO_URING_REGISTER, fd, opcode, None, 0), "io_uring_register")


def vmsplice(fd: int, address: int, length: int) -> int:
    """Put our pages into a pipe by reference; return how many bytes went in."""
    return _check(_libc.vmsplice(fd, _iovec(address, length), 1, 0), "vmsplice")


def process_vm_readv(pid: int, local: int, remote: int, length: int) -> int:
    """Copy from another process; return how many bytes were copied."""
    into, source = _iovec(local, length), _iovec(remote, length)
    result = _libc.process_vm_readv(pid, into, 1, source, 1, 0)
    return _check(result, "process_vm_readv")


def preadv(fd: int, address: int, length: int, offset: int = 0) -> int:
    """Read from a file into raw memory; return how many bytes were read."""
    return _check(_libc.preadv(fd, _iovec(address, length), 1, offset), "preadv")


def drain_batches() -> None:
    """Have every CPU put the folios of its batches on their LRU lists (lru_add_drain_all).

    A batch has a reference to each. Migration drains them before it looks at references, and
    move_pages() does, also of no page at all (do_pages_move, mm/migrate.c).
    """
    nothing = (ctypes.c_ulong * 1)()
    result = _libc.syscall(NR_MOVE_PAGES, 0, ctypes.c_ulong(0), nothing, nothing, nothing, 0)
    _check(result, "move_pages")


def syncfs(fd: int) -> None:
    """Write back all of the file system that a file is on, and wait for it."""
    _check(_libc.syncfs(fd), "syncfs")


def userfaultfd() -> int:
    """A userfaultfd that also stops faults of the kernel itself (needs the privilege)."""
    return _check(_libc.syscall(NR_USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK), "userfaultfd")


def set_parent_death_signal(signal: int) -> None:
    """Have the kernel send us `signal` when the thread that made us ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def detached_mount(filesystem: str, options: dict[str, str]) -> int:
    """Mount a file system nowhere; return the mount, which ends with its last descriptor.

    Linux 5.2 and newer. Needs CAP_SYS_ADMIN.
    """
    name = ctypes.c_char_p(filesystem.encode())
    context = _check(_libc.syscall(NR_FSOPEN, name, FSOPEN_CLOEXEC), "fsopen")
    try:
        for key, value in options.items():
            _fsconfig(context, FSCONFIG_SET_STRING, key.encode(), value.encode())
        _fsconfig(context, FSCONFIG_CMD_CREATE, None, None)
        return _check(_libc.syscall(NR_FSMOUNT, context, FSMOUNT_CLOEXEC, 0), "fsmount")
    finally:
        os.close(context)


def _fsconfig(context: int, command: int, key: bytes | None, value: bytes | None) -> None:
    pair = ctypes.c_char_p(key), ctypes.c_char_p(value)
    _check(_libc.syscall(NR_FSCONFIG, context, command, *pair, 0), "fsconfig")

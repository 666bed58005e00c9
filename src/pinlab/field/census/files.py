"""Which file a folio of the page cache belongs to.

`folio->mapping` leads to the inode, and from there to the device, the number, and, if anybody
has looked the file up, to a dentry and its path. The kernel does not know where a file system
is mounted for us; /proc/self/mountinfo does, where the kernel is our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pinlab.field.errors import FaultError
from pinlab.field.memory.view import Structs, View
from pinlab.names import decoded

DEEPEST = 256
_MINOR_BITS = 20


@dataclass(frozen=True, slots=True)
class MappedFile:
    """A file whose pages lie in memory."""

    device: str
    """Major and minor number: "254:0"."""
    inode: int
    file_system: str
    path: str | None
    """From its mount point if that is known, else from the root of its file system.

    As /proc has it, with " (deleted)" behind a name that is gone. None if it has none.
    """


def file_of(mapping: View, mounts: Mapping[str, str]) -> MappedFile | None:
    """The file of a `struct address_space`; None if it went away meanwhile."""
    try:
        inode = mapping.follow("host")
        if inode is None:
            return None
        superblock = inode.behind("i_sb")
        device, number = key_of(inode)
        kind = superblock.behind("s_type")
        name = kind.text_at("name")
        if name == "bdev":
            device = _device(inode["i_rdev"])
            return MappedFile(device, number, name, f"block device {device}")
    except FaultError:
        return None
    return MappedFile(device, number, name, _path(inode, mounts.get(device)))


def key_of(inode: View) -> tuple[str, int]:
    """Device and number of a `struct inode`. Raises FaultError."""
    return _device(inode.behind("i_sb")["s_dev"]), inode["i_ino"]


def _device(number: int) -> str:
    return f"{number >> _MINOR_BITS}:{number & (1 << _MINOR_BITS) - 1}"


def _path(inode: View, mount: str | None) -> str | None:
    try:
        node = inode["i_dentry.first"]
        if not node:
            return None
        dentry = inode.structs.entry(node, "dentry", _alias(inode.structs))
        gone = dentry["d_hash.pprev"] == 0
        names: list[str] = []
        for _ in range(DEEPEST):
            parent = dentry.behind("d_parent")
            if parent.address == dentry.address:
                break
            names.append(_name(dentry))
            dentry = parent
        if not names:
            own = _name(dentry)  # of a file that was never in a directory, as a memfd
            names = [own] if own not in ("", "/") else []
    except FaultError:
        return None
    path = "/" + "/".join(reversed(names))
    if mount not in (None, "/") and names:
        path = f"{mount}{path}"
    return path + (" (deleted)" if gone and names else "")


def _alias(structs: Structs) -> str:
    return "d_u.d_alias" if structs.has("dentry", "d_u.d_alias") else "d_alias"


def _name(dentry: View) -> str:
    return dentry.text_at("d_name.name", min(dentry["d_name.len"] + 1, 256))


def mounts_here() -> dict[str, str]:
    """Where each device is mounted for this process; of several places the first."""
    try:
        text = decoded(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return {}
    return mounts_of(text)


def mounts_of(mountinfo: str) -> dict[str, str]:
    """The same from the text of /proc/PID/mountinfo; binds of a part are left out."""
    found: dict[str, str] = {}
    for line in mountinfo.split("\n"):
        words = line.split()
        if len(words) > 4 and words[3] == "/":
            found.setdefault(words[2], _unescaped(words[4]))
    return found


def _unescaped(word: str) -> str:
    for code, letter in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        word = word.replace(code, letter)
    return word

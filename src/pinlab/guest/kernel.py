"""A kernel to boot: its image, its release, its modules."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pinlab.field.errors import FieldError

_HEADER: Final = 0x300
_MAGIC: Final = slice(0x202, 0x206)
_VERSION: Final = 0x20E
"""Of the set-up header of a bzImage (Documentation/arch/x86/boot.rst)."""


class GuestError(FieldError):
    """No guest, or none that answers; says what is missing, or what its console said last."""


@dataclass(frozen=True)
class Kernel:
    """A kernel's image and the folder of its modules."""

    image: Path
    release: str
    modules: Path

    def load(self, names: Iterable[str]) -> dict[str, bytes]:
        """The modules of these names, each behind those it depends on. One that is not there is
        taken to be built in. Raises GuestError."""
        ordered: dict[str, bytes] = {}
        for name in names:
            self._add(name, ordered)
        return ordered

    def _add(self, name: str, ordered: dict[str, bytes]) -> None:
        name = name.replace("-", "_")
        path = self._files.get(name)
        if name in ordered or path is None:
            return
        content = _content(path)
        for needed in _depends(content):
            self._add(needed, ordered)
        ordered[name] = content

    @cached_property
    def _files(self) -> dict[str, Path]:
        found = self.modules.rglob("*.ko*")
        return {each.name.partition(".ko")[0].replace("-", "_"): each for each in found}


def kernel(image: Path, modules: Path | None = None) -> Kernel:
    """The kernel of an image. Raises GuestError if it is none, or its modules are not found."""
    release = _release(image)
    top = image.absolute().parent.parent
    places = (
        [modules, modules / release]
        if modules is not None
        else [
            top / "lib/modules" / release,
            top / "usr/lib/modules" / release,
            image.resolve().parent,  # where newer packages have the kernel itself
        ]
    )
    for place in places:
        if next(place.glob("kernel/**/*.ko*"), None) is not None:
            return Kernel(image, release, place)
    raise GuestError(
        f"there are no modules of {release} in {places[0]}; unpack the kernel's whole package "
        "(dpkg -x), or name the folder with --modules"
    )


def _release(image: Path) -> str:
    try:
        with image.open("rb") as file:
            header = file.read(_HEADER)
            if len(header) < _HEADER or header[_MAGIC] != b"HdrS":
                raise GuestError(f"{image} is no kernel to boot (a bzImage of x86); say a vmlinuz")
            file.seek(struct.unpack_from("<H", header, _VERSION)[0] + 0x200)
            words = file.read(200).split(b"\0")[0].decode("ascii", "replace").split()
    except OSError as error:
        raise GuestError(f"{image} cannot be read: {error.strerror}") from error
    if not words:
        raise GuestError(f"{image} does not say which release it is of; say another vmlinuz")
    return words[0]


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        match path.suffix:
            case ".ko":
                return content
            case ".xz":
                return lzma.decompress(content)
            case ".gz":
                return gzip.decompress(content)
            case ".zst" if (zstd := shutil.which("zstd")) is not None:
                return subprocess.run([zstd, "-dc"], input=content, stdout=-1, check=True).stdout
            case ".zst":
                raise GuestError(f"to unpack {path.name} needs zstd; install zstd")
    except (OSError, lzma.LZMAError, EOFError, subprocess.CalledProcessError) as error:
        raise GuestError(f"{path} cannot be read: {error}") from error
    raise GuestError(f"{path} is packed in a way that is not known")


def _depends(module: bytes) -> Iterator[str]:
    """What a module says it depends on (modinfo)."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    yield from found[1].decode().split(",") if found and found[1] else ()

"""What is in a guest: this Python, pinlab, what it imports, and the tools it calls.

It is the same for all kernels, some 300 MB, so it is made once and kept by what is in it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pinlab
from pinlab.guest import archive
from pinlab.guest.kernel import GuestError

PACKAGES: Final = (
    *("annotated_doc", "annotated_types", "click", "markdown_it", "mdurl", "numpy", "numpy.libs"),
    *("pyarrow", "pydantic", "pydantic_core", "pygments", "rich", "shellingham", "typer"),
    *("typing_extensions.py", "typing_inspection"),
)
"""Of site-packages, what the field and the command line import; those not there are not needed."""

TOOLS: Final = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
"""Those not there are missed by who needs them, in a sentence."""

FOLDERS: Final = ("proc", "run", "sys", "tmp", "var/tmp")

_LEFT_OUT: Final = re.compile(
    r"/(?:site-packages|test|tests|idlelib|ensurepip|lib2to3|tkinter|turtledemo|distutils|include"
    r"|pydoc_data|f2py|config-[^/]*)/"
    r"|\.(?:a|pyx|pxi|pxd|h|hpp|c|cc)$"
    r"|/(?:lib)?_?(?:arrow_)?(?:flight|python_flight|s3|s3fs|substrait|gcsfs|azurefs|hdfs|orc)[._]"
)
_KEPT: Final = 2
"""Roots that are kept: that of this pinlab and one more."""
_LONG_AGO: Final = 3600.0
"""Seconds since the last byte of a half that nobody writes any more; one takes seconds."""


def folder() -> Path:
    """$XDG_CACHE_HOME/pinlab/guest, or ~/.cache/pinlab/guest."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "pinlab" / "guest"


def python() -> Path:
    """The interpreter, as the guest has it too."""
    return Path(sys.executable).resolve()


def path() -> str:
    """PYTHONPATH of a guest."""
    return f"{source()}:{site()}"


def source() -> Path:
    """The folder that has pinlab."""
    return Path(pinlab.__file__).resolve().parent.parent


def site() -> Path:
    """The folder that has the packages."""
    return Path(sysconfig.get_path("purelib"))


def tool(name: str) -> Path | None:
    """Where a program is, also if the path is not root's."""
    found = shutil.which(name, path=f"/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}")
    return None if found is None else Path(found)


def root() -> Path:
    """An archive of all of it, made now or before. Raises GuestError."""
    files = _files()
    key = hashlib.blake2b(digest_size=16)
    for each in files:
        about = each.stat()
        key.update(f"{each}\0{about.st_size}\0{about.st_mtime_ns}\0".encode("utf-8", "replace"))
    made = folder() / f"{key.hexdigest()}.cpio"
    if made.exists():
        os.utime(made)
        return made
    half = made.with_suffix(f".{os.getpid()}")
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        with half.open("wb") as file:
            archive.write(file, {str(each)[1:]: each for each in files}, FOLDERS)
        half.replace(made)
    except OSError as error:
        raise GuestError(
            f"no root for guests can be kept in {folder()}: {error.strerror}"
        ) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
    _tidy()
    return made


def _tidy() -> None:
    """Take away the roots that nobody has used for longest, and the halves of who was killed."""
    with suppress(OSError):
        made = sorted(folder().glob("*.cpio"), key=lambda each: -each.stat().st_mtime)
        halves = set(folder().iterdir()) - set(made)
        old = [each for each in halves if time.time() - each.stat().st_mtime > _LONG_AGO]
        for each in (*made[_KEPT:], *old):
            each.unlink(missing_ok=True)


def _files() -> list[Path]:
    """Every file of a guest, by the path it has here and there."""
    programs = [python(), *filter(None, map(tool, TOOLS))]
    folders = [Path(sysconfig.get_path("stdlib")), source() / "pinlab"]
    folders += [site() / name for name in PACKAGES]
    folders += site().glob("pinlab-*.dist-info")
    found = {*programs}
    for each in folders:
        found.update(_below(each) if each.is_dir() else [each] if each.exists() else [])
    libraries = _libraries([*programs, *(each for each in found if ".so" in each.name)])
    return sorted(found.union(libraries))


def _below(place: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(place):
        for name in names:
            whole = f"{parent}/{name}"
            inside = whole[len(str(place)) :]
            if not _LEFT_OUT.search(inside) and os.path.isfile(whole):
                yield Path(whole)


def _libraries(programs: Iterable[Path]) -> set[Path]:
    """What the dynamic linker finds for them."""
    done = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> |^\t)(/\S+)", done.stdout, re.M)
    return {Path(os.path.normpath(each)) for each in found}

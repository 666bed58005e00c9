"""Debian's kernel sources, for tests that need real ones: PINLAB_SOURCES names their folder.

    mkdir sources && cd sources && apt-get download linux-source-6.12 linux-source-7.2 ...

Each package is unpacked for one test and removed after it: a kernel has 1.4 GB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

VERSIONS = ("5.10", "6.1", "6.12", "7.2", "7.3")

ENOUGH = (
    *("Makefile", "include/linux", "mm", "block", "lib", "virt/kvm", "arch/x86/kvm", "io_uring"),
    *("net/rds", "net/core", "net/tls", "fs/*.c", "fs/fuse", "drivers/xen", "drivers/tee"),
    *("drivers/virt/acrn", "drivers/infiniband/core", "drivers/vfio", "drivers/misc/vmw_vmci"),
    *("drivers/vhost", "drivers/gpu/drm/i915/gem", "drivers/gpu/drm/radeon", "drivers/rapidio"),
    *("drivers/fpga", "drivers/platform/raspberrypi", "drivers/staging/vc04_services"),
)
"""The folders that the tables of ground truth speak of."""


def package(version: str) -> Path:
    """The package of a version; or skip, and say what to do."""
    folder = os.environ.get("PINLAB_SOURCES", "")
    found = sorted(Path(folder).glob(f"linux-source-{version}_*.deb")) if folder else []
    if not found:
        pytest.skip(f"no linux-source-{version}_*.deb in PINLAB_SOURCES ({folder or 'not set'})")
    return found[-1]


@contextmanager
def unpacked(version: str, place: Path, only: tuple[str, ...] = ()) -> Iterator[Path]:
    """A version's C files, all or those of some folders."""
    deb = package(version)
    name = f"linux-source-{version}"
    root = place / name
    if only:
        members = [f"{name}/{each}" for each in only]
    else:
        members = ["*.c", "*.h", f"{name}/Makefile"]
    try:
        whole = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        inner = subprocess.Popen(
            ["tar", "-xO", f"./usr/src/{name}.tar.xz"], stdin=whole.stdout, stdout=subprocess.PIPE
        )
        done = subprocess.run(
            ["tar", "-xJ", "-C", place, "--wildcards", *members],
            stdin=inner.stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        absent = done.stderr.count("Not found in archive")
        if done.returncode and not absent:
            pytest.skip(f"{deb} cannot be unpacked: {done.stderr}")
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)

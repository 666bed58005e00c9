"""A block device that answers too slowly to see: a cgroup's limit holds back what it is asked.

The test owns both. Should it be killed, what is held back is let through within two minutes, and
the device clears itself when its program ends; an empty cgroup stays.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SPEED = 512
"""Bytes in a second; a program asks for 64 KiB."""
BLKIO = Path("/sys/fs/cgroup/blkio")
LIMIT = "blkio.throttle.read_bps_device"


@contextmanager
def throttled() -> Iterator[list[str]]:
    """A loop device and the list of processes of a cgroup for which it is slow, as paths.

    Raises RuntimeError if there can be none.
    """
    with _cgroup() as cgroup, _loop() as device:
        number = os.stat(device).st_rdev
        numbers = f"{os.major(number)}:{os.minor(number)}"
        (cgroup / LIMIT).write_text(f"{numbers} {SPEED}\n")
        try:
            yield [device, str(cgroup / "cgroup.procs")]
        finally:
            (cgroup / LIMIT).write_text(f"{numbers} 0\n")


@contextmanager
def _cgroup() -> Iterator[Path]:
    made = BLKIO / f"pinlab-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        raise RuntimeError(f"no cgroup of blkio can be made: {error}") from None
    try:
        if not (made / LIMIT).exists():
            raise RuntimeError("cgroups cannot limit reading")
        yield made
    finally:
        for _ in range(100):  # until the last process is gone
            with suppress(OSError):
                made.rmdir()
                break
            time.sleep(0.05)


@contextmanager
def _loop() -> Iterator[str]:
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 20)
        try:
            words = ["losetup", "--find", "--show", file.name]
            made = subprocess.run(words, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(f"no loop device: {error}") from None
        device = made.stdout.strip()
        # Detached while it is open it goes when it is last closed, also after a kill.
        with open(device, "rb", buffering=0):
            subprocess.run(["losetup", "--detach", device], capture_output=True, check=False)
            yield device

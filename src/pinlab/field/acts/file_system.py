"""The file systems that a scene can be played on."""

from __future__ import annotations

from enum import StrEnum


class FileSystem(StrEnum):
    """Which file system is made."""

    ext4 = "ext4"
    xfs = "xfs"
    btrfs = "btrfs"

"""Figures for people: sizes, address ranges, times."""

from __future__ import annotations


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a whole part: "1.5 MiB"."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        del units[0]
    return f"{count:.4g} {units[0]}"


def address_range(address: int, length: int) -> str:
    """A range as /proc/PID/maps writes it."""
    return f"{address:x}-{address + length:x}"


def duration(seconds: float) -> str:
    """How long: "350 ms", "12 s", "3 min", "2 h", "5 d"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def counted(number: int, what: str) -> str:
    """A number of things: "1 pin", "2 pins"."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")

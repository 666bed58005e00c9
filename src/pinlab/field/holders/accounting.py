"""Where the kernel counts what a holder holds."""

from __future__ import annotations

from enum import StrEnum


class Accounted(StrEnum):
    """A counter; a holder may be in several, or in none."""

    VM_PIN = "VmPin"
    """mm->pinned_vm: VmPin of /proc/PID/status."""
    VM_LCK = "VmLck"
    """mm->locked_vm: VmLck of /proc/PID/status."""
    LOCKED_VM = "locked_vm"
    """user->locked_vm: what RLIMIT_MEMLOCK of the user is held against; not shown anywhere."""


CAP_IPC_LOCK = 14  # linux/capability.h


def exempt() -> bool:
    """Whether we are: with CAP_IPC_LOCK io_uring and AF_XDP leave user->locked_vm alone."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        words = next((line.split() for line in file if line.startswith("CapEff:")), ["", "0"])
    return bool(int(words[1], 16) >> CAP_IPC_LOCK & 1)

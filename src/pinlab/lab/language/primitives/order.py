"""What a primitive orders: the kernel's documents, as one word each.

Read in Documentation/memory-barriers.txt (MB), Documentation/atomic_t.txt (AT) and
tools/memory-model/Documentation/explanation.txt (EX) of Linux 7.2; 4.20 says the same where
it has them.
"""

from __future__ import annotations

from enum import StrEnum


class Order(StrEnum):
    """How a primitive's access of shared memory is ordered against the others of its CPU."""

    NONE = ""
    """It accesses no memory that others see, or only its own CPU's."""
    LOAD = "load"
    """READ_ONCE, atomic_read, test_bit: only what is looked up at an address that it gave, and
    stores whose value or doing depend on it, come behind it (EX, "DEPENDENCY RELATIONS")."""
    STORE = "store"
    """WRITE_ONCE, atomic_set: no order (AT, "ORDERING")."""
    RMW = "read-modify-write"
    """No order, but nothing comes between its load and its store: what gives nothing back (AT,
    "ORDERING"); set_bit, clear_bit (atomic_bitops.txt)."""
    RELAXED = "relaxed exchange"
    """Full on x86 (a locked instruction), no order on arm64: its page tables are changed by
    xchg_relaxed and cmpxchg_relaxed (arch/arm64/include/asm/pgtable.h)."""
    FULL = "full"
    """A full barrier on both sides if it succeeds, a mere load if it does not: what gives a value
    back (AT, "ORDERING")."""
    ACQUIRE = "acquire"
    """It takes a lock: what is behind it stays there (MB, "ACQUIRE operations"); trylocks if they
    take it."""
    RELEASE = "release"
    """It lets go of a lock: what is before it stays there (MB, "RELEASE operations")."""
    WALK = "walk"
    """The load of an MMU that walks a page table. No CPU's load: it is never done early, but for
    what the TLB keeps, which the model has."""
    ATOMIC_RELEASE = "atomic release"
    """The same by a read-modify-write, which x86 has no weaker than a full barrier: mutexes,
    semaphores, the page lock (kernel/locking/, clear_bit_unlock_is_negative_byte())."""
    LOAD_ACQUIRE = "load-acquire"
    STORE_RELEASE = "store-release"
    MB = "mb"
    """All before it, then all behind it (MB, "General memory barriers")."""
    RMB = "rmb"
    """All loads before it, then all loads behind it (MB, "Read memory barriers")."""
    WMB = "wmb"
    """All stores before it, then all stores behind it (MB, "Write memory barriers")."""
    AWAIT = "await"
    """A load that is repeated until it gives what is waited for; no order."""

"""The TLB of each CPU: one entry, filled by stores of user code, flushed by rmap and zap.

arch/x86/mm/tlb.c, arch/arm64/include/asm/tlbflush.h, 4.20. A CPU appears in `mm_cpumask` when the
scenario runs user code on it; others have no entry to flush. Left out: batching of flushes
(mm_tlb_flush_pending), which no objective of the 4.20 designs depends on.
"""

from __future__ import annotations

from pinlab.lab.language.kernel import (
    WRITE_ONCE,
    array,
    irqs_enabled,
    kernel,
    smp_mb,
    smp_processor_id,
    spin_until,
    static_branch,
)
from pinlab.lab.linux.types import CPUS

tlb = array(CPUS, 0, 31, order="strong")
mm_cpumask = array(CPUS, 0, 1, order="strong")


@kernel
def flush_tlb_page() -> None:
    """No CPU goes on using an old copy of the entry just changed.

    Each CPU of the mask is interrupted (x86), so that this waits for its interrupts to be on.
    A store that had begun is over when this returns: the interrupt comes behind it.
    Broadcast invalidation (arm64) waits for nobody: a scenario that leaves a CPU out of the mask
    shows that weaker promise, where GUP-fast has only its own second look.

    A full barrier at both ends, whoever is in the mask: inc_mm_tlb_gen() on x86, "dsb ishst" and
    "dsb ish" around the invalidation on arm64.
    """
    smp_mb()
    for cpu in range(CPUS):
        if static_branch(mm_cpumask[cpu]):
            if cpu != smp_processor_id():
                spin_until(irqs_enabled(cpu))
            WRITE_ONCE(tlb[cpu], 0)
            if cpu != smp_processor_id():
                spin_until(irqs_enabled(cpu))
    smp_mb()

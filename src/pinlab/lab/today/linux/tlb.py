"""The TLB of each CPU: one entry, filled by stores of user code.

arch/x86/mm/tlb.c, arch/arm64/include/asm/tlbflush.h, 7.2. A CPU appears in `mm_cpumask` when the
scenario runs user code on it; others have no entry to flush.
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
from pinlab.lab.layout import CPUS

tlb = array(CPUS, 0, 31, order="strong")
mm_cpumask = array(CPUS, 0, 1, order="strong")


@kernel
def flush_tlb_page() -> None:
    """arch/x86/mm/tlb.c flush_tlb_mm_range(): no CPU goes on using an old copy of the entry just
    changed.

    Each CPU of the mask is interrupted, so that this waits for its interrupts to be on. A CPU left
    out of the mask shows the weaker promise of a broadcast (arm64, INVLPGB), which waits for
    nobody. Left out: flushes that are put off (tlb_flush_pending, TTU_BATCH_FLUSH): callers flush
    where the kernel must have flushed at the latest.
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

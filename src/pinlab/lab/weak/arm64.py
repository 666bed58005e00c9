"""arm64: a store may become visible late and a load be done early, but for all others at once.

Multi-copy atomic, as ARMv8 has been since 2017 (Pulte et al., "Simplifying ARM Concurrency", POPL
2018). Atomics without a result, and the exchange that clears a page table entry, order nothing
(arch/arm64/include/asm/atomic_lse.h, pgtable.h).
"""

from __future__ import annotations

from pinlab.lab.language.primitives import Order
from pinlab.lab.weak.model import Effect, Model

STORE = (Effect.NEWEST, Effect.BUFFER)
UNORDERED = (*STORE, Effect.ATOMIC)
RELEASE = (Effect.DRAIN, Effect.NEWEST, Effect.PUBLISH)

MODEL = Model(
    name="arm64",
    early=True,
    locks=False,
    effects={
        Order.LOAD: (Effect.NEWEST,),
        Order.LOAD_ACQUIRE: (Effect.NEWEST, Effect.CATCH_UP),
        Order.AWAIT: (Effect.NEWEST,),
        Order.WALK: (Effect.NEWEST,),
        Order.STORE: STORE,
        Order.STORE_RELEASE: (Effect.NEWEST, Effect.BUFFER_LAST),
        Order.RMW: UNORDERED,
        Order.RELAXED: UNORDERED,
        Order.FULL: (Effect.DRAIN, Effect.NEWEST, Effect.PUBLISH, Effect.CATCH_UP),
        Order.ACQUIRE: (Effect.DRAIN_OLDER, Effect.NEWEST, Effect.PUBLISH, Effect.CATCH_UP),
        Order.RELEASE: RELEASE,
        Order.ATOMIC_RELEASE: RELEASE,
        Order.MB: (Effect.DRAIN, Effect.CATCH_UP),
        Order.RMB: (Effect.CATCH_UP,),
        Order.WMB: (Effect.FENCE,),
    },
    device_store=(Effect.DRAIN,),
    device_load=(Effect.CATCH_UP,),
    interrupt=(Effect.INTERRUPT,),
    bounds=(
        "of each word one value older than the newest may be seen; a load is never done behind a "
        "later store (load buffering); a store is seen by all other CPUs at once; all that is "
        "behind a release is behind what is before it; of stores in a buffer four ranks are kept "
        "apart; a TLB flush is a barrier on the CPUs that it waits for"
    ),
)

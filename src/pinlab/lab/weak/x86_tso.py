"""x86: a store waits in its CPU's buffer while later loads go ahead; nothing else is reordered.

Sewell et al., "x86-TSO: A Rigorous and Usable Programmer's Model", CACM 2010. Each locked
instruction empties the buffer, and the primitives that are one have the kernel's promise of a full
barrier from it; a spinlock is let go by a plain store (arch/x86/include/asm/qspinlock.h), the page
lock, mutexes and semaphores by a locked instruction.
"""

from __future__ import annotations

from pinlab.lab.language.primitives import Order
from pinlab.lab.weak.model import Effect, Model

LOCKED = (Effect.DRAIN, Effect.NEWEST, Effect.PUBLISH)
STORE = (Effect.NEWEST, Effect.BUFFER_LAST)

MODEL = Model(
    name="x86-tso",
    early=False,
    locks=True,
    effects={
        Order.LOAD: (Effect.NEWEST,),
        Order.LOAD_ACQUIRE: (Effect.NEWEST,),
        Order.AWAIT: (Effect.NEWEST,),
        Order.WALK: (Effect.NEWEST,),
        Order.STORE: STORE,
        Order.STORE_RELEASE: STORE,
        Order.RMW: LOCKED,
        Order.RELAXED: LOCKED,
        Order.FULL: LOCKED,
        Order.ACQUIRE: LOCKED,
        Order.RELEASE: STORE,
        Order.ATOMIC_RELEASE: LOCKED,
        Order.MB: (Effect.DRAIN,),
        Order.RMB: (),
        Order.WMB: (),
    },
    device_store=(Effect.DRAIN,),
    device_load=(),
    interrupt=(Effect.INTERRUPT,),
    bounds="four stores wait in a buffer, and a fifth lets the oldest leave",
)

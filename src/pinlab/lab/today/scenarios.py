"""The scenarios of 7.2: what is open in it, and beside that what was closed since the thread."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from pinlab.lab.layout import SHARED
from pinlab.lab.scenarios import operation
from pinlab.lab.scenarios.operation import played
from pinlab.lab.scenarios.scenario import ReachEvents, ReachFunction, Scenario, Task
from pinlab.lab.today.linux import tasks
from pinlab.lab.today.linux.gup import FOLL_PIN, FOLL_WRITE
from pinlab.lab.today.operations import OPERATIONS
from pinlab.lab.today.words import state
from pinlab.objectives.events import Event

standing = partial(operation.standing, OPERATIONS, state)

PINNED_UNDER_WRITEBACK = ReachEvents(
    "writeback looks at a pinned folio",
    (Event.PIN, Event.WRITEBACK_ATTEMPT),
    broken_by=(Event.UNPIN,),
)
STORES = ReachFunction("a CPU stores", "try_store")
ONE_DMA = "1 page, 1 mapping, 1 DMA with 1 store"

STANDING: Final = (
    standing(
        "dma-fsync",
        "O_DIRECT read into a mapped page of a file beside fsync of that file",
        "dio-read@1, fsync",
        "dirty rw",
        judges="O1 O2 I1 I3 I10 I12",
        bounds=f"{ONE_DMA}, 1 fsync",
        reach=(PINNED_UNDER_WRITEBACK,),
    ),
    standing(
        "dma-writeback-verify",
        "O_DIRECT read into a mapped page beside background writeback, then fsync: the data is on "
        "the disk",
        "dio-read-verify@1, writeback",
        "dirty rw",
        judges="O1 O2 I1 I3 I4 I10 I12",
        bounds=f"{ONE_DMA}, 1 round of writeback, 1 fsync after the DMA",
        reach=(PINNED_UNDER_WRITEBACK,),
    ),
    standing(
        "dma-reclaim",
        "O_DIRECT read into a mapped page beside background writeback and reclaim",
        "dio-read@1, flush-reclaim",
        "dirty rw",
        judges="O1 O2 I1 I3 I10 I12",
        bounds=f"{ONE_DMA}, 1 round of writeback and of reclaim",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("reclaim unmaps it", "try_to_unmap")),
    ),
    standing(
        "dma-active",
        "O_DIRECT read into a mapped page beside writeback and a scan of the active list that "
        "takes buffers",
        "dio-read@1, flush-active",
        "dirty rw",
        judges="O1 O2 I1 I3 I10 I12",
        bounds=f"{ONE_DMA}, 1 round of writeback, 1 scan",
        reach=(PINNED_UNDER_WRITEBACK, ReachFunction("buffers go", "folio_detach_private")),
    ),
    standing(
        "dma-invalidate",
        "O_DIRECT read into a mapped page of a file beside an O_DIRECT write to that file",
        "dio-read-verify@1, dio-write",
        "dirty rw",
        judges="O1 O2 I1 I3 I4 I10 I12",
        bounds=f"{ONE_DMA}, 1 direct write, 1 fsync after the DMA",
        reach=(ReachFunction("invalidation finds it", "folio_unmap_invalidate"),),
    ),
    standing(
        "dma-truncate",
        "O_DIRECT read into a mapped page of a file beside truncate of that file",
        "dio-read@1, truncate",
        "dirty rw",
        judges="O2 I1 I3 I10 I12",
        bounds=f"{ONE_DMA}, 1 truncate",
        reach=(ReachFunction("truncate finds it", "truncate_cleanup_folio"),),
    ),
    standing(
        "store-writeback",
        "a CPU stores and calls fsync beside background writeback: no pin",
        "store-verify@1, writeback",
        "dirty rw",
        judges="O2 I1 I3 I4 I10 I12",
        bounds="1 page, 1 mapping, 1 CPU store, 1 round of writeback, 1 fsync",
        reach=(STORES,),
    ),
    standing(
        "pin-store-fsync",
        "a CPU stores and calls fsync beside somebody's pin of the page",
        "pin@1, store-verify@1",
        "dirty rw",
        judges="O2 I1 I3 I4 I10 I12",
        bounds="1 page, 1 mapping, 1 pin, 1 CPU store, 1 fsync",
        reach=(PINNED_UNDER_WRITEBACK, STORES),
    ),
    standing(
        "pin-fork-store",
        "a pin of anonymous memory beside fork and stores of its owner",
        "pin@private, fork, store@private",
        "anon",
        judges="I1 I5 I10 I12",
        bounds="1 anonymous page and room for copies, 1 pin, 1 fork, 1 CPU store",
        reach=(STORES, ReachFunction("an entry is copied", "folio_try_dup_anon_rmap_pte")),
    ),
    standing(
        "longterm-store",
        "a long-term pin of a private mapping of a file beside a store of its owner",
        "pin-longterm@private, store@private",
        "clean private",
        judges="I1 I5 I10 I12",
        bounds="1 page and room for a copy, 1 pin, 1 CPU store",
        reach=(STORES,),
    ),
    standing(
        "vmsplice-store",
        "after fork the child splices a shared page into a pipe and unmaps it; the parent stores",
        "vmsplice@child, store@private",
        "anon+forked",
        judges="I1 I6 I10 I12",
        bounds="1 anonymous page and room for a copy, 1 reference, 1 munmap, 1 CPU store",
        reach=(STORES, ReachFunction("the child unmaps", "madvise_dontneed")),
    ),
    standing(
        "pin-move",
        "a pin of anonymous memory beside UFFDIO_MOVE",
        "pin@private, move@private",
        "anon",
        judges="I1 I5 I10 I12",
        bounds="1 anonymous page, 1 pin, 1 move",
    ),
    standing(
        "pin-collapse",
        "a pin of anonymous memory beside khugepaged",
        "pin@private, collapse@private",
        "anon",
        judges="I1 I5 I10 I12",
        bounds="1 anonymous page and room for its copy, 1 pin, 1 collapse",
    ),
    standing(
        "dma-swap-store",
        "O_DIRECT read into anonymous memory beside reclaim, and a load and a store of its owner",
        "dio-read@private, reclaim, load-store@private",
        "anon",
        judges="I1 I5 I10 I12",
        bounds="1 anonymous page, 1 DMA with 1 store, 1 round of reclaim, 1 load, 1 CPU store",
        reach=(STORES, ReachFunction("a slot is taken", "folio_alloc_swap")),
    ),
)


def probe(name: str, summary: str, key: str, *tasks: Task) -> Scenario:
    """A question about a design, on which nobody else works meanwhile."""
    return Scenario(
        name=name,
        summary=summary,
        tasks=tasks,
        initial=state("dirty rw").values,
        judges=("I12",),
        bounds="1 page, 1 mapping, 1 pin, nobody else",
        reach=(ReachFunction("a pin is dropped", "unpin_user_page"),),
        probes=key,
    )


PROBES: Final = (
    probe(
        "probe-gup-fast",
        "one pin by pin_user_pages_fast() of a page that is there, and its unpin",
        "gup_fast_works",
        Task("driver", tasks.pin_unpin, (1, SHARED, FOLL_WRITE | FOLL_PIN)),
    ),
    probe(
        "probe-pin-unpin",
        "the same by pin_user_pages(), with the locks",
        "slow_pin_works",
        Task("driver", tasks.pin_unpin_slow, (1, SHARED)),
    ),
    probe(
        "probe-irq-unpin",
        "one pin for an O_DIRECT read, dropped by the interrupt of its end",
        "irq_unpin_works",
        *played("dio-read@1", OPERATIONS)[0].tasks(),
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {it.name: it for it in sorted((*STANDING, *PROBES), key=lambda it: it.name)}
)

"""Pins made on purpose are found: by the census to the frame, by a walker to the address."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinlab.field.acts.pinning.kind import Held, hold, load
from pinlab.field.acts.pinning.memory import HUGE, Memory
from pinlab.field.census import census
from pinlab.field.census.result import rows_of
from pinlab.field.errors import FieldError
from pinlab.field.holders.attribution import attribute, join, walk
from pinlab.field.holders.claim import Claim
from pinlab.field.holders.extents import Extents
from pinlab.field.memory.live import LiveReader

pytestmark = pytest.mark.live

WALKERS = {"vmsplice": "pipe"}
"""Kinds of hold that have a walker of another name."""
KINDS = [
    (kind.name, memory)
    for kind in load().values()
    for memory in kind.memories
    if memory is not Memory.dax  # in a guest, which has persistent memory
]


@contextmanager
def held(kind: str, memory: Memory, size: int, count: int = 1) -> Iterator[tuple[Held, ...]]:
    """A hold; where the machine refuses it, the test is skipped and says why."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(hold(kind, size, memory=memory, count=count))
        except FieldError as error:
            pytest.skip(f"{kind} on {memory}: {error}")
        yield found


def frames(holds: tuple[Held, ...]) -> Counter[int]:
    """How many pins each folio should have, by the first frame told of it."""
    expected: Counter[int] = Counter()
    for each in holds:
        if each.counted_as != "pins":
            continue
        for extent in each.extents:
            expected[_head(extent.pfn, each.memory)] += extent.times
    return expected


def _head(pfn: int, memory: Memory) -> int:
    pages = HUGE // 4096 if memory in (Memory.thp, Memory.hugetlb) else 1
    return pfn // pages * pages


def pinned(live: LiveReader) -> Counter[int]:
    folios = census(live).folios
    return Counter(dict(zip(folios.pfn.tolist(), folios.pins.tolist(), strict=True)))


def settled(live: LiveReader) -> Counter[int]:
    """The pins of others, once what our last hold had is gone."""
    for _ in range(50):
        found = pinned(live)
        if not found:
            break
        time.sleep(0.02)
    return found


def claim_of(claims: tuple[Claim, ...], one: Held) -> Claim:
    """The walker's word on a hold."""
    kind = WALKERS.get(one.kind, one.kind)
    mine = [
        each
        for each in claims
        if each.kind == kind
        and each.address == one.address
        and any(owner.pid == one.pid for owner in each.owners)
    ]
    assert len(mine) == 1, f"{one.kind} on {one.memory}: {len(mine)} claims of {len(claims)}"
    return mine[0]


@pytest.mark.usefixtures("huge_pages")
@pytest.mark.parametrize(("kind", "memory"), KINDS, ids=[f"{k}-{m}" for k, m in KINDS])
def test_every_hold_is_explained(live: LiveReader, kind: str, memory: Memory) -> None:
    with held(kind, memory, 40 << 10, count=2) as holds:
        whole = attribute(live)
        claims = tuple(share.claim for share in whole.shares)
        for one in holds:
            claim = claim_of(claims, one)
            assert claim.length == one.length
            assert claim.extents == one.extents or claim.weak
            assert claim.references == (one.counted_as == "references")
            assert set(claim.accounted_in) == set(one.accounted_in)
            assert one.fd is None or one.fd in {owner.fd for owner in claim.owners}
        assert whole.agrees
        assert int(whole.unexplained.sum()) == 0
        assert frames(holds) <= pinned(live)


MIX = st.lists(
    st.tuples(
        st.sampled_from([(k, m) for k, m in KINDS if m is not Memory.hugetlb]),
        st.integers(1, 96 << 10),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(mix=MIX)
def test_any_mix_is_found_to_the_frame(
    live: LiveReader, mix: list[tuple[tuple[str, Memory], int]]
) -> None:
    before = settled(live)
    with ExitStack() as stack:
        holds: tuple[Held, ...] = ()
        for (kind, memory), size in mix:
            holds += stack.enter_context(held(kind, memory, size))
        during = pinned(live)
        claims = walk(live).claims
        for one in holds:
            claim_of(claims, one)
    after = settled(live)

    assert during - before == frames(holds)
    assert after == before


def test_a_hundred_thousand_pages(live: LiveReader) -> None:
    with held("io_uring", Memory.anon, 400 << 20) as holds:
        whole = attribute(live)
        (share,) = [each for each in whole.shares if each.claim.address == holds[0].address]
        assert share.found == 102_400
        assert whole.agrees


@contextmanager
def churn() -> Iterator[None]:
    """A thread that makes pins of every quick kind and gives them back, without a pause."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                for kind in ("io_uring", "af_xdp", "vmsplice", "process_vm"):
                    with hold(kind, 256 << 10):
                        pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures


@pytest.mark.slow
def test_settled_pins_are_explained_while_others_come_and_go(live: LiveReader) -> None:
    with held("io_uring", Memory.anon, 1 << 20) as holds, churn():
        mine = Extents.of_pages(holds[0].extents.pfn)
        for _ in range(15):
            whole = join(census(live), walk(live))
            claim = claim_of(tuple(share.claim for share in whole.shares), holds[0])
            assert claim.extents == mine
            rows, inside = rows_of(whole.census.folios, mine.pfn)
            assert inside.all()
            assert (whole.census.folios.pins[rows] == 1).all()
            assert (whole.unexplained[rows] == 0).all() and (whole.overcount[rows] == 0).all()


@pytest.mark.parametrize("rounds", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_io_that_comes_and_goes_accuses_nobody(
    live: LiveReader, tmp_path: Path, rounds: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8 << 20))
    words = ["dd", f"if={path}", "of=/dev/null", "bs=1M", "iflag=direct,fullblock", "status=none"]
    if subprocess.run(words).returncode:
        pytest.skip("the file system of the temporary folder has no O_DIRECT")
    loop = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", f"while {' '.join(words)}; do :; done"]
    children = [subprocess.Popen(loop, start_new_session=True) for _ in range(2)]
    try:
        seen = 0
        for _ in range(rounds):
            whole = attribute(live)
            seen += whole.census.pins + len(whole.shares)
            assert whole.agrees
    finally:
        for child in children:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    assert seen

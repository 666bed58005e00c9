"""Records of the running kernel: attach to its tracepoints, read the ring.

The ring is shared memory, so a batch is read without a system call. Refused: waking up for each
record (it doubles the cost of one), perf buffers (one per CPU, so records come out of order).
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, suppress

import numpy as np

from pinlab.field.errors import ReaderError
from pinlab.field.layout.btf import VMLINUX, Btf
from pinlab.field.machine import bpf
from pinlab.field.memory.live import LiveReader
from pinlab.field.probes import argument, bio, folio, record
from pinlab.field.probes.hooks import (
    FUNCTIONS,
    TRACEPOINTS,
    Function,
    Hook,
    Success,
    event_layout,
    function_mismatch,
    mismatch,
)
from pinlab.field.probes.record import Records
from pinlab.field.probes.ring import HEADER, Ring

RING_BYTES = 64 << 20
STACKS = 1 << 14
"""Stacks that can be told apart."""


class Source:
    """The events of the running kernel, from when it is made until `stop`."""

    def __init__(self, *, ring_bytes: int = RING_BYTES, only: folio.Filter | None = None) -> None:
        """Attach. Raises FieldError if the kernel does not let us, or lacks what O1 needs."""
        self.ring_bytes = ring_bytes
        self.attached: list[str] = []
        self.failed: list[str] = []
        self.functions: set[Hook] = set()
        with ExitStack() as stack:
            self.reader = reader = stack.enter_context(LiveReader())
            self.kernel = reader.release
            self._vmemmap = reader.vmemmap
            self.layout = event_layout(reader.btf)
            self.btf_sha256 = hashlib.sha256(VMLINUX.read_bytes()).hexdigest()
            try:
                self._ring = Ring(ring_bytes, record.in_ring(HEADER))
                stack.callback(self._ring.close)
                self._full = bpf.ArrayMap(8)
                stack.callback(self._full.close)
                self.stacks = bpf.StackMap(folio.FRAMES, STACKS)
                stack.callback(self.stacks.close)
            except OSError as error:
                raise ReaderError(f"no ring buffer for events: {error.strerror}") from None
            self.maps = folio.Maps(self._ring.fd, self._full.fd, self.stacks.fd)
            self.measured = self._measure(stack)
            self._programs: list[bpf.Program] = []
            self._links: list[int] = []
            self._ran = bpf.Runs()
            stack.callback(self.stop)
            self._attach(reader, only or folio.Filter())
            self._stack = stack.pop_all()

    @staticmethod
    def _measure(stack: ExitStack) -> bool:
        """Have the kernel measure what our programs cost, if it lets us."""
        try:
            stack.callback(os.close, bpf.measured())
        except OSError:
            return False
        return True

    def _attach(self, reader: LiveReader, only: folio.Filter) -> None:
        # What ends an interval comes before what begins it.
        for hook in sorted(TRACEPOINTS, reverse=True):
            name, _ = TRACEPOINTS[hook]
            if why := mismatch(reader.btf, hook):
                self.failed.append(why)
                continue
            try:
                loaded = self._load(hook, only)
            except OSError as error:
                self.failed.append(f"{name}: {error.strerror}")
                continue
            try:
                self._links.append(bpf.attach(loaded, name))
            except OSError as error:
                loaded.close()
                self.failed.append(f"{name}: {error.strerror}")
                continue
            self._programs.append(loaded)
            self.attached.append(name)
        if not self.attached:
            raise ReaderError(f"no tracepoint could be attached: {'; '.join(self.failed)}")
        self._attach_functions(reader.btf, only)

    def _attach_functions(self, btf: Btf, only: folio.Filter) -> None:
        """Watch functions too, where the kernel lets us; without them more is inferred."""
        refused: dict[str, list[str]] = {}
        for function in FUNCTIONS:
            if why := function_mismatch(btf, function):
                self.failed.append(why)
                continue
            try:
                self._attach_function(btf, function, only)
            except OSError as error:
                refused.setdefault(error.strerror or "", []).append(function.name)
        self.failed += [f"{', '.join(names)}: fentry: {why}" for why, names in refused.items()]

    def _attach_function(self, btf: Btf, function: Function, only: folio.Filter) -> None:
        number = btf.function(function.name)
        assert number is not None
        code = argument.of_function(function, self.layout, self.maps, only)
        target = bpf.Target(number, leaving=function.success is not Success.CALLED)
        loaded = bpf.Program(code, target)
        try:
            self._links.append(bpf.attach(loaded))
        except OSError:
            loaded.close()
            raise
        self._programs.append(loaded)
        self.attached.append(function.name)
        self.functions.add(function.hook)

    def _load(self, hook: Hook, only: folio.Filter) -> bpf.Program:
        if hook in (Hook.DIRTY, Hook.CACHE_ADD, Hook.CACHE_DEL):
            return bpf.Program(argument.of_folio(hook, self.layout, self.maps, only))
        try:
            return bpf.Program(bio.of_bio(hook, self.layout, self.maps, only))
        except OSError:
            bounded = bio.of_bio(hook, self.layout, self.maps, only, may_goto=False)
            return bpf.Program(bounded)

    def take(self, most: int) -> Records:
        """At most so many of the records that are there now."""
        return record.decode(self._ring.take(most), self.layout, self._vmemmap)

    @property
    def ran(self) -> bpf.Runs:
        """What the programs did so far."""
        return sum((each.runs() for each in self._programs), self._ran)

    @property
    def full(self) -> int:
        """Records lost so far as the ring was full."""
        return int(np.frombuffer(self._full.memory, np.uint64, 1)[0])

    def stop(self) -> None:
        """Detach; what is in the ring can still be read."""
        while self._links:
            with suppress(OSError):
                os.close(self._links.pop())
        self._ran = self.ran
        while self._programs:
            self._programs.pop().close()

    def close(self) -> None:
        """Detach, and give the ring back."""
        self._stack.close()

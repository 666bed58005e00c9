"""Work on a Ray cluster: the one place that knows Ray.

What is sent is plain data and the name of a function, as functions of the model cannot be pickled.
A worker that dies with its node is no loss but of time: Ray gives its task to another one. A node
whose pinlab is another one refuses, as its answers might be others.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any, Final

from pinlab.errors import UsageError
from pinlab.garbage import uncollected
from pinlab.lab import compiled, ledger

LOCAL: Final = "local"
"""The address that starts a cluster of this machine alone, and ends it."""

RETRIES: Final = 100
"""How often a task is given to another worker if its own dies."""

PATIENCE: Final = 15
"""Seconds in which a cluster must answer."""

STORE: Final = 100 << 20
"""Bytes of the object store of a cluster that is started here: what is sent are names."""

LOOK: Final = 5
"""Seconds without an answer after which it is looked whether the head is still there."""

QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
}
"""Ray reads its environment when it is imported. When the head is lost it would end this process
after a minute, with status 1, which is *violated*: we look ourselves."""

LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What Ray takes for the address of this machine is 127.0.0.1, and nothing else is listened to.
Without it Ray replaces 127.0.0.1 by an address that others can reach."""

PROBE: Final = """
import logging, sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except Exception as error:
    print(" ".join(str(error).split()))
    sys.exit(1)
"""


class Lost(Exception):
    """The cluster is gone, or its head or our own node is, and with it what was not answered."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that this process works with."""

    cpus: int
    """Tasks that it does at a time, when we came to it."""

    def run(self, prepare: str, setup: object, items: Sequence[Any]) -> Generator[Any, None, None]:
        """What each item gives, in their order. `prepare` is "module:function"; in each worker it
        makes of `setup` the function that works on items, once. Closed, or left by Ctrl-C, it
        cancels what is left. Raises UsageError if a node has another pinlab, or what work raises
        as UsageError; Lost if the cluster is gone."""
        import ray

        at = ray.put(setup)
        work = ray.remote(num_cpus=1, max_retries=RETRIES)(_work)
        waiting = deque(work.remote(version(), prepare, [at], item) for item in items)
        try:
            while waiting:
                yield _answer(waiting[0])
                waiting.popleft()
        finally:
            for each in waiting:
                ray.cancel(each, force=True)


@contextmanager
def joined(address: str) -> Iterator[Cluster]:
    """The cluster at an address as ray.init takes it. `local` starts one for the time of the block,
    which listens on 127.0.0.1 alone. In the block nothing gets to standard output: Ray says there
    that a node died. Raises UsageError if no cluster answers, ModuleNotFoundError if Ray is not
    installed."""
    is_local = address == LOCAL
    for name, value in {**QUIET, **(LOOPBACK if is_local else {})}.items():
        os.environ.setdefault(name, value)
    import ray

    with ExitStack() as ending:
        settings: dict[str, Any] = {}
        if is_local:
            folder = TemporaryDirectory(
                prefix="pinlab-ray-", dir="/tmp", ignore_cleanup_errors=True
            )
            settings = {
                "include_dashboard": False,
                "object_store_memory": STORE,
                "_node_ip_address": "127.0.0.1",
                "_temp_dir": ending.enter_context(folder),
            }
        else:
            _refuse_silent(address)
        nowhere = ending.enter_context(open(os.devnull, "w", encoding="utf-8"))
        ending.enter_context(redirect_stdout(nowhere))
        ending.callback(ray.shutdown)
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **settings)
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if not cpus:
            raise UsageError(f"--ray {address}: the cluster has no CPU: add a node to it")
        yield Cluster(cpus)


def _refuse_silent(address: str) -> None:
    """Raises UsageError if no cluster answers."""
    if "://" in address:
        raise UsageError(f"--ray {address}: give HOST:PORT of the cluster's head, auto, or local")
    if why := _unheard(address) or _unanswered(address):
        raise UsageError(
            f"--ray {address}: there is no cluster with this machine in it: {why.rstrip('.')}; "
            "`ray start --head` starts one, `ray start --address=HOST:PORT` joins one"
        )


def _unheard(address: str) -> str:
    """Why nobody listens at HOST:PORT; empty if somebody does, or if the address is a word."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return ""


def _unanswered(address: str) -> str:
    """Why the cluster cannot be joined; empty if it can. It is tried in a process of its own: where
    nobody answers, Ray takes a minute to find that out, and then ends the process."""
    line = [sys.executable, "-P", "-c", PROBE, address]
    silent = f"nothing answers within {PATIENCE} s"
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return silent
    return (done.stdout.strip() or silent) if done.returncode else ""


def version() -> tuple[str, str]:
    """What must be alike everywhere: the code that explores, what it runs on, and the model."""
    return ledger.engine(), compiled.package()


# -------------------------------------------------------------------------------- in the driver


def _answer(task: Any) -> Any:
    """What a task gave. Raises UsageError if it raised that, Lost if the cluster is gone."""
    import ray

    try:
        while True:
            try:
                return ray.get(task, timeout=LOOK)
            except ray.exceptions.GetTimeoutError:
                if _unheard(ray.get_runtime_context().gcs_address):
                    raise Lost("the head of the cluster is gone") from None
    except ray.exceptions.RayTaskError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, UsageError):
            raise UsageError(str(cause)) from None
        if "failed to import on the worker" in str(cause):
            raise UsageError(
                "a node of the cluster cannot import pinlab: install this version of it there, "
                "with the extras lab and ray"
            ) from None
        raise
    except ray.exceptions.RayError as error:
        raise Lost(f"the cluster is lost: {str(error).splitlines()[0].rstrip('.')}") from None


# --------------------------------------------------------------------------------- in a worker

_ready: tuple[str, Callable[[Any], Any]] | None = None
"""By which setup the worker works, and how."""


def _work(driver: tuple[str, str], prepare: str, setup: list[Any], item: Any) -> Any:
    """What an item gives. A setup is given in a list, as Ray would otherwise fetch it each time."""
    global _ready
    import ray

    if driver != version():
        node = ray.util.get_node_ip_address()
        raise UsageError(
            f"node {node} of the cluster has another version of pinlab, of Python, or of what "
            "pinlab runs on: install the same everywhere"
        )
    (at,) = setup
    if _ready is None or _ready[0] != at.hex():
        module, _, name = prepare.partition(":")
        _ready = at.hex(), getattr(import_module(module), name)(ray.get(at))
    with uncollected():
        return _ready[1](item)

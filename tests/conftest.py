"""Fixtures for all tests."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinlab.lab import compiled, face, ledger
from pinlab.lab.results import Comparison
from pinlab.lab.store import Store

# pinlab is started some hundreds of times: it shall not be compiled each time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Instead of the scheduling that --dist names."""
    from tests.scheduling import Scheduling

    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_kept() -> Iterator[None]:
    """What a test explores it explores; and what it explores with an engine that it has changed is
    no one else's. Commands that tests start are as the user's."""
    with pytest.MonkeyPatch.context() as patch:
        for each in (ledger, compiled):
            patch.setattr(each, "store", lambda: Store(Path("/proc/nowhere"), "nothing"))
        yield


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Every design of the package against every objective: explored once for all tests.

    The processes of pytest-xdist share it through a file: the first one explores, others wait.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return face.compare()
    shared: Path = tmp_path_factory.getbasetemp().parent / "comparison.pickle"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            shared.write_bytes(pickle.dumps(face.compare()))
    found = pickle.loads(shared.read_bytes())
    assert isinstance(found, Comparison)
    return found

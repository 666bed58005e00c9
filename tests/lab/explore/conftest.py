from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinlab.lab.explore import native, objectcache, reference
from pinlab.lab.explore.result import Exploration


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An object cache of its own for each module, so that tests leave nothing behind."""
    assert native  # the search has its folder, which tests share, before it changes
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectcache, "cache_folder", lambda: folder)
        yield folder


@pytest.fixture(params=[reference.explore, native.explore], ids=["interpreter", "native"])
def explore(request: pytest.FixtureRequest) -> Callable[..., Exploration]:
    """Each explorer in turn."""
    function: Callable[..., Exploration] = request.param
    return function

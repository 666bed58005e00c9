"""The pictures of the README can be taken anew, by one command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tools import pictures

pytestmark = pytest.mark.slow


def test_both_are_taken(tmp_path: Path) -> None:
    if not any(map(shutil.which, pictures.BROWSERS)):
        pytest.skip("no browser is installed (Debian: chromium)")
    whole = os.geteuid() == 0
    assert pictures.main(tmp_path) == (0 if whole else 1)
    taken = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(taken) == ({"player.png", "who.png"} if whole else {"player.png"})
    assert all(it.startswith(b"\x89PNG") and len(it) <= 300_000 for it in taken.values())

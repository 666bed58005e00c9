"""docs/patch.md, followed as written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import follow

PAGE = Path(__file__).parents[2] / "docs" / "patch.md"


@pytest.mark.slow
def test_the_page(tmp_path: Path) -> None:
    wrong = follow(PAGE.read_text(encoding="utf-8"), tmp_path)
    assert not wrong, "docs/patch.md\n" + "\n\n".join(wrong)

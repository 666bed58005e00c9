"""Drivers that try to get a wrong answer out of the audit; those that still do, by name.

Whoever mends one takes its name off the list. None may be added.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pinlab.audit import tree as trees
from pinlab.audit.audit import audit
from pinlab.audit.results import Verdict
from tests.audit.attacks import drivers
from tests.audit.trees import tree

pytestmark = pytest.mark.slow

WRONG_RIGHTS = frozenset(
    {
        "core_folder_put, and one is seen",
        "free_page_addr, and one is seen",
        "skb_frag_unref, and one is seen",
        "struct_own_and_header_same_tag, and one is seen",
        "table_sibling_excluded",
        "table_sibling_excluded, and one is seen",
        "table_sibling_probe_remove, and one is seen",
    }
)
"""A pin is put, and the audit says that all is right."""

OMITTED = frozenset(
    {
        "site_asm_file_inc",
        "site_paste",
    }
)
"""The audit sees no site at all: the preprocessor makes its name, or it is in no file of C."""


@contextmanager
def _one() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees of one file are not worth a process."""
    monkeypatch.setattr(trees, "workers", _one)


def verdicts(place: Path, *, good: bool) -> dict[str, set[Verdict]]:
    found = {}
    for number, (name, files) in enumerate(drivers(good=good).items()):
        sites = audit(tree(place / str(number), files)).sites
        found[name] = {each.verdict for each in sites}
    return found


def test_who_puts_a_pin_is_not_right(tmp_path: Path) -> None:
    found = verdicts(tmp_path, good=False)
    doubt = {Verdict.wrong, Verdict.unknown, Verdict.by_flag}
    right = {name for name, each in found.items() if Verdict.right in each and not each & doubt}
    assert right == WRONG_RIGHTS
    assert {name for name, each in found.items() if not each} == OMITTED


def test_who_unpins_is_not_wrong(tmp_path: Path) -> None:
    found = verdicts(tmp_path, good=True)
    assert not {name for name, each in found.items() if Verdict.wrong in each}

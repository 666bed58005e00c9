"""Mistakes in a design that keeps O1, O2, I3 and I10: none of them is passed over.

Something is dropped, doubled, put in another order, forgotten or misspelt. Each is refused, or
something that held no longer does.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from pinlab.errors import UsageError
from pinlab.lab import check, face
from pinlab.objectives.verdict import Outcome

SOUND = '''"""counted-bounce: pins are counted in a field, pinned pages are written by a copy."""

from pinlab.lab.language.kernel import *
from pinlab.lab.linux.design import BOUNCE_DIRTY, SKIP, get_page, put_page
from pinlab.lab.linux.types import Page

pincount = per_page(0, 3, bytes=8)


@kernel
def grab_page(page: Page) -> bool:
    get_page(page)
    atomic_inc(pincount[page])
    return True


@kernel
def grab_page_fast(page: Page) -> bool:
    if not atomic_inc_not_zero(page._refcount):
        return False
    atomic_inc(pincount[page])
    return True


@kernel
def undo_grab(page: Page) -> None:
    release_page(page)


@kernel
def release_page(page: Page) -> None:
    atomic_dec(pincount[page])
    put_page(page)


@kernel
def page_pinned(page: Page) -> bool:
    return atomic_read(pincount[page]) > 0


@kernel
def writeback_pinned(page: Page, sync: bool) -> u3:
    if not sync:
        return SKIP
    return BOUNCE_DIRTY


@kernel
def reclaim_may_release(page: Page) -> bool:
    return not page_pinned(page)
'''

SCENARIOS = ("direct-io-fsync", "direct-io-fsync-zap", "direct-io-reclaim", "munmap-gup-fast")
LEFT_OVER = ("dax-truncate", "longterm-dax", "fork-private-fsync")
"""Where somebody waits for the last reference, or asks again when all pins are gone."""

IN_SLOW = "    get_page(page)\n    atomic_inc(pincount[page])\n"
IN_FAST = "        return False\n    atomic_inc(pincount[page])\n"
AT_END = "    atomic_dec(pincount[page])\n    put_page(page)\n"
COUNTED = "return atomic_read(pincount[page]) > 0"

MISTAKES = {
    "drop: slow GUP takes no reference": (IN_SLOW, "    atomic_inc(pincount[page])\n"),
    "drop: slow GUP does not count": (IN_SLOW, "    get_page(page)\n"),
    "drop: GUP-fast does not count": (IN_FAST, "        return False\n"),
    "drop: a reference is not asked for": (
        "    if not atomic_inc_not_zero(page._refcount):\n        return False\n",
        "    get_page(page)\n",
    ),
    "drop: not": ("    if not sync:", "    if sync:"),
    "double: put_page()": (AT_END, AT_END + "    put_page(page)\n"),
    "double: the count goes twice": (AT_END, "    atomic_dec(pincount[page])\n" + AT_END),
    "double: undone twice": ("    release_page(page)\n\n", "    release_page(page)\n" * 2 + "\n"),
    "double: a function": (
        "@kernel\ndef undo_grab",
        "@kernel\ndef page_pinned(page: Page) -> bool:\n    return False\n\n\n"
        "@kernel\ndef undo_grab",
    ),
    "reorder: parameters": ("page: Page, sync: bool", "sync: bool, page: Page"),
    "reorder: behind the return": (
        "    atomic_inc(pincount[page])\n    return True\n\n\n@kernel\ndef undo_grab",
        "    return True\n    atomic_inc(pincount[page])\n\n\n@kernel\ndef undo_grab",
    ),
    "reorder: asked the wrong way round": (COUNTED, COUNTED.replace("> 0", "== 0")),
    "forget: the mark of GUP-fast": ("@kernel\ndef grab_page_fast", "def grab_page_fast"),
    "forget: a return": (IN_FAST + "    return True\n", IN_FAST),
    "forget: undo_grab": (
        "@kernel\ndef undo_grab(page: Page) -> None:\n    release_page(page)\n",
        "",
    ),
    "forget: a copy": ("    return BOUNCE_DIRTY\n", "    return 0\n"),
    "forget: sync": ("    if not sync:\n        return SKIP\n", "    return SKIP\n"),
    "misspell: release_page": ("def release_page", "def realese_page"),
    "misspell: a hook of the policy": ("def writeback_pinned", "def writeback_pined"),
    "misspell: the count": ("pincount[page]) > 0", "pin_count[page]) > 0"),
    "misspell: a field": ("page._refcount", "page._refcnt"),
    "misspell: an import": ("SKIP, get_page,", "SKIP, get_pgae,"),
    "misspell: the base": ("pincount = per_page", 'BASE = "refcount-bais"\npincount = per_page'),
}

LEAKS = {
    "the count stays": (AT_END, "    put_page(page)\n"),
    "the reference stays": (AT_END, "    atomic_dec(pincount[page])\n"),
    "nothing is undone": ("    release_page(page)\n\n", "    pass\n\n"),
    "slow GUP counts twice": (IN_SLOW, IN_SLOW + "    atomic_inc(pincount[page])\n"),
    "slow GUP takes two references": (IN_SLOW, "    get_page(page)\n" + IN_SLOW),
}


Held = frozenset[tuple[str, str]]


def held(path: Path, scenarios: tuple[str, ...] = SCENARIOS) -> Held:
    """The (objective, scenario) that hold. Raises UsageError if the design is refused."""
    result = check.check(face.load_design(str(path)), scenarios)
    rows = (row for row in result.rows if row.verdict.outcome is Outcome.HOLDS)
    return frozenset((row.objective, row.scenario) for row in rows)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """What the design without a mistake holds."""
    path = tmp_path_factory.mktemp("sound") / "sound.py"
    path.write_text(SOUND)
    return held(path)


def test_the_design_without_a_mistake_keeps_what_the_mistakes_break(sound: Held) -> None:
    assert {"O1", "O2", "I3", "I10"} <= {objective for objective, _ in sound}


def broken(folder: Path, before: str, after: str) -> Path:
    """The design with a change."""
    assert SOUND.count(before) == 1
    path = folder / "broken.py"
    path.write_text(SOUND.replace(before, after))
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_or_breaks_what_held(
    tmp_path: Path, sound: Held, mistake: str
) -> None:
    path = broken(tmp_path, *MISTAKES[mistake])
    with suppress(UsageError):
        assert sound - held(path)


@pytest.fixture(scope="module")
def sound_at_the_end(tmp_path_factory: pytest.TempPathFactory) -> Held:
    path = tmp_path_factory.mktemp("sound") / "sound.py"
    path.write_text(SOUND)
    return held(path, LEFT_OVER)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_breaks_what_held(tmp_path: Path, sound_at_the_end: Held, leak: str) -> None:
    assert sound_at_the_end - held(broken(tmp_path, *LEAKS[leak]), LEFT_OVER)

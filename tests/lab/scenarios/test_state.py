"""Initial states said in words: what they set, that the books balance, what is refused."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinlab.errors import UsageError
from pinlab.lab.linux.types import CPU_DATA, FILE_PAGES, PAGES, PTE_DIRTY, PTE_PFN, PTE_WRITE
from pinlab.lab.scenarios.state import State
from pinlab.lab.scenarios.words import WORDS, state


def test_a_dirty_page_mapped_by_two() -> None:
    values = state("dirty+buffers rw+rw2").values
    assert values["Page._refcount"] == (3, 1, 0, 0)  # the cache and two entries; frame 2 is held
    assert values["Page._mapcount"] == (1, -1, -1, -1)
    assert values["Page.PageBuddy"] == (0, 0, 1, 1)
    assert values["Vma.pte"][::FILE_PAGES] == (1 | PTE_WRITE | PTE_DIRTY,) * 2 + (0, 0)
    assert values["Page.data"][0] == CPU_DATA
    assert values["disk"] == (0, 0, 0, 0)


def test_what_is_clean_is_on_the_disk() -> None:
    assert state("clean+buffers ro").values["disk"] == (0, CPU_DATA, 0, 0)


def test_a_dax_page_is_its_block() -> None:
    values = state("dax rw").values
    assert values["Page._refcount"][0] == 1
    assert values["Page._mapcount"][0] == -1
    assert values["AddressSpace.block"] == (1, 0)
    assert values["dax"] == (1,)


def test_after_a_fork_both_map_the_page_read_only() -> None:
    values = state("anon+forked").values
    assert values["Vma.pte"][2 * FILE_PAGES :: FILE_PAGES] == (3, 3)
    assert (values["Page._refcount"][2], values["Page._mapcount"][2]) == (2, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dirty+bufers", "no word 'bufers': .*buffers.*pinlab list states"),
        ("clean+dirty", "no state is clean and dirty"),
        ("anon rw", "no state is anon and rw"),
        ("dax+buffers", "no state is dax and buffers"),
        ("forked", "say anon"),
        ("clean rw", "say dirty, or ro"),
        ("dirty", r"say dirty\+buffers"),
    ],
)
def test_what_cannot_be_is_refused(words: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        state(words)


@given(st.lists(st.sampled_from([*WORDS]), unique=True))
def test_order_and_separators_do_not_matter_and_the_books_balance(words: list[str]) -> None:
    try:
        made = state(" ".join(words))
    except UsageError:
        return
    assert state("+".join(reversed(words))) == made
    assert state(made.name) == made
    assert_balanced(made)


def assert_balanced(made: State) -> None:
    values = made.values
    for frame in range(1, PAGES + 1):
        entries = sum(entry & PTE_PFN == frame for entry in values["Vma.pte"])
        cached = values["AddressSpace.i_pages"].count(frame)
        refs, maps = values["Page._refcount"][frame - 1], values["Page._mapcount"][frame - 1]
        is_dax = made.has("dax") and frame == 1
        assert values["Page.mapping"][frame - 1] == cached <= 1
        assert maps == (0 if is_dax else entries) - 1
        others = refs - cached - (0 if is_dax else entries)
        assert others == int(not (entries or cached or values["Page.PageBuddy"][frame - 1]))


def test_all_words_are_used() -> None:
    made = [state(" ".join(pair)) for pair in product(["clean", "dirty+buffers"], ["", "ro+ro2"])]
    assert len({each.name for each in made}) == 4

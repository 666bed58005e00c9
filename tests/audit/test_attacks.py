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
        "as_long_local, and one is seen",
        "as_tagged_xor, and one is seen",
        "cleanup_attribute, and one is seen",
        "compare_null_member_uppercase, and one is seen",
        "core_folder_put, and one is seen",
        "define_free, and one is seen",
        "dma_addr_page, and one is seen",
        "fnptr_array, and one is seen",
        "fnptr_page_arg, and one is seen",
        "fnptr_param, and one is seen",
        "free_page_addr, and one is seen",
        "global_extern_other_file, and one is seen",
        "helper_lib_folder_odd_name, and one is seen",
        "helper_other_folder, and one is seen",
        "index_plus_left, and one is seen",
        "inline_in_include, and one is seen",
        "iov_iter_bvec_kept, and one is seen",
        "macro_field_accessor, and one is seen",
        "macro_in_header, and one is seen",
        "page_private_direct, and one is seen",
        "pagevec_release, and one is seen",
        "pfn_shifted_mul, and one is seen",
        "positional_initialiser, and one is seen",
        "returned_err_ptr",
        "reversed_index, and one is seen",
        "skb_frag_unref, and one is seen",
        "struct_header_other_folder_put, and one is seen",
        "struct_own_and_header_same_tag, and one is seen",
        "table_sibling_excluded",
        "table_sibling_excluded, and one is seen",
        "table_sibling_probe_remove, and one is seen",
        "typed_by_macro_entry, and one is seen",
        "va_args, and one is seen",
        "void_cast_inline, and one is seen",
        "wrapper_flag_caller_mixed",
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

WRONG_WRONGS = frozenset(
    {
        "innocent_kind_mm",
        "innocent_kind_null_check",
        "innocent_kind_ops_one_file",
        "innocent_kind_switch",
        "innocent_kind_type_eq",
        "innocent_kind_userptr",
        "innocent_scoped_shadow",
        "innocent_zero_page_fallback",
    }
)
"""All pins are let go as pins, and the audit says otherwise."""


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
    assert {name for name, each in found.items() if Verdict.wrong in each} == WRONG_WRONGS

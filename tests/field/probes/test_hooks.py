"""Tracepoints of another kernel, and programs as instructions."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pinlab.field.events import names
from pinlab.field.layout.btf import Btf
from pinlab.field.probes import assembler as a
from pinlab.field.probes import symbols as module
from pinlab.field.probes.hooks import FUNCTIONS, Hook, function_mismatch, mismatch
from pinlab.field.probes.symbols import Told, told


class Types:
    """As much of a Btf as `mismatch` asks."""

    def __init__(self, flags: bool = True, /, **found: tuple[str, ...]) -> None:
        self._found = found
        self._flags = flags

    def enumerator(self, name: str) -> int | None:
        return 1 if self._flags else None

    def parameters(self, name: str) -> tuple[str, ...] | None:
        return self._found.get(name)


def why(**found: tuple[str, ...]) -> str:
    return mismatch(cast(Btf, Types(True, **found)), Hook.RQ_COMPLETE)


def test_the_prototype_is_the_expected_one() -> None:
    types = ("void *", "struct request *", "blk_status_t", "unsigned int")
    assert why(btf_trace_block_rq_complete=types) == ""


def test_the_prototype_is_another_one() -> None:
    types = ("void *", "struct request *", "int", "unsigned int")
    assert why(btf_trace_block_rq_complete=types) == (
        "block_rq_complete: its prototype is (struct request *, int, unsigned int), "
        "not (struct request *, blk_status_t, unsigned int)"
    )


def test_there_is_no_such_tracepoint() -> None:
    assert why() == "block_rq_complete: this kernel has no such tracepoint"


def test_functions() -> None:
    grab = next(each for each in FUNCTIONS if each.name == "try_grab_folio")
    for types, sentence in (
        (Types(), "this kernel has no such function"),
        (Types(try_grab_folio=grab.parameters), ""),
        (Types(False, try_grab_folio=grab.parameters), "which flag FOLL_PIN is"),
        (Types(try_grab_folio=("struct page *", "int")), "its prototype is (struct page *, int)"),
    ):
        assert sentence in function_mismatch(cast(Btf, types), grab)
        assert bool(sentence) == bool(function_mismatch(cast(Btf, types), grab))


def test_labels() -> None:
    top, end = a.Label("top"), a.Label("end")
    code = a.assemble([top, a.op(0xB7), a.if_equal(1, 0, "end"), a.go("top"), end])
    assert len(code) == 24
    assert code[8:16] == a.op(0x15, 1, offset=1)
    assert code[16:] == a.op(0x05, offset=-3)


def test_a_label_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        a.assemble([a.Label("x"), a.Label("x")])


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (("__folio_mark_dirty", "block_page_mkwrite", "ext4_page_mkwrite"), Told.yes),
        (("filemap_dirty_folio", "__bio_release_pages", "blkdev_read_iter"), Told.no),
        (("folio_mark_dirty_lock", "fuse_release_user_pages", "vfs_write_iter"), Told.no),
        (("btrfs_dirty_folio", "btrfs_buffered_write", "folio_mark_dirty_lock"), Told.yes),
        (("__folio_mark_dirty", "zap_pte_range"), Told.unknown),
        ((), Told.unknown),
    ],
)
def test_what_a_stack_says(stack: tuple[str, ...], expected: Told) -> None:
    assert told(stack) is expected


def test_a_module_that_is_loaded_later_has_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "kallsyms"
    table.write_text("0000000000001000 T vfs_write_iter\n")
    (tmp_path / "modules").mkdir()
    monkeypatch.setattr(module, "KALLSYMS", table)
    monkeypatch.setattr(module, "MODULES", tmp_path / "modules")
    symbols = module.Symbols()
    assert symbols.name(0x2010) == "vfs_write_iter"
    table.write_text(table.read_text() + "0000000000002000 t xfs_end_io\t[xfs]\n")
    (tmp_path / "modules" / "xfs").mkdir()
    assert symbols.name(0x2010) == "xfs_end_io"


def test_devices() -> None:
    assert names.numbers(254 << 20 | 3) == "254:3"
    assert names.device(0xFFF << 20 | 9) == "4095:9"

"""Symbols are looked up in the text of /proc/kallsyms."""

from __future__ import annotations

import pytest

from pinlab.field.memory.live import address_of

TABLE = b"""0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000010 t twice
ffffffff81000020 t twice
ffffffff82000000 D page_offset_base
ffffffff82000008 D my_page_offset_base
ffffffffc0000000 d xsk_map_ops\t[xsk]
"""


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("page_offset_base", 0xFFFFFFFF82000000),
        ("_stext", 0xFFFFFFFF81000000),
        ("offset_base", None),
        ("xsk_map_ops", None),
        ("twice", None),
        ("fixed_percpu_data", None),
        ("", None),
    ],
)
def test_a_symbol_of_the_kernel_proper_has_its_address(name: str, address: int | None) -> None:
    assert address_of(name, TABLE) == address


def test_where_there_is_no_table_there_are_no_symbols() -> None:
    assert address_of("page_offset_base", b"") is None

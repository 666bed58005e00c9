"""The doctor finds what it holds, and leaves nothing behind."""

from __future__ import annotations

import time

import pytest

from pinlab.field.acts.doctor import examine
from pinlab.field.census import census
from tests.live import needs

pytestmark = pytest.mark.live


def test_what_works_here() -> None:
    with needs.reader() as reader:
        findings = {(each.kind, each.name): each for each in examine()}
        assert findings["reader", "live (BPF)"].works
        for kind, name in (("holder", "io_uring"), ("walker", "io_uring"), ("walker", "pipe")):
            if not findings["holder", "io_uring"].works:
                pytest.skip(findings["holder", "io_uring"].detail)
            assert findings[kind, name].works, findings[kind, name]
        assert all(each.detail for each in findings.values())
        time.sleep(0.5)
        assert not (census(reader).folios.confidence == 3).any()

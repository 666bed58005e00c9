"""An end is told by what is otherwise than at the beginning, whatever else there is."""

from __future__ import annotations

from pinlab.lab.audited import Audited

START = {"Page._mapcount": (-1, -1), "dax": (1,)}


def ends(values: dict[str, list[int]]) -> frozenset[str]:
    audit = Audited(lambda _: (), START)
    audit(values)
    return audit.ends


def test_what_another_program_declares_is_no_other_end() -> None:
    """A mutant may be the last one to name a variable; an answer that was kept is of a program that
    may have known fewer."""
    less = {"Page._mapcount": [-1, 0]}
    assert ends(less) == ends({**less, "dax": [1], "told": [0], "disk": [0, 0]})


def test_what_has_changed_is() -> None:
    same = {"Page._mapcount": [-1, -1], "disk": [0, 0]}
    assert ends(same) != ends({**same, "disk": [0, 1]})
    assert ends(same) != ends({**same, "Page._mapcount": [0, -1]})

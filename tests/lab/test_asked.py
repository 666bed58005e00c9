"""What no scenario can answer is refused, in a sentence that says where to ask."""

from __future__ import annotations

import pytest

from pinlab.errors import UsageError
from pinlab.lab import check, face
from pinlab.lab.scenarios import scenario


@pytest.mark.parametrize(
    ("scenarios", "objectives", "says"),
    [
        (("store-fsync",), ("I5",), "store-fsync does not judge I5; these do: anon-fork"),
        (
            ("store-fsync", "longterm-dax"),
            ("I6",),
            "store-fsync, longterm-dax do not judge I6; these do: anon-vmsplice",
        ),
        (None, ("I7",), "no scenario judges I7; `pinlab list scenarios` shows what each one"),
        (("store-fsync",), ("I7",), "no scenario judges I7"),
    ],
)
def test_an_objective_that_is_judged_elsewhere(
    scenarios: tuple[str, ...] | None, objectives: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check.check(face.load_design("untracked"), scenarios, objectives)
    assert str(refused.value).startswith(says)


PROBES = [s.name for s in scenario.load().values() if s.probes]


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("objectives", [None, ("O1",)])
def test_a_probe_is_not_judged_by_name(name: str, objectives: tuple[str, ...] | None) -> None:
    with pytest.raises(UsageError) as refused:
        check.check(face.load_design("untracked"), ("store-fsync", name), objectives)
    assert str(refused.value) == (
        f"{name} judges no objective: it is a probe, which every check runs by itself; "
        "`pinlab compare` shows what the probes found"
    )

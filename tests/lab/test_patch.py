"""Every function of the model is replaced from a file; a copy of it changes nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from pinlab.errors import UsageError
from pinlab.lab import build, check, design, face, patch
from pinlab.lab.language.program import Node
from pinlab.lab.worlds import LINUX_4_20 as MODEL
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_UNKNOWN, Outcome
from pinlab.report import schema

HEAD = '"""A patch."""\nfrom __future__ import annotations\n\n'


def own(module: ModuleType) -> list[str]:
    return [name for name, it in MODEL.functions.items() if it.__module__ == module.__name__]


def copies(names: list[str]) -> str:
    """A file with copies of several functions."""
    texts, needed = [], {}
    for name in names:
        function = MODEL.functions[name]
        text, used = patch.text_of(function)
        texts.append(text)
        (module,) = (m for m in MODEL.modules if m.__name__ == function.__module__)
        needed[name] = patch.imports(module, used - set(names))
    return HEAD + "\n".join(needed.values()) + "\n\n\n" + "\n\n\n".join(texts) + "\n"


def loaded(folder: Path, text: str, name: str = "patch") -> design.Design:
    path = folder / f"{name}.py"
    path.write_text(text)
    return face.load_design(str(path))


def moved(node: Node) -> Node:
    """A node without where its source is."""
    return dataclasses.replace(node, file="", line=0, lines=frozenset())


def same(it: design.Design) -> None:
    """The program is the model's, node by node."""
    ours, its = build.program(design.load("untracked")), build.program(it)
    assert list(map(moved, its.nodes)) == list(map(moved, ours.nodes))
    for field in dataclasses.fields(ours):
        if field.name != "nodes":
            assert getattr(its, field.name) == getattr(ours, field.name), field.name


@pytest.mark.slow
@pytest.mark.parametrize("module", [m for m in MODEL.modules if own(m)], ids=lambda m: m.__name__)
def test_copies_of_a_module_are_the_same_program(tmp_path: Path, module: ModuleType) -> None:
    it = loaded(tmp_path, copies(own(module)))
    assert it.replaced.keys() == set(own(module))
    same(it)


def test_copies_of_the_whole_model_are_the_same_program(tmp_path: Path) -> None:
    names = list(MODEL.functions)
    assert len(names) >= 140
    same(loaded(tmp_path, copies(names)))


def test_a_copy_by_the_library_runs_as_it_is(tmp_path: Path) -> None:
    for name in ("__remove_mapping", "pte_mkclean", "page_pinned", "do_fsync"):
        it = loaded(tmp_path, patch.patch(name), f"copy_of_{name}")
        assert (it.name, list(it.replaced)) == (f"copy-of-{name}".replace("_", "-"), [name])
        same(it)


PURE = """
from pinlab.lab.language.kernel import NULL, kernel, pure, u5
from pinlab.lab.linux.types import PTE_DIRTY, PTE_PFN, PTE_WRITE


@pure
def pte_mkclean(pte: u5) -> u5:
    return pte & (PTE_PFN | PTE_WRITE | PTE_DIRTY)
"""

FLUSH = """
from pinlab.lab.language.kernel import kernel, pure, u1


@kernel
def flush_tlb_page() -> None:
    return
"""


@pytest.mark.parametrize(
    ("text", "base", "scenario", "objective"),
    [(FLUSH, "bounce", "store-fsync", "I4"), (PURE, "untracked", "longterm-invalidate", "O2")],
    ids=["a kernel function", "a pure one"],
)
def test_a_patch_breaks_what_held(
    tmp_path: Path, text: str, base: str, scenario: str, objective: str
) -> None:
    loaded(tmp_path, HEAD + text)
    outcomes = [
        check.check(design.load(name), scenarios=(scenario,), objectives=(objective,)).rows[0]
        for name in (base, f"{base}+{tmp_path}/patch.py")
    ]
    assert [row.verdict.outcome for row in outcomes] == [Outcome.HOLDS, Outcome.VIOLATED]


MISTAKES = {
    "signature": (FLUSH.replace("()", "(page: u1)"), "is declared .* in the model: write it so"),
    "pure": (PURE.replace("@pure", "@kernel"), "mark it @pure"),
    "impure": (FLUSH.replace("@kernel", "@pure"), "mark it @kernel"),
    "unknown": (FLUSH.replace("tlb_page", "tlb_pages"), "did you mean flush_tlb_page?"),
    "empty": ("", "replaces no function of the model"),
    "itself": (
        FLUSH.replace("    return", "    flush_tlb_page()"),
        "flush_tlb_page calls itself",
    ),
    "a key": (
        """
from pinlab.lab.language.kernel import WRITE_ONCE, kernel
from pinlab.lab.linux.keys import truncates


@kernel
def flush_tlb_page() -> None:
    WRITE_ONCE(truncates, 1)
""",
        "truncates",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_a_sentence(tmp_path: Path, mistake: str) -> None:
    text, says = MISTAKES[mistake]
    with pytest.raises(UsageError, match=says):
        build.program(loaded(tmp_path, HEAD + text, mistake.replace(" ", "_")))


def test_an_event_that_is_no_longer_said_is_told(tmp_path: Path) -> None:
    """Without it nothing is violated: a patch could hold by keeping silent."""
    text = patch.patch("__remove_mapping")
    assert text.count("    trace(Event.CACHE_DEL, page)\n") == 1
    silent = loaded(tmp_path, text.replace("    trace(Event.CACHE_DEL, page)\n", ""), "silent")
    base = face.base(silent)
    assert base is not None
    results = [check.check(it, scenarios=("direct-io-reclaim",)) for it in (base, silent)]
    found = face.difference(silent, *results)
    assert found.unsaid == (("__remove_mapping", "cache_del"),)
    assert found.exit_status != EXIT_HOLDS
    loud = loaded(tmp_path, text, "loud")
    assert face.difference(loud, results[0], check.check(loud)).unsaid == ()


def test_an_event_that_can_never_be_said_is_told_as_well(tmp_path: Path) -> None:
    line = "    trace(Event.CACHE_DEL, page)\n"
    text = patch.patch("__remove_mapping").replace(line, f"    if False:\n    {line}")
    silent = loaded(tmp_path, text, "never")
    base = face.base(silent)
    assert base is not None
    results = [check.check(it, scenarios=("direct-io-reclaim",)) for it in (base, silent)]
    found = face.difference(silent, *results)
    assert found.unsaid == (("__remove_mapping", "cache_del"),)
    assert found.exit_status == EXIT_UNKNOWN
    good = replace(
        results[1], rows=tuple(r for r in results[1].rows if r.verdict.outcome is Outcome.HOLDS)
    )
    assert schema.check(good, found)["verdict"] == "unknown"
    assert schema.check(good)["verdict"] == "holds"

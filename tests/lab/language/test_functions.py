"""A kernel function means what its Python says: locals, conditions, loops, calls."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinlab.lab.explore.reference import explore
from pinlab.lab.language.compile import compile_program
from pinlab.lab.language.kernel import (
    READ_ONCE,
    WRITE_ONCE,
    Struct,
    array,
    bounded,
    hook,
    kernel,
    pointer,
    pure,
    u3,
    u4,
    u8,
)
from tests.lab.language.solo import finals, outcomes, system

out = bounded(0, 255)
a = bounded(0, 7)
b = bounded(0, 7)
table = (3, 1, 2)


class Node(Struct, count=2):
    """Two nodes that can point to each other."""

    value = bounded(0, 7)
    next = pointer("Node")
    slots = array(2, 0, 7)


@kernel
def early_return(x: u3) -> u4:
    if x > 3:
        return 9
    return x


@kernel
def loops() -> None:
    total: u8 = 0
    for i in range(1, 5):
        if i == 2:
            continue
        if i == 4:
            break
        total += i
    for x in table:
        total += x
    while total < 20:
        total += 7
    total += early_return(5) + early_return(2)
    WRITE_ONCE(out, total)


def test_loops_calls_and_early_returns() -> None:
    # 1 + 3, then 3 + 1 + 2, then 10 + 7 + 7, then 9 + 2
    assert outcomes(system(loops), "out") == {35}


@pure
def double(x: u3) -> u4:
    return x * 2


@kernel
def pointers(node: Node) -> None:
    following = READ_ONCE(node.next)
    if following:
        WRITE_ONCE(following.value, 5)
        WRITE_ONCE(following.slots[1], double(3))
    for each in Node.all():
        if READ_ONCE(each.value) == 5 and READ_ONCE(each.slots[1]) == 6:
            WRITE_ONCE(out, READ_ONCE(out) + 1)


def test_pointers_name_instances_from_one_and_null_is_zero() -> None:
    linked = system((pointers, 1), Node__next=(2, 0))
    assert outcomes(linked, "out") == {1}
    assert outcomes(system((pointers, 2), Node__next=(2, 0)), "out") == {0}


@kernel
def short_circuit() -> None:
    if READ_ONCE(a) and READ_ONCE(b):
        WRITE_ONCE(out, 1)


@kernel
def both() -> None:
    if READ_ONCE(b) == READ_ONCE(a):
        WRITE_ONCE(out, 1)


def test_and_reads_only_what_it_needs() -> None:
    # one load and the end of the function; two loads and the end
    assert explore(system(short_circuit)).transitions == 1
    assert explore(system(both)).transitions == 3


@hook
def answer() -> u3:
    return 1


@kernel
def ask() -> None:
    WRITE_ONCE(out, answer())


@kernel
def other_answer() -> u3:
    return 4


def test_a_design_replaces_a_hook_by_name() -> None:
    from pinlab.lab.language.program import Actor, System

    actor = (Actor("a", "ask"),)
    assert outcomes(System(compile_program([ask]), actor), "out") == {1}
    replaced = compile_program([ask], {"answer": other_answer})
    assert outcomes(System(replaced, actor), "out") == {4}


@kernel
def local_only(x: u3) -> None:
    y = x + 1
    y = y * 2
    WRITE_ONCE(out, y)
    y = 0
    WRITE_ONCE(a, 1)


def test_what_is_local_costs_no_step_and_dead_locals_no_state() -> None:
    found = explore(system((local_only, 3)))
    assert (found.states, found.transitions) == (3, 2)


names = st.sampled_from(["x", "y", "z"])
expressions = st.recursive(
    st.one_of(names, st.integers(0, 5).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "*", "&", "|", "^"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.sampled_from(["<", "==", "!=", ">="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"(not ({t[0]} and {t[1]}))"),
    ),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn, depth: int = 2) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["set", "if", "for"] if depth else ["set"]))
        if kind == "set":
            lines.append(f"{draw(names)} = {draw(expressions)} & 31")
        elif kind == "if":
            lines.append(f"if {draw(expressions)}:")
            lines += ["    " + line for line in draw(bodies(depth=depth - 1))]
            lines.append("else:")
            lines += ["    " + line for line in draw(bodies(depth=depth - 1))]
        else:
            lines.append(f"for i{depth} in range({draw(st.integers(1, 3))}):")
            lines += ["    " + line for line in draw(bodies(depth=depth - 1))]
            lines.append(f"    if {draw(expressions)}:")
            lines.append("        " + draw(st.sampled_from(["break", "continue"])))
    return lines


@given(bodies(), st.integers(0, 7), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_function_computes_what_python_computes(body: list[str], x: int, y: int) -> None:
    text = "\n".join(f"    {line}" for line in body)
    expected: dict[str, tuple[int, ...]] = {}
    exec(
        f"def f(x, y):\n    z = 0\n{text}\n    return (int(x), int(y), int(z))\n"
        f"result = f({x}, {y})",
        {},
        expected,
    )
    source = (
        "from pinlab.lab.language.kernel import *\n"
        "out = array(3, 0, 31)\n"
        "@kernel\n"
        "def f(x0: u5, y0: u5) -> None:\n"
        "    x: u5 = x0\n    y: u5 = y0\n    z: u5 = 0\n"
        f"{text}\n"
        "    WRITE_ONCE(out[0], x)\n    WRITE_ONCE(out[1], y)\n    WRITE_ONCE(out[2], z)\n"
    )
    module = load(source)
    it = system((module.f, x, y))
    (end,) = finals(it)
    assert end[-3:] == expected["result"]


_count = 0


def load(source: str):  # type: ignore[no-untyped-def]
    """Import `source` as a fresh module: model functions are compiled from files."""
    import tempfile

    global _count
    _count += 1
    path = Path(tempfile.mkdtemp()) / f"generated{_count}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("body", "instead"),
    [
        ("    x = [1]", "module-level tuple"),
        ("    try:\n        pass\n    finally:\n        pass", "error code"),
        ("    x = a", "READ_ONCE(a)"),
        ("    a = 3\n    x, y = 1, 2", "assign to one local"),
        ("    x = 3 / 2", "//"),
        ("    for i in range(READ_ONCE(a)):\n        pass", "while"),
        ("    print(3)", "neither @kernel"),
        ("    READ_ONCE(3)", "not shared memory"),
        ("    x = 1 < 2 < 3", "a < b and b < c"),
        ("    wait_event(xchg(a, 1))", "only loads"),
        ("    f()", "recursion"),
        ("    x = lambda: 3", "@pure"),
        ("    with a:\n        pass", "lock and unlock"),
        ("    WRITE_ONCE(a)", "takes 2"),
    ],
)
def test_what_is_outside_the_language_is_refused_with_place_and_remedy(
    body: str, instead: str
) -> None:
    from pinlab.lab.language.source import LanguageError

    header = (
        "from pinlab.lab.language.kernel import *\na = bounded(0, 7)\n@kernel\ndef f() -> None:\n"
    )
    module = load(header + body + "\n")
    with pytest.raises(LanguageError) as refused:
        compile_program([module.f])
    assert instead in str(refused.value)
    assert refused.value.line >= 4
    assert refused.value.file.endswith(".py")

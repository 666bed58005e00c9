"""The tutorial, followed as written; and the small machine that follows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import Block, blocks, changed, commands, follow, matches, run

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_tutorial(tmp_path: Path) -> None:
    wrong = follow(TUTORIAL, tmp_path)
    assert not wrong, "docs/tutorial.md\n" + "\n\n".join(wrong)


def test_example_is_where_the_tutorial_begins() -> None:
    first = next(block for block in blocks(TUTORIAL) if block.kind == "file")
    assert first.name == "my_design.py"
    assert first.text == (ROOT / "examples" / first.name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\nb\n", "a  \nb\n\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("a ... c\n", "a b c\n", True),
        ("a ... c\n", "a b\nc\n", False),
        ("1.5 (x)\n", "125 (x)\n", False),
        ("", "", True),
        ("", "a\n", False),
    ],
)
def test_matches(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) is same


def test_changed() -> None:
    assert changed("a\nb\nc\n", "@@ there\n a\n-b\n+B\n+D\n c\n") == "a\nB\nD\nc\n"
    with pytest.raises(ValueError, match="not once"):
        changed("a\na\n", "@@\n-a\n+b\n")


def test_a_wrong_promise_is_found(tmp_path: Path) -> None:
    page = "x\n\n```console\n$ echo one; false\none\n$ echo $?\n1\n$ echo two\n2\n$ false\n```\n"
    (block,) = blocks(page)
    assert block == Block(
        "console", "", 3, "$ echo one; false\none\n$ echo $?\n1\n$ echo two\n2\n$ false\n"
    )
    assert [c.command for c in commands(block)] == [
        "echo one; false",
        "echo $?",
        "echo two",
        "false",
    ]
    output, status = run(block, tmp_path)
    assert output.startswith("line 8: $ echo two\nthe page says\n2\n")
    assert status.startswith("line 10: $ false\nends with status 1")

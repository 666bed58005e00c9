"""What `pip install pinlab` brings is enough for the field and the audit; who needs more says so.

Run where no import of anything else succeeds, as on a machine that has only that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pinlab.cli._app import COMMANDS
from pinlab.cli._extras import EXTRAS

LIGHT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRAS)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from pinlab.cli import main
main()
"""
BASE = ("audit", "census", "diff", "doctor", "guest", "hold", "who")
LAB = ("compare", "check x", "explain x O1", "sweep x", "bugs", "list", "show", "draw O1")
ARROW = ("judge x", "record --help", "timeline x", "watch", "witness o1")


def light(*words: str) -> subprocess.CompletedProcess[str]:
    """Run pinlab without the extras."""
    line = [sys.executable, "-c", LIGHT, *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


def test_help_names_every_command() -> None:
    done = light("--help")
    assert done.returncode == 0, done.stderr
    named = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("│ ")}
    assert set(COMMANDS) <= named
    assert "watch needs Arrow" in done.stdout


@pytest.mark.parametrize("command", BASE)
def test_the_field_and_the_audit_need_no_extra(command: str) -> None:
    done = light(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"pinlab {command} [OPTIONS]" in done.stdout


def test_an_audit_runs(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("void f(struct page *p)\n{\n\tput_page(p);\n}\n")
    assert "needs" not in light("audit", str(tmp_path)).stderr


def test_holders_and_readers_are_found() -> None:
    """With or without the privilege: neither command may miss a module."""
    for words in (["who", "--all"], ["census"], ["doctor"]):
        done = light(*words)
        assert "Traceback" not in done.stderr
        assert done.returncode != 2, done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        *((each, "lab") for each in (*LAB, "litmus x")),
        *((each, "parquet") for each in (*ARROW, "census --open x", "census --save x", "diff x y")),
    ],
)
def test_who_needs_an_extra_names_it(command: str, extra: str) -> None:
    done = light(*command.split())
    assert done.returncode == 2, done.stderr
    name, option, *_ = *command.split(), ""
    needs = f"{name} {option}" if name == "census" else name  # without it Arrow is not needed
    assert done.stderr.startswith(f"pinlab: {needs} needs ")
    assert done.stderr.endswith(f"which is not installed: pip install 'pinlab[{extra}]'\n")
    assert done.stderr.count("\n") == 1

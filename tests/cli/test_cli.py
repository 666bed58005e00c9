"""The commands over a lab that answers from a shelf: arguments, exit statuses, output."""

from __future__ import annotations

import errno
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.lab import samples

from pinlab import objectives
from pinlab.cli import _lab, _options
from pinlab.cli._app import run
from pinlab.cli._show import describe
from pinlab.errors import UsageError
from pinlab.lab.explore.result import Limits, Move, Progress
from pinlab.lab.film import Film, Order, Why
from pinlab.lab.results import (
    Activity,
    CheckResult,
    Comparison,
    Cost,
    Difference,
    Info,
    OnActivity,
    Swept,
    Trace,
)
from pinlab.objectives import Objective
from pinlab.objectives.verdict import Verdict


class Shelf:
    """A lab with ready answers that notes what it was asked."""

    def __init__(self) -> None:
        self.result = samples.RESULT
        self.comparison = samples.COMPARISON
        self.asked: dict[str, Any] = {}
        self.raises: BaseException | None = None
        self.builds_on: str | None = None
        self.reports: tuple[Activity, ...] = ()

    def load_world(self, name: str | None, /) -> Any:
        return name or "the default"

    def film(self, design: Any, trace: Trace, /) -> Film:
        return Film(trace, (), (), None, 0, (), (), Why((Order(1, 2, ("x",)),), (), 2, 5))

    def designs(self, world: Any, /) -> tuple[Info, ...]:
        return samples.DESIGNS

    def scenarios(self, of: Any, /) -> tuple[Info, ...]:
        return samples.SCENARIOS

    def objectives(self, design: Any = None, /) -> Mapping[str, Objective]:
        return objectives.load()

    def load_design(self, name_or_path: str, /) -> Any:
        if name_or_path == "nonsense":
            raise UsageError("there is no design 'nonsense'; `pinlab list designs` names them")
        return name_or_path

    def check(
        self,
        design: Any,
        scenarios: tuple[str, ...] | None = None,
        objectives: tuple[str, ...] | None = None,
        *,
        limits: Limits | None = None,
        engine: str = "auto",
        memory_model: str = "sc",
        coverage: bool = False,
        ways: bool = False,
        on_progress: OnActivity | None = None,
    ) -> CheckResult:
        if self.raises:
            raise self.raises
        self.asked = {
            "design": design,
            "scenarios": scenarios,
            "objectives": objectives,
            "limits": limits,
            "engine": engine,
            "memory_model": memory_model,
            "coverage": coverage,
        }
        self.report(on_progress)
        return self.result

    def compare(
        self,
        designs: tuple[str, ...] | None = None,
        *,
        world: Any,
        limits: Limits | None = None,
        jobs: int | None = None,
        memory_model: str = "sc",
        on_progress: OnActivity | None = None,
    ) -> Comparison:
        if self.raises:
            raise self.raises
        self.asked = {"designs": designs, "world": world, "limits": limits, "jobs": jobs}
        self.report(on_progress)
        return self.comparison

    def report(self, on_progress: OnActivity | None) -> None:
        if on_progress is not None:
            for activity in self.reports:
                on_progress(activity)

    def base(self, design: Any, /) -> Any | None:
        return self.builds_on

    def brought(self, design: Any, /) -> Mapping[str, tuple[Info, ...]]:
        return {"functions": samples.DESIGNS[:1]}

    def sweep(self, design: Any, wanted: Any, /, **how: Any) -> Swept:
        return samples.SWEPT

    def difference(self, patch: Any, before: CheckResult, after: CheckResult, /) -> Difference:
        return samples.DIFFERENCE

    def trace(self, design: Any, scenario: str, objective: str, path: tuple[Move, ...], /) -> Trace:
        return samples.TRACE

    def cost(self, design: Any, /) -> Cost:
        return samples.COSTS[0]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    for name in ("compare", "check", "explain", "list"):
        monkeypatch.setattr(importlib.import_module(f"pinlab.cli.{name}"), "lab", lambda: shelf)
    monkeypatch.setattr(_options, "lab", lambda: shelf)
    return shelf


def with_verdict(verdict: Verdict) -> CheckResult:
    return replace(
        samples.RESULT, rows=(replace(samples.ROWS[0], verdict=verdict),), traces={}, ways=()
    )


HOLDS = with_verdict(Verdict.holds("bounds"))
UNKNOWN = with_verdict(Verdict.unknown("never reached: a pin during writeback"))

Capture = pytest.CaptureFixture[str]


def test_compare(shelf: Shelf, capsys: Capture) -> None:
    assert run(["compare"]) == 1
    assert "mapcount-v1" in capsys.readouterr().out
    assert shelf.asked == {
        "designs": None,
        "world": "the default",
        "limits": Limits(),
        "jobs": None,
    }


def test_compare_json(shelf: Shelf, capsys: Capture) -> None:
    run(["compare", "untracked", "./mine.py", "--jobs", "2", "--timeout", "5", "--json"])
    captured = capsys.readouterr()
    assert json.loads(captured.out)["schema"] == "pinlab.compare/1"
    assert captured.err == ""
    assert shelf.asked["designs"] == ("untracked", "./mine.py")
    assert shelf.asked["limits"] == Limits(seconds=5.0)


def test_compare_stopped_is_unknown(shelf: Shelf) -> None:
    shelf.comparison = replace(samples.COMPARISON, stopped="Ctrl-C")
    assert run(["compare"]) == 3


@pytest.mark.parametrize(("result", "status"), [(HOLDS, 0), (samples.RESULT, 1), (UNKNOWN, 3)])
@pytest.mark.parametrize("command", [["check", "x"], ["explain", "x", "I13"]])
@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_exit_status(
    shelf: Shelf, result: CheckResult, status: int, command: list[str], json_too: list[str]
) -> None:
    shelf.result = result
    assert run([*command, *json_too]) == status


def test_stopped_is_never_a_pass(shelf: Shelf) -> None:
    shelf.result = replace(HOLDS, stopped="Ctrl-C")
    assert run(["check", "x"]) == 3
    assert run(["explain", "x", "O1"]) == 3


def test_check_passes_everything_on(shelf: Shelf, capsys: Capture) -> None:
    what = "./mine.py --objective o1 -O I13b --scenario dio-fsync --coverage --json"
    how = "--max-states 10 --timeout 1.5 --memory 2G --engine interpreter --memory-model arm64"
    run(["check", *what.split(), *how.split()])
    assert shelf.asked == {
        "design": "./mine.py",
        "scenarios": ("dio-fsync",),
        "objectives": ("O1", "I13b"),
        "limits": Limits(10, 1.5, 2 * 2**30),
        "engine": "interpreter",
        "memory_model": "arm64",
        "coverage": True,
    }
    value = json.loads(capsys.readouterr().out)
    assert value["schema"] == "pinlab.check/1"
    assert value["verdict"] == "violated"
    assert value["uncovered"][0]["line"] == 99


def test_an_interrupted_check_is_unknown_whatever_it_found(shelf: Shelf) -> None:
    shelf.result = replace(samples.RESULT, stopped="interrupted")
    assert run(["check", "x"]) == 3


@pytest.mark.parametrize(
    ("command", "title"), [(["check", "x"], "dio-fsync-zap"), (["compare"], "mapcount-v1")]
)
def test_verdicts_come_on_standard_error(
    shelf: Shelf, capsys: Capture, command: list[str], title: str
) -> None:
    shelf.reports = (Activity("mapcount-v1", "", 1, 2), samples.FINISHED[command[0]])
    run([*command, "--json"])
    assert capsys.readouterr().err == ""
    run([*command, "--json", "--verbose"])
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{title}  I13: violated in 23 steps; ")
    assert captured.err.count("\n") == 1
    assert json.loads(captured.out)["rows"]  # one document, and nothing else


def test_i2_is_o1(shelf: Shelf) -> None:
    run(["check", "x", "--objective", "I2"])
    assert shelf.asked["objectives"] == ("O1",)


def test_explain(shelf: Shelf, capsys: Capture) -> None:
    assert run(["explain", "mapcount-v1", "I13", "--mail"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("mapcount-v1 breaks I13 in 5 steps")
    assert run(["explain", "mapcount-v1", "I13"]) == 1
    assert "zap_pte_range" in capsys.readouterr().out
    assert run(["explain", "mapcount-v1", "I13", "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert len(value["steps"]) == len(value["moves"]) == 5
    assert (value["way"], [way["function"] for way in value["ways"]]) == (1, ["zap", "fsync"])


def test_explain_shows_the_way_that_is_asked_for(shelf: Shelf, capsys: Capture) -> None:
    assert run(["explain", "mapcount-v1", "I13"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "This is way 1 of 2. The next one takes 9 steps of dio-fsync and ends in fsync()" in out
    assert run(["explain", "mapcount-v1", "I13", "--way", "2"]) == 1
    assert "This is way 2 of 2." in capsys.readouterr().out
    assert run(["explain", "mapcount-v1", "I13", "--way", "3"]) == 2
    assert "--way 3: there are 2 ways" in capsys.readouterr().err


def test_explain_writes_a_replay(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    assert run(["explain", "mapcount-v1", "I13", "--output", str(path)]) == 1
    assert "load_design('mapcount-v1')" in path.read_text()


def test_explain_does_not_write_over_the_design(
    shelf: Shelf, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("x = 1\n")
    assert run(["explain", str(path), "I13", "--output", str(path)]) == 2
    assert "is the design itself" in capsys.readouterr().err
    assert path.read_text() == "x = 1\n"


def test_explain_without_counterexample(shelf: Shelf, capsys: Capture) -> None:
    shelf.result = UNKNOWN
    assert run(["explain", "x", "O1"]) == 3
    assert "never reached: a pin during writeback" in capsys.readouterr().out
    assert run(["explain", "x", "O1", "--scenario", "dio-fsync", "--json"]) == 3
    value = json.loads(capsys.readouterr().out)
    assert (value["verdict"], value["scenario"], value["steps"]) == ("unknown", "dio-fsync", [])


def test_list(shelf: Shelf, capsys: Capture) -> None:
    assert run(["list"]) == 0
    out = capsys.readouterr().out
    assert "untracked" in out
    assert "dio-fsync-zap" in out
    assert "I13b" in out
    assert run(["list", "objectives", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert set(value) == {"schema", "objectives"}
    assert value["objectives"][0]["name"] == "O1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("check nonsense", "there is no design 'nonsense'"),
        ("check x --objective O9", "there is no objective 'O9'"),
        ("check x --scenario dio-fsink", "did you mean dio-fsync?"),
        ("check x --max-states 0", "max-states"),
        ("check x --timeout 0", "leaves no time"),
        ("check x --timeout nan", "leaves no time"),
        ("check x --memory much", "no size"),
        ("check x --engine fast", "engine"),
        ("check", "DESIGN"),
        ("explain x", "OBJECTIVE"),
        ("explain x O1 --mail --json", "give one of them"),
        ("explain x I13 --output /nonexistent/dir/file.py", "cannot write"),
        ("explain x I13 --output foo.txt", "what to write to foo.txt: name it .py for a test"),
        ("explain x I13 --output foo", ".html for a page on which to step through it, or .svg"),
        ("list nonsense", "there is no design 'nonsense'"),
        ("list scenaros", "there is no list 'scenaros': did you mean scenarios?"),
        ("frobnicate", "frobnicate"),
        ("compare --frobnicate", "frobnicate"),
    ],
)
def test_misuse_is_one_sentence(shelf: Shelf, capsys: Capture, arguments: str, words: str) -> None:
    assert run(arguments.split()) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.startswith("pinlab: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_no_command_shows_help(capsys: Capture) -> None:
    assert run([]) == 2
    assert "compare" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["", "compare", "check", "explain", "list"])
def test_help_names_the_exit_statuses(capsys: Capture, command: str) -> None:
    assert run([*command.split(), "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit status: " in said and "2 misuse" in said and "3 " in said


def test_version(capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pinlab 0.")


@pytest.mark.parametrize("command", [["compare"], ["check", "x"], ["explain", "x", "O1"]])
def test_interrupt_is_unknown(shelf: Shelf, capsys: Capture, command: list[str]) -> None:
    shelf.raises = KeyboardInterrupt()
    assert run(command) == 3
    assert capsys.readouterr().err == "pinlab: stopped by Ctrl-C; nothing was decided\n"


def test_an_error_of_pinlab_decides_nothing(shelf: Shelf, capsys: Capture) -> None:
    shelf.raises = RuntimeError("oops")
    assert run(["compare"]) == 3
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("nothing was decided\n")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("512M", 512 * 2**20), ("1.5GiB", 3 * 2**29), ("8 kb", 8192)]
)
def test_sizes(text: str, size: int) -> None:
    assert _options.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "M", "1T", "nan"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        _options.parse_size(text)


def test_progress_in_one_line() -> None:
    line = describe(Activity("d", "s", 2, 8, Progress(1_000_000, 3_000_000, 5, 6, 2.0, 2**24)))
    assert line == (
        "2/8  d, s: 1,000,000 states, 5 in the frontier, depth 6, 500,000 states/s, 16 MiB"
    )
    assert describe(Activity("d", "s", 2, 8)) == "2/8  d, s"


def test_of_a_patch_the_difference_is_said_first(shelf: Shelf, capsys: Capture) -> None:
    shelf.builds_on = "untracked"
    assert run(["check", "./patch.py"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("4 verdicts differ from untracked, 1 for the worse. 5 verdicts in 2")
    assert said.index("violated in 9 steps") < said.index("All verdicts of ./patch.py")
    run(["check", "./patch.py", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["sweep"]["rows"][0]["operations"] == ["fsync", "zap@2"]
    value = answer["difference"]
    assert (value["base"], value["broke"], value["states"]) == ("untracked", True, 11_885)
    assert value["changes"][1] == {
        "objective": "I13",
        "scenario": "dio-fsync-zap",
        "before": "holds",
        "after": "violated",
        "steps": 23,
        "reason": "",
        "broke": True,
    }
    assert value["changes"][3]["after"] == "unknown"


def test_piped_tables_are_not_cut(shelf: Shelf, capsys: Capture) -> None:
    run(["check", "x"])
    assert "…" not in capsys.readouterr().out


def test_help_does_not_load_the_lab() -> None:
    program = (
        "import sys, pinlab.cli._app as a; a.run(['--help']);"
        "print('pinlab.lab.face' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.endswith("False\n"), done.stderr


def test_the_lab_has_this_face() -> None:
    """The functions that the commands call are there, with these parameters."""
    real = importlib.import_module("pinlab.lab.face")
    for name in (
        "designs",
        "scenarios",
        "load_design",
        "load_world",
        "check",
        "compare",
        "trace",
        "cost",
    ):
        wanted = inspect.signature(getattr(_lab.Lab, name)).parameters
        given = inspect.signature(getattr(real, name)).parameters
        for parameter in list(wanted.values())[1:]:
            if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
                assert parameter.name in given, f"{name}({parameter.name})"


def test_check_prints_a_row_per_objective_and_all_rows_when_asked(
    shelf: Shelf, capsys: Capture
) -> None:
    run(["check", "x"])
    assert capsys.readouterr().out.count("I13  ") == 1
    run(["check", "x", "--all"])
    out = capsys.readouterr().out
    assert out.count("I13  ") == 2
    assert samples.BOUNDS in out  # no "holds" without its bounds


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "too few files may be open at a time"),
        (MemoryError(), "there is not enough memory for this"),
    ],
)
def test_what_the_machine_does_not_give_is_a_sentence(
    shelf: Shelf, error: Exception, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.raises = error
    assert run(["check", "x"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert says in lines[0]


def test_without_proc_it_says_so(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.raises = FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/vmstat")
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert run(["check", "x"]) == 3
    assert "there is no /proc here" in capsys.readouterr().err

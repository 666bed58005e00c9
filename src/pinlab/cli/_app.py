"""The `pinlab` command: its subcommands and what every end of it has in common.

Exit status: 0 what was asked holds, 1 violated, 2 misuse, 3 unknown; where nothing is judged the
command's own help says what 0, 1 and 3 are. An error of pinlab itself decides nothing, so it is 3
as well, with its traceback. Whoever reads standard output may go away before its end: then it is
141, as of a program that SIGPIPE ended, whatever the answer would have been.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from pinlab.cli._extras import lacking
from pinlab.errors import UsageError
from pinlab.field.errors import FieldError
from pinlab.names import printable
from pinlab.objectives.verdict import EXIT_HOLDS, EXIT_MISUSE, EXIT_UNKNOWN

EXIT_HELP: Final = (
    "Exit status: 2 misuse, 141 nobody read all of it (as with `| head`); the help of each command "
    "says what 0, 1 and 3 mean. 3 is never a pass."
)
COMMANDS = (
    *(
        "compare",
        "check",
        "explain",
        "report",
        "sweep",
        "mutate",
        "bugs",
        "litmus",
        "list",
        "show",
        "draw",
    ),
    "audit",
    *("census", "diff", "doctor", "hold", "judge", "record", "watch", "witness", "who", "timeline"),
    "guest",
)
"""Each is a module of this package, with a function of its name ("list_" for one of Python's)."""

JUDGED: Final = "Exit status: 0 holds, 1 violated, 2 misuse, 3 unknown (which is never a pass)."
DONE: Final = "Exit status: 0 done, 2 misuse, 3 it could not be done."
SAID: Final = "Exit status: as above, and 2 misuse, 3 it could not be told."
EXITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("check", "compare", "explain", "judge", "sweep", "watch"), JUDGED),
    **dict.fromkeys(("draw", "hold", "list", "record", "report", "show"), DONE),
    **dict.fromkeys(("audit", "census", "diff", "doctor", "litmus", "timeline"), SAID),
    **dict.fromkeys(("who", "witness"), SAID),
    "bugs": "Exit status: 0 as above, 1 it is not so of some bug, 2 misuse, 3 unknown.",
    "guest": "Exit status: that of the command in the guest, 2 misuse, 3 the guest did not run it.",
    "mutate": "Exit status: 0 every mutant is noticed, 1 one is not, 2 misuse, 3 unknown.",
}
"""What the help of each command says of its exit status. SAID: its own text says the rest."""


class Commands(TyperGroup):
    """Imports a command when it is asked for: to import all takes longer than most of them run."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Their names, in the order of the help."""
        return list(self.commands)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]
        """The command of a name; None if there is none."""
        return _command(cmd_name) if cmd_name in self.commands else None

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that is asked for. Raises UsageError if an extra is not installed."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if (sentence := lacking(ctx.invoked_subcommand, error)) is None:
                raise
            raise sentence from None


@cache
def _command(name: str) -> TyperCommand:
    try:
        module = importlib.import_module(f"pinlab.cli.{name}")
    except ModuleNotFoundError as error:
        if (sentence := lacking(name, error)) is None:
            raise
        return _absent(name, error, str(sentence))
    own = typer.Typer(rich_markup_mode="rich", add_completion=False)
    own.command(name, epilog=EXITS[name])(getattr(module, f"{name}_" if name == "list" else name))
    return cast(TyperCommand, typer.main.get_command(own))


def _absent(name: str, error: ModuleNotFoundError, sentence: str) -> TyperCommand:
    """In the place of a command that cannot be imported: the help of the others shows it."""

    def absent() -> NoReturn:
        raise error

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return TyperCommand(
        name,
        callback=absent,
        context_settings=settings,
        help=escape(sentence),
        add_help_option=False,
        rich_markup_mode="rich",
    )


app = typer.Typer(
    cls=Commands,
    name="pinlab",
    help="Checks designs for tracking pinned pages against the objectives of the thread.",
    epilog=EXIT_HELP,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130  # how typer says that Ctrl-C got through
UNREAD = 128 + signal.SIGPIPE
"""How a shell says that a program wrote to where nobody reads."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pinlab {version('pinlab')}")
        raise typer.Exit(EXIT_HOLDS)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print and exit."),
    ] = False,
) -> None:
    """Checks designs for tracking pinned pages against the objectives of the thread."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_MISUSE)


@cache
def _line() -> TyperGroup:
    """The command line. Typer would make it anew, from all signatures, each time that it is run."""
    line = cast(TyperGroup, typer.main.get_command(app))
    line.commands = cast(MutableMapping[str, Any], dict.fromkeys(COMMANDS))
    return line


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    try:
        status = _line()(arguments, standalone_mode=False, prog_name="pinlab")
        sys.stdout.flush()
    except FieldError as error:
        return _refused(str(error), EXIT_UNKNOWN)
    except UsageError as error:
        return _refused(str(error), EXIT_MISUSE)
    except typer.TyperException as error:
        return _refused(error.format_message().replace("Value error, ", ""), EXIT_MISUSE)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except (BrokenPipeError, SystemExit):  # rich and typer make a broken pipe an exit with 1
        return _unheard(UNREAD)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _tell("what was found could not be written: disk full")
            return _unheard(EXIT_UNKNOWN)
        if sentence := _lacking(error):
            return _refused(sentence, EXIT_UNKNOWN)
        with suppress(BrokenPipeError):
            traceback.print_exc()
        _tell("this is an error of pinlab itself; nothing was decided")
        return EXIT_UNKNOWN
    if status == INTERRUPTED:
        _tell("stopped by Ctrl-C; nothing was decided")
        return EXIT_UNKNOWN
    return int(status or 0)


def _lacking(error: Exception) -> str:
    """What the machine or the caller's limits do not give; empty if it is none of that."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: allow more (ulimit -v), or ask for less"
    if not isinstance(error, OSError):
        return ""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too few files may be open at a time: allow more (ulimit -n 1024)"
    if error.errno == errno.ENOENT and not os.path.exists("/proc/self"):
        return "there is no /proc here, where the kernel tells about itself: mount it"
    return ""


def _unheard(status: int) -> int:
    """Nobody read all that was said, so no status of an answer may stand for it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _refused(sentence: str, status: int) -> int:
    _tell(printable(" ".join(sentence.split())))
    return status


def _tell(sentence: str) -> None:
    """On standard error, if anybody reads it: the status says it as well."""
    with suppress(BrokenPipeError):
        print(f"pinlab: {sentence}", file=sys.stderr)


def main() -> None:
    """Entry point of the `pinlab` script."""
    _streams()
    sys.exit(run())


def _streams() -> None:
    """Output that was closed is thrown away; a name that is no text is written with escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - to the end
        else:
            stream.reconfigure(errors="backslashreplace")

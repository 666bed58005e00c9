"""In a guest: runs pinlab's commands, each a list of words, in processes of their own.

Standard input is a JSON list of them, standard output a line of JSON for each. What all commands
import and make is imported and made once, as an emulated machine takes half a minute for it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
import time
from typing import IO

import pinlab.field
import pinlab.report
from pinlab.cli import main
from pinlab.cli._app import run


def status(words: list[str], out: IO[str], err: IO[str]) -> int:
    """The exit status of one command."""
    child = os.fork()
    if not child:
        for file, fd in ((out, 1), (err, 2)):
            os.dup2(file.fileno(), fd)
        sys.argv = ["pinlab", *words]
        main()
        sys.exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def prepare() -> None:
    """Import what commands import when they are run, and have the command line made."""
    for package in (pinlab.field, pinlab.report):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with contextlib.suppress(ImportError):  # what only the lab needs is not in the guest
                importlib.import_module(module.name)
    with contextlib.redirect_stdout(io.StringIO()):
        run(["--help"])


def serve() -> None:
    for words in json.load(sys.stdin):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            began = time.monotonic()
            done = status(words, out, err)
            seconds = time.monotonic() - began
            said = [file.seek(0) or file.read() for file in (out, err)]
        print(json.dumps([done, *said, seconds]), flush=True)
        os.fsync(1)


if __name__ == "__main__":
    prepare()
    serve()

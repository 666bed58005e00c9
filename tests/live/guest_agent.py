"""In a guest: runs pinlab's commands, each a list of words, in processes of their own.

Standard input is a JSON list of them, standard output a line of JSON for each. What all commands
import is imported once, as an emulated machine takes half a minute for it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from typing import IO

from pinlab.cli import main
from pinlab.field.witness import scene


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
    assert scene.PAGES
    serve()

"""The command line: one file per command, each reads arguments, calls one function, renders."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Entry point of the `pinlab` script. Until all is loaded, Ctrl-C just ends it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pinlab.cli._app import main as command

    signal.signal(signal.SIGINT, before)
    command()

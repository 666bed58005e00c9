"""The command line: one file per command, each reads arguments, calls one function, renders."""

from __future__ import annotations

from pinlab.cli._app import main

__all__ = ["main"]

"""Errors that are the user's to mend."""

from __future__ import annotations


class UsageError(Exception):
    """What was asked makes no sense; the text is one sentence that says what to do instead."""

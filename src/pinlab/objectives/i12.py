"""I12: nobody waits forever.

A long-term pinner is a daemon of its scenario and may keep its pin: a task that can only
finish once that pin is gone then never finishes, which is what the thread refused.
"""

from __future__ import annotations

from pinlab.objectives.progress import Progress

OBJECTIVE = Progress(
    name="I12",
    claim="every task can always still finish, also beside a pin that is never dropped",
    source="Williams, 12 Dec 2018: indefinite waits are intolerable",
)

"""put_user_pages_dirty_lock() beside reclaim."""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab.linux.tasks import dirty_lock_and_verify
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios import put_dirty_reclaim
from pinlab.lab.scenarios.scenario import Task

WITHOUT_LOCK = put_dirty_reclaim.SCENARIO

SCENARIO = replace(
    WITHOUT_LOCK,
    name="put-dirty-lock-reclaim",
    summary="put_user_pages_dirty_lock() of a mapped file page beside writeback and reclaim",
    tasks=(Task("driver", dirty_lock_and_verify, (FILE, 1, SHARED, 0)), WITHOUT_LOCK.tasks[1]),
)

"""put_user_pages_dirty_lock() beside truncate: the page lock is what makes it safe."""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab.linux.tasks import store_then_dirty_lock
from pinlab.lab.linux.types import SHARED
from pinlab.lab.scenarios import put_dirty_truncate
from pinlab.lab.scenarios.scenario import Task

WITHOUT_LOCK = put_dirty_truncate.SCENARIO

SCENARIO = replace(
    WITHOUT_LOCK,
    name="put-dirty-lock-truncate",
    summary="put_user_pages_dirty_lock() of a mapped file page beside truncate of that page",
    tasks=(Task("driver", store_then_dirty_lock, (1, SHARED, 0)), WITHOUT_LOCK.tasks[1]),
    misuse="",
)

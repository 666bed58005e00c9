"""set_page_dirty_lock() before the device stores, and not again: writeback cleans it between."""

from __future__ import annotations

from dataclasses import replace

from pinlab.lab.linux.tasks import dirty_early_and_verify
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios import put_clean_fsync
from pinlab.lab.scenarios.scenario import Task

NEVER = put_clean_fsync.SCENARIO

SCENARIO = replace(
    NEVER,
    name="dirty-early-fsync",
    summary="set_page_dirty_lock() before a device stores, put_user_pages() after, beside fsync",
    tasks=(Task("driver", dirty_early_and_verify, (FILE, 1, SHARED, 0)), NEVER.tasks[1]),
    misuse="nobody says that the device has stored after it was cleaned",
)

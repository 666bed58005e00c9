"""put_user_pages() of a page that the device stored into: nobody says that it is dirty."""

from __future__ import annotations

from pinlab.lab.linux.tasks import do_fsync, forget_and_verify
from pinlab.lab.linux.types import FILE, SHARED
from pinlab.lab.scenarios.direct_io_fsync import PINNED_UNDER_WRITEBACK
from pinlab.lab.scenarios.layout import file_mapped
from pinlab.lab.scenarios.scenario import Scenario, Task

SCENARIO = Scenario(
    name="put-clean-fsync",
    summary="put_user_pages(), no dirtying, of a page that a device stored into, beside fsync",
    tasks=(
        Task("driver", forget_and_verify, (FILE, 1, SHARED, 0)),
        Task("fsync", do_fsync, (FILE, 0)),
    ),
    initial=file_mapped(),
    judges=("O1", "O2", "I3", "I4", "I10", "I12"),
    bounds="1 page, 1 mapping, 1 pin with 1 store, 1 fsync beside it and 1 after it",
    reach=(PINNED_UNDER_WRITEBACK,),
    misuse="nobody says that the device has stored",
)

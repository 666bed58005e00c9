"""What every Linux world has the same numbers for: mappings, processes, CPUs, contents.

* SHARED and SHARED2 are mappings of the first and the second process that both map the file; what
  is private or anonymous is the first process's PRIVATE, and CHILD is what fork makes of that in
  the second one.
* Contents are small version numbers: OLD is on the disk, CPU_DATA was stored by a CPU before the
  scenario starts and is owed to whoever calls fsync, DEVICE_DATA is what a pin holder stores. TORN
  is a block whose image changed while the disk read it: its checksum is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CPUS = 7
"""One for each task that a scenario may have."""

PER_CPU: Final = ("tlb", "mm_cpumask")
"""The variables of which each CPU has an element."""

FILE = 1
"""The number of the only AddressSpace."""

SHARED, SHARED2, PRIVATE, CHILD = 1, 2, 3, 4
"""The numbers of the mappings."""

MAPPINGS: Final = (SHARED, SHARED2, PRIVATE, CHILD)

PROCESS: Final[Mapping[int, int]] = MappingProxyType({SHARED: 1, SHARED2: 2, PRIVATE: 1, CHILD: 2})
"""The process of each mapping."""

OLD, CPU_DATA, DEVICE_DATA, TORN = 0, 1, 2, 3

CONTENTS: Final = ("old", "the CPU's", "the device's", "torn")
"""What a person calls them."""

HAVE_CONTENTS: Final = ("Page.data", "Folio.data", "disk", "swap_data")
"""The variables whose values they are."""

"""What nobody in the kernel knows: what programs know of each other."""

from __future__ import annotations

from pinlab.lab.language.kernel import bounded
from pinlab.lab.linux.types import PAGES

told = bounded(0, 2, order="strong")
"""What a thread said to another one of its process: it has STORED, or could not."""
STORED, FAILED = 1, 2

owner_pin = bounded(0, PAGES, order="strong")
"""The anonymous page that the first process has pinned through PRIVATE; 0 for none."""

"""What nobody in the kernel knows, kept to say when an owner's pin went stale."""

from __future__ import annotations

from pinlab.lab.language.kernel import bounded
from pinlab.lab.linux.types import PAGES

owner_pin = bounded(0, PAGES, order="strong")
"""The anonymous page that the first process has pinned through PRIVATE; 0 for none."""

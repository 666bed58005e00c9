"""pinlab: who pins a page, and what a design that tracks pins can promise."""

from __future__ import annotations

import time
from typing import Final

BEGAN: Final = time.time()
"""When this process began to read pinlab: of a file that was changed since nobody knows which text
is running."""

"""polite: who drinks does not count."""

from __future__ import annotations

from pinlab.lab.language.kernel import kernel
from tests.lab.toy.model import Cup


@kernel
def take(cup: Cup) -> bool:
    """Nobody is so rude as to wash up now."""
    return True

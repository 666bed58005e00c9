"""Reading many places one by one, for a source that has no better way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pinlab.field.errors import FaultError


def read_singly(
    read: Callable[[int, int], bytes], addresses: NDArray[np.uint64], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """`Reader.read_many` by way of `Reader.read`."""
    data = np.zeros((len(addresses), size), np.uint8)
    good = np.zeros(len(addresses), np.bool_)
    for i, address in enumerate(addresses.tolist()):
        try:
            data[i] = np.frombuffer(read(address, size), np.uint8)
            good[i] = True
        except FaultError:
            continue
    return data, good

"""What readers over memory made by hand have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pinlab.field.memory.singly import read_singly


class FakeReader(ABC):
    """Everything comes from `read`; there is nothing to give back."""

    @abstractmethod
    def read(self, address: int, size: int) -> bytes: ...

    def read_many(
        self, addresses: NDArray[np.uint64], size: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        return read_singly(self.read, addresses, size)

    def pointer(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def close(self) -> None:
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

"""What can go wrong between us and a kernel; each text is one sentence for the user."""

from __future__ import annotations

from pinlab.errors import UsageError


class FieldError(UsageError):
    """A machine, kernel or file that does not give what was asked; says what is missing."""


class LayoutError(FieldError):
    """The kernel's structures are not of a shape we know; says which part is missing."""


class ReaderError(FieldError):
    """No access to kernel memory this way; says which privilege, option or file is missing."""


class FaultError(ReaderError):
    """One address could not be read: it is not mapped, or a race freed what was there."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"{size} bytes of kernel memory could not be read: not mapped")
        self.address = address
        """The address, which the text does not show."""
        self.size = size

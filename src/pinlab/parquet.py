"""Tables in Parquet files: how they are written, and what is looked at before one is believed."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pinlab import output
from pinlab.errors import UsageError

FREE: Final = 1 << 18
"""Rows that a file of any size may have."""
ROWS_PER_BYTE: Final = 1
"""What compression can do to rows that mean something. Equal rows take next to nothing, and
someone may send a file of two megabytes that would fill the memory."""


def write(path: Path, table: pa.Table, *, raw: bool = False) -> None:
    """Write a table; an earlier file is replaced when the new one is whole. With `raw` addresses
    only its owner may read it. Raises UsageError."""
    output.write(path, partial(_fill, table), output.PRIVATE if raw else None)


def _fill(table: pa.Table, file: IO[bytes]) -> None:
    pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def read(path: Path, kind: str) -> pa.Table:
    """The table in a file, which is to be `kind`: "a recording". Raises UsageError."""
    try:
        with open(path, "rb", opener=_open_regular) as file:
            size = os.fstat(file.fileno()).st_size
            table = pq.ParquetFile(file, page_checksum_verification=True)
            rows = table.metadata.num_rows
            if rows > FREE + ROWS_PER_BYTE * size:
                raise UsageError(
                    f"{path} is not {kind}: {rows:,} rows do not fit into {size:,} bytes"
                )
            return table.read()
    except IsADirectoryError:
        raise UsageError(f"{path} is not {kind}: it is a directory") from None
    except _NotRegularError:
        raise UsageError(f"{path} is not {kind}: it is not a regular file") from None
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        first = (reason.splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UsageError(f"{path} is not {kind}, or is cut short: {first}") from None


class _NotRegularError(OSError):
    """A device, a pipe or a socket, which opening may change."""


def _open_regular(path: str, flags: int) -> int:
    """Open what was looked at first: to open a pipe or a device does something to it."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        mode = os.fstat(place).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(mode):
            raise _NotRegularError(path)
        return os.open(f"/proc/self/fd/{place}", flags)
    finally:
        os.close(place)

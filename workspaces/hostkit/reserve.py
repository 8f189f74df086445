"""Space on the disk that a run takes at its start, so that its end can be written on a full disk."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from .files import write_atomic

SIZE = 32 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: OSError) -> bool:
    """Whether the disk, or what the user may have of it, is full."""
    return error.errno in FULL


def reserved(path: Path) -> Path:
    """Return the file that takes the space for `path`."""
    return path.with_name(f".{path.name}.reserved")


def reserve(*paths: Path) -> None:
    """Take space for each of these files, as far as there is some."""
    for path in paths:
        with suppress(OSError):
            write_atomic(reserved(path), os.urandom(SIZE))  # random, so that no file system compresses it


def release(*paths: Path) -> None:
    """Give the space back."""
    for path in paths:
        with suppress(OSError):
            reserved(path).unlink()


def write_reserved(path: Path, data: bytes) -> None:
    """Write `path` atomically, on a full disk into its reserved space.

    Raises OSError if that does not suffice.
    """
    try:
        write_atomic(path, data)
    except OSError as error:
        if not is_full(error):
            raise
        _write_in_place(path, data)


def _write_in_place(path: Path, data: bytes) -> None:
    """Overwrite the reserved file, which needs no new space, and rename it."""
    if len(data) > SIZE:
        raise OSError(errno.ENOSPC, "more than was reserved", str(path))
    kept = reserved(path)
    handle = os.open(str(kept), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(handle, data, 0)
        os.ftruncate(handle, len(data))
        os.fsync(handle)
    finally:
        os.close(handle)
    kept.replace(path)

"""Helpers for files and JSON."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .wire import Json


def dumps(value: object) -> bytes:
    """Return compact JSON without newlines, escaped to ASCII so that surrogates (non-UTF-8 bytes) survive."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def read_json(path: Path) -> Optional[Json]:
    """Return the JSON object in `path`, or None if the file is missing, incomplete or not an object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def make_private_folder(path: Path) -> None:
    """Create `path` and its missing parents, all with mode 0700."""
    missing = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def write_atomic(path: Path, data: bytes, mode: int = 0o600, exclusive: bool = False) -> None:
    """Write `path` atomically and durably: readers see the whole file or none, even after a power cut.

    With `exclusive`, raise FileExistsError if it already exists.
    """
    make_private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=str(path.parent))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, mode)
            out.write(data)
            out.flush()
            os.fsync(handle)
        _put(temporary, path, exclusive)
    finally:
        if temporary.exists():
            temporary.unlink()
    _sync_folder(path.parent)


def _put(temporary: Path, path: Path, exclusive: bool) -> None:
    if exclusive:
        os.link(str(temporary), str(path))
    else:
        temporary.replace(path)


def _sync_folder(path: Path) -> None:
    handle = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # not supported by some file systems; the rename is still atomic
    finally:
        os.close(handle)

"""Addresses of control sockets. The path of a UNIX socket is limited to about 100 bytes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

MAX_BYTES = 100


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Yield a short address of `path` for bind or connect, valid inside the context."""
    if len(os.fsencode(path)) <= MAX_BYTES:
        yield str(path)
        return
    folder = os.open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

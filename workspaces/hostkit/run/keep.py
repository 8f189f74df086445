"""Keeps a live run's folder: whoever deletes it, or the whole state folder, ends no run by that."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Dict, Tuple

from ..files import write_atomic
from ..folder import RunFolder


class FolderKeeper:
    """Holds the small files of a run in memory, and writes them again when they are gone."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._content: Dict[str, Tuple[bytes, float]] = {}
        for path in (folder.spec, folder.prompt, folder.guard):  # the guard's file last: it marks the others
            with suppress(OSError):
                self._content[path.name] = (path.read_bytes(), path.stat().st_mtime)

    def check(self) -> None:
        """Write what is gone. The runner restores its events and its socket: `Journal`, `ControlSocket`."""
        if self.folder.guard.exists():
            return
        for name, (content, written) in self._content.items():
            path = self.folder.path / name
            with suppress(OSError):  # such as a full disk; the next check tries again
                if not path.exists():
                    write_atomic(path, content)
                    os.utime(str(path), (written, written))  # when the agent began: see `finish`

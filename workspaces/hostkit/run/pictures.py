"""Keeps the pictures that an agent has read or made in the folder of its run, for the conversation's page."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..base.pictures import MAX_PICTURE, type_of
from ..files import write_atomic
from ..wire import ShownPicture

MAX_TOTAL = 100 << 20
"""Bytes of all pictures of a run. Later ones are not shown."""


class Pictures:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left = MAX_TOTAL

    def has(self, content: bytes) -> bool:
        return (self._folder / hashlib.sha256(content).hexdigest()).exists()

    def keep(self, content: bytes) -> Optional[ShownPicture]:
        """Keep a picture by its digest. Return None if it is none, or there is no room for it."""
        media_type = type_of(content)
        if not media_type or len(content) > MAX_PICTURE:
            return None
        name = hashlib.sha256(content).hexdigest()
        path = self._folder / name
        if not path.exists():
            if len(content) > self._left:
                return None
            self._left -= len(content)
            with suppress(OSError):  # what can't be shown is no reason to end the run
                write_atomic(path, content)
        if not path.exists():
            return None
        return {"sha256": name, "media_type": media_type, "size": len(content)}

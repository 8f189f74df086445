"""Notifications of file changes, by inotify through ctypes."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Dict, List, Set

IN_MODIFY = 0x2
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_IGNORED = 0x8000
HEADER = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Watches run folders for new files and new events.

    If inotify is not available, `works` is False, and the caller has to poll.
    """

    def __init__(self) -> None:
        self._handle = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.works = self._handle >= 0
        self._names: Dict[int, str] = {}
        self._numbers: Dict[str, Set[int]] = {}

    def handles(self) -> List[int]:
        """Return the file descriptors to wait for with select."""
        return [self._handle] if self.works else []

    def add(self, name: str, events: Path) -> bool:
        """Watch a run folder. Return False if files do not exist yet: call it again later."""
        complete = self._watch(name, Path(name), IN_CREATE | IN_MOVED_TO)
        return self._watch(name, events, IN_MODIFY) and complete

    def _watch(self, name: str, path: Path, mask: int) -> bool:
        number = _libc.inotify_add_watch(self._handle, os.fsencode(path), mask)
        if number < 0:
            return False
        self._names[number] = name
        self._numbers.setdefault(name, set()).add(number)
        return True

    def remove(self, name: str) -> None:
        for number in self._numbers.pop(name, set()):
            self._names.pop(number, None)
            _libc.inotify_rm_watch(self._handle, number)

    def changed(self) -> List[str]:
        """Return the folders that have changed since the last call."""
        try:
            data = os.read(self._handle, 65536)
        except BlockingIOError:
            return []
        found: Dict[str, None] = {}
        at = 0
        while at + HEADER.size <= len(data):
            number, mask, _cookie, length = HEADER.unpack_from(data, at)
            at += HEADER.size + length
            if mask & IN_IGNORED:
                self._names.pop(number, None)
            elif number in self._names:
                found[self._names[number]] = None
        return list(found)

    def close(self) -> None:
        if self.works:
            os.close(self._handle)

"""Lines of a CLI that hostkit does not know: some of each type in full, the others counted."""

from __future__ import annotations

from collections import Counter
from typing import Callable
from typing import Counter as Counts

from ..wire import RunEvent
from .titles import one_line

WHOLE = 20
"""Lines of one type that are reported one by one."""
EACH = 500
"""Further lines of a type for which there is one event."""
MOST_TYPES = 50
LONGEST_NAME = 60
OTHER = "other"


class RawLines:
    def __init__(self, emit: Callable[[RunEvent], None]) -> None:
        self._emit = emit
        self._seen: Counts[str] = Counter()
        self._waiting: Counts[str] = Counter()

    def note(self, name: object, line: object) -> None:
        """Report a line of this type. All of them are in raw.jsonl."""
        kind = one_line(str(name))[:LONGEST_NAME] or OTHER
        if kind not in self._seen and len(self._seen) >= MOST_TYPES:
            kind = OTHER
        self._seen[kind] += 1
        if self._seen[kind] <= WHOLE:
            self._emit({"kind": "raw", "line": line, "type": kind})
            return
        self._waiting[kind] += 1
        if self._waiting[kind] >= EACH:
            self._flush(kind)

    def flush(self) -> None:
        """Report the numbers of lines that were only counted."""
        for kind in list(self._waiting):
            self._flush(kind)

    def _flush(self, kind: str) -> None:
        count = self._waiting.pop(kind)
        self._emit({"kind": "raw", "line": None, "type": kind, "count": count})

"""Commands and sub-agents that work beside the agent."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional

from ..journal import now
from ..wire import BackgroundEvent, RunEvent
from .titles import one_line

MOST_WORKS = 200
"""Works that are reported at the same time. Further ones are not shown."""
PAUSE = 3.0
"""Seconds between two reports of the same work that goes on."""
LONGEST_RESULT = 2000
TEXTS = ("title", "doing")
IDS = ("tool", "parent")
NUMBERS = ("tokens", "tool_uses", "seconds")


class Background:
    """Reports each work when it begins, when it ends, and now and then in between."""

    def __init__(self, emit: Callable[[RunEvent], None]) -> None:
        self._emit = emit
        self._works: Dict[str, BackgroundEvent] = {}
        self._told: Dict[str, float] = {}

    def begin(self, key: str, work: Any, title: str, **fields: Any) -> None:
        """Report the begin of a work: a command, an agent, or something else. Repeated begins are changes."""
        if key in self._works:
            self.note(key, **fields)
            return
        if len(self._works) >= MOST_WORKS:
            return
        event: BackgroundEvent = {
            "kind": "background",
            "id": key,
            "work": work,
            "title": one_line(title) or key,
            "state": "running",
            "since": now(),
        }
        self._works[key] = event
        self._merge(event, fields)
        self._tell(key)

    def note(self, key: str, **fields: Any) -> None:
        """Note how a work goes on. What changes its place in the page is reported at once."""
        event = self._works.get(key)
        if event is None:
            return
        place = (event.get("waited"), event.get("tool"))
        self._merge(event, fields)
        moved = place != (event.get("waited"), event.get("tool"))
        if moved or time.monotonic() - self._told[key] >= PAUSE:
            self._tell(key)

    def end(self, key: str, state: Any, **fields: Any) -> None:
        event = self._works.get(key)
        if event is not None:
            self._merge(event, fields)
            event["state"] = state
            self._tell(key)
            del self._works[key], self._told[key]

    def end_all(self) -> None:
        """Report the end of all works, because the run ends."""
        for key in list(self._works):
            self.end(key, "stopped")

    def __contains__(self, key: str) -> bool:
        return key in self._works

    def running(self, work: Optional[str] = None) -> List[BackgroundEvent]:
        """Return what runs in the background, without what the agent waits for."""
        works = self._works.values()
        return [event for event in works if not event.get("waited") and work in (None, event["work"])]

    def _tell(self, key: str) -> None:
        """Report a work. A command that the agent waits for is no more than its tool call."""
        shown: Any = {**self._works[key]}
        if shown["work"] == "command" and shown.get("waited"):
            self._told.setdefault(key, 0.0)
            return
        self._told[key] = time.monotonic()
        self._emit(shown)

    @staticmethod
    def _merge(event: BackgroundEvent, fields: Dict[str, Any]) -> None:
        """Take the fields that are what they should be; a CLI or an agent has written them."""
        target: Dict[str, Any] = event  # type: ignore[assignment]
        for name, value in fields.items():
            if name in TEXTS and isinstance(value, str) and value:
                target[name] = one_line(value)
            elif name == "result" and isinstance(value, str):
                target[name] = value[:LONGEST_RESULT]
            elif name == "waited":
                target[name] = bool(value)
            elif name in IDS and isinstance(value, str):
                target[name] = value
            if name in NUMBERS and isinstance(value, (int, float)) and value >= 0:
                target[name] = value

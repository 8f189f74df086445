"""The agent's own list of steps, as small events: everything in it was written by a model."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, Optional

from ..wire import ProgressItem, RunEvent
from .titles import one_line

MOST_ITEMS = 100
LONGEST = 200
"""Characters of one step."""
STATES = {"in_progress": "active", "inProgress": "active", "completed": "done"}


def progress_item(text: object, state: object) -> Optional[ProgressItem]:
    """Return one step; None if it has no text. An unknown state counts as pending."""
    words = one_line(text)[:LONGEST] if isinstance(text, str) else ""
    known: Any = STATES.get(state, "pending") if isinstance(state, str) else "pending"
    return {"text": words, "state": known} if words else None


def progress_items(rows: object, text: str, state: str) -> List[ProgressItem]:
    """Return the steps in a list of objects, of which `text` and `state` name the fields."""
    found = rows if isinstance(rows, list) else []
    items = (progress_item(row.get(text), row.get(state)) for row in found if isinstance(row, dict))
    return list(islice((item for item in items if item), MOST_ITEMS))


class Progress:
    """The list of a run. It is reported only if it has changed."""

    def __init__(self, emit: Callable[[RunEvent], None], former: Iterable[ProgressItem] = ()) -> None:
        self._emit = emit
        self._told: List[ProgressItem] = list(former)

    def show(self, items: List[ProgressItem]) -> None:
        if items != self._told:
            self._told = items
            self._emit({"kind": "progress", "items": items})


class NumberedSteps:
    """A list whose steps are made and changed one by one, by their ids."""

    def __init__(self, former: Iterable[ProgressItem] = ()) -> None:
        self._steps: Dict[str, ProgressItem] = {str(n): {**item} for n, item in enumerate(former, 1)}

    def add(self, key: object, text: object) -> None:
        self.put(key, text, "pending")

    def put(self, key: object, text: object, state: object) -> None:
        item = progress_item(text, state)
        if item and (str(key) in self._steps or len(self._steps) < MOST_ITEMS):
            self._steps[str(key)] = item

    def change(self, key: object, *, text: object = None, state: object = None) -> None:
        """Change a step. One that is not known is ignored: a whole list may follow."""
        step = self._steps.get(str(key))
        if step is None:
            return
        if state == "deleted":
            del self._steps[str(key)]
            return
        self.put(key, text or step["text"], step["state"] if state is None else state)

    def clear(self) -> None:
        self._steps.clear()

    @property
    def items(self) -> List[ProgressItem]:
        return list(self._steps.values())

"""Background tasks of Claude Code: commands, sub-agents and workflows."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, List

from ...base.background import Background
from ...wire import Json

AWAITED = ("local_agent", "local_workflow")
"""Tasks that a run waits for. It does not wait for commands: a server would never end."""
MOST_CALLS = 500
"""Calls in the background that are remembered."""
WORKS = {"local_bash": "command", "local_agent": "agent", "local_workflow": "agent", "remote_agent": "agent"}
ENDS = {"completed": "completed", "failed": "failed", "killed": "stopped", "stopped": "stopped"}


class ClaudeTasks:
    """The tasks that have not ended, by their ids, and what is reported of them."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._kinds: Dict[str, str] = {}
        self._ended: Dict[str, str] = {}
        self._waited: Dict[str, bool] = {}
        self._calls: Deque[str] = deque(maxlen=MOST_CALLS)

    @property
    def awaited(self) -> bool:
        """Whether there is one that the run waits for."""
        return any(kind in AWAITED for kind in self._kinds.values())

    @property
    def keys(self) -> List[str]:
        return list(self._kinds)

    def note_calls(self, line: Json) -> None:
        """Remember which calls of an assistant line run in the background: older tasks do not say it."""
        content = (line.get("message") or {}).get("content")
        for block in content if isinstance(content, list) else []:
            given = block.get("input") if isinstance(block, dict) else None
            if isinstance(given, dict) and given.get("run_in_background") is True:
                self._calls.append(str(block.get("id")))

    def started(self, line: Json) -> None:
        said = line.get("is_backgrounded")
        in_background = line.get("tool_use_id") in self._calls if said is None else bool(said)
        self._begin(str(line["task_id"]), str(line.get("task_type")), line, waited=not in_background)

    def _begin(self, key: str, kind: str, line: Json, *, waited: bool) -> None:
        self._kinds[key] = kind
        self._waited[key] = waited
        title = str(line.get("description") or line.get("subagent_type") or kind)
        more = {"tool": line.get("tool_use_id"), "waited": waited}
        self._background.begin(key, WORKS.get(kind, "other"), title, **more)

    def went_on(self, line: Json) -> None:
        """A `task_progress` line."""
        self._background.note(str(line["task_id"]), doing=line.get("description"), **_usage(line))

    def updated(self, line: Json) -> None:
        key, patch = str(line["task_id"]), line.get("patch") or {}
        if patch.get("is_backgrounded") is not None and key in self._kinds:
            self._waited[key] = not patch["is_backgrounded"]
            self._background.note(key, waited=self._waited[key])
        if patch.get("status") in ENDS:  # a notification with the result follows
            self._kinds.pop(key, None)
            self._ended[key] = ENDS[patch["status"]]

    def notified(self, line: Json) -> None:
        """A `task_notification` line, the last one about a task."""
        key = str(line["task_id"])
        state = ENDS.get(str(line.get("status")), self._ended.get(key, "completed"))
        self._forget(key)
        self._background.end(key, state, result=line.get("summary"), **_usage(line))

    def changed(self, line: Json) -> None:
        """A `background_tasks_changed` line: all tasks that the agent does not wait for."""
        tasks = {str(task["task_id"]): task for task in line.get("tasks") or [] if isinstance(task, dict)}
        for key in [key for key, waited in self._waited.items() if not waited and key not in tasks]:
            self._kinds.pop(key, None)
            self._ended.setdefault(key, "completed")
        for key, task in tasks.items():
            if key not in self._kinds and key not in self._ended:
                self._begin(key, str(task.get("task_type")), task, waited=False)
            elif self._waited.get(key):
                self._waited[key] = False
                self._background.note(key, waited=False)

    def settle(self) -> None:
        """Report ends of which no notification has come until the CLI was idle."""
        for key, state in list(self._ended.items()):
            self._forget(key)
            self._background.end(key, state)

    def _forget(self, key: str) -> None:
        self._kinds.pop(key, None)
        self._ended.pop(key, None)
        self._waited.pop(key, None)


def _usage(line: Json) -> Dict[str, Any]:
    usage = line.get("usage")
    if not isinstance(usage, dict):
        return {}
    duration = usage.get("duration_ms")
    seconds = duration / 1000 if isinstance(duration, (int, float)) else None
    return {"tokens": usage.get("total_tokens"), "tool_uses": usage.get("tool_uses"), "seconds": seconds}

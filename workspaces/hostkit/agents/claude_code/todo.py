"""The agent's own list: TodoWrite with whole lists, or the Task tools, which change one step at a time."""

from __future__ import annotations

from typing import Dict, Iterable, Tuple

from ...base.progress import NumberedSteps, Progress, progress_items
from ...wire import Json, ProgressItem

VARIABLES = {"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1", "CLAUDE_CODE_ENABLE_TASKS": "0"}
"""Some models have no list unless the first is set. The second gives whole lists each time."""
TOOLS = ("TodoWrite", "TaskCreate", "TaskUpdate", "TaskList")
MOST_CALLS = 200
"""Calls without a result that are remembered."""


class ClaudeTodo:
    """Follows the list of the agent itself. Those of its sub-agents are their own."""

    def __init__(self, progress: Progress, former: Iterable[ProgressItem] = ()) -> None:
        self._progress = progress
        self._steps = NumberedSteps(former)
        self._calls: Dict[str, Tuple[str, Json]] = {}

    def note_calls(self, line: Json) -> None:
        """Remember calls of an assistant line; what they want counts when they have succeeded."""
        if line.get("parent_tool_use_id"):
            return
        content = (line.get("message") or {}).get("content")
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict) and block.get("name") in TOOLS and len(self._calls) < MOST_CALLS:
                given = block.get("input")
                self._calls[str(block.get("id"))] = (block["name"], given if isinstance(given, dict) else {})

    def note_results(self, line: Json) -> None:
        if not self._calls or line.get("parent_tool_use_id"):
            return
        content = (line.get("message") or {}).get("content")
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict) and block.get("type") == "tool_result":
                call = self._calls.pop(str(block.get("tool_use_id")), None)
                if call and not block.get("is_error"):
                    result = line.get("tool_use_result")
                    self._apply(*call, result if isinstance(result, dict) else {})

    def clear(self) -> None:
        """Forget the list, because another conversation has begun."""
        self._steps.clear()
        self._progress.show([])

    def _apply(self, name: str, given: Json, result: Json) -> None:
        if name == "TodoWrite":
            self._progress.show(progress_items(given.get("todos"), "content", "status"))
            return
        if name == "TaskCreate":
            task = result.get("task")
            if isinstance(task, dict):
                self._steps.add(task.get("id"), task.get("subject") or given.get("subject"))
        elif name == "TaskUpdate":
            key = result.get("taskId", given.get("taskId"))
            self._steps.change(key, text=given.get("subject"), state=given.get("status"))
        else:
            self._take_all(result.get("tasks"))
        self._progress.show(self._steps.items)

    def _take_all(self, tasks: object) -> None:
        if not isinstance(tasks, list):
            return
        self._steps.clear()
        for task in tasks:
            if isinstance(task, dict):
                self._steps.put(task.get("id"), task.get("subject"), task.get("status"))

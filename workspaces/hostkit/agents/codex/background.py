"""Sub-agents and commands that work beside the agent."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ...base.background import Background
from ...base.titles import plain_command
from ...wire import Json

AGENT_ENDS = {"completed": "completed", "interrupted": "stopped"}
STATES = {"completed": "completed", "errored": "failed", "interrupted": "stopped", "shutdown": "stopped"}
NO_TOOLS = ("userMessage", "agentMessage", "reasoning", "plan", "contextCompaction", "subAgentActivity")
PATH = "agentPath"


class CodexWorks:
    """Follows the threads of sub-agents, and commands that are still open when the model goes on."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._tools: Dict[str, str] = {}
        self._titles: Dict[str, str] = {}
        self._uses: Dict[str, int] = {}
        self._processes: Dict[str, str] = {}
        self._ended: Dict[str, str] = {}

    def call_of(self, thread: str) -> str:
        """Return the id of the call that has started the sub-agent of a thread; the thread's if unknown."""
        return self._tools.get(thread, thread)

    def process_of(self, key: str) -> Optional[str]:
        """Return the id of a command's process."""
        return self._processes.get(key)

    def item_started(self, item: Json, thread: Optional[str]) -> None:
        """`thread` is that of a sub-agent, None for the agent's own."""
        if item["type"] == "subAgentActivity":
            self._activity(item, thread)
        elif item["type"] == "collabAgentToolCall":
            self._collaboration(item, thread)
        elif thread is not None and item["type"] not in NO_TOOLS:
            self._uses[thread] = self._uses.get(thread, 0) + 1
            doing = plain_command(str(item.get("command") or item.get("tool") or item["type"]))
            self._background.note(thread, tool_uses=self._uses[thread], doing=doing)

    def item_completed(self, item: Json, thread: Optional[str]) -> None:
        if item["type"] == "collabAgentToolCall":
            self._collaboration(item, thread)
        key = str(item["id"])
        self._processes.pop(key, None)
        if key in self._background and item["type"] == "commandExecution":
            code = item.get("exitCode")
            state = "stopped" if code == -1 else "failed" if code else "completed"
            self._background.end(key, state, result=str(item.get("aggregatedOutput") or ""))

    def _activity(self, item: Json, parent: Optional[str]) -> None:
        thread, kind = str(item.get("agentThreadId")), item.get("kind")
        if kind == "started":
            self._begin(thread, str(item["id"]), str(item.get(PATH) or "").rpartition("/")[2], parent)
        elif kind in AGENT_ENDS:
            self.end_thread(thread, AGENT_ENDS[str(kind)])
        elif kind == "interacted":  # it works again
            self._begin(thread, self.call_of(thread), str(item.get(PATH) or "").rpartition("/")[2], parent)

    def _collaboration(self, item: Json, parent: Optional[str]) -> None:
        """Note which threads a call of another tool for sub-agents starts, and how they are."""
        threads = [str(each) for each in item.get("receiverThreadIds") or []]
        if item.get("tool") == "spawnAgent":
            for thread in threads:
                self._begin(thread, str(item["id"]), str(item.get("prompt") or ""), parent)
        states = item.get("agentsStates")
        for thread, about in states.items() if isinstance(states, dict) else ():
            if isinstance(about, dict) and about.get("status") in STATES:
                self.end_thread(str(thread), STATES[about["status"]])

    def _begin(self, thread: str, call: str, title: str, parent: Optional[str]) -> None:
        self._tools.setdefault(thread, call)
        self._titles.setdefault(thread, title)
        above = None if parent is None else self.call_of(parent)
        self._background.begin(thread, "agent", title or "sub-agent", tool=self.call_of(thread), parent=above)

    def turn_started(self, thread: str) -> None:
        """A sub-agent that has ended its work has got another one."""
        if thread in self._tools and thread not in self._background:
            self._begin(thread, self._tools[thread], self._titles[thread], None)

    def end_thread(self, thread: str, state: Any) -> None:
        self._background.end(thread, state)

    def note_usage(self, params: Json) -> None:
        """Note the tokens of a sub-agent's thread."""
        total = ((params.get("tokenUsage") or {}).get("total") or {}).get("totalTokens")
        self._background.note(str(params.get("threadId")), tokens=total)

    def note_open(self, items: List[Json]) -> None:
        """The model goes on, or the turn has ended: commands that are still open run in the background."""
        for item in items:
            key = str(item["id"])
            if item["type"] == "commandExecution" and key not in self._background:
                self._processes[key] = str(item.get("processId") or "")
                self._background.begin(key, "command", plain_command(str(item.get("command"))), tool=key)

"""Commands that the CLI executes itself, such as `/usage` or `/compact`: they need no model."""

from __future__ import annotations

from typing import List, Optional

from ...base.agent import Agent
from ...wire import Json
from .lifecycle import Deliveries
from .system_lines import SystemLines

MOST_OUTPUT = 64 * 1024
SYNTHETIC = "<synthetic>"
COMPACT = "compact"


class LocalCommands:
    """Holds back texts that no model has written until the result says whether they are such an output."""

    def __init__(self, agent: Agent) -> None:
        self._emit = agent.host.emit
        self._held: List[str] = []

    def held_back(self, line: Json) -> bool:
        message = line.get("message") or {}
        if message.get("model") != SYNTHETIC or line.get("parent_tool_use_id"):
            return False
        content = message.get("content")
        texts = [part.get("text") for part in content or [] if isinstance(part, dict)]
        self._held += [text for text in texts if isinstance(text, str) and text]
        return True

    def note_result(self, result: Json, deliveries: Deliveries, lines: SystemLines) -> bool:
        """Report what a command has printed. Return whether the result is that of a command."""
        name = _command(result)
        held, self._held = self._held, []
        if name is None:
            for text in held:
                self._emit({"kind": "text", "text": text})
            return False
        output = str(result.get("result") or "\n".join(held))[:MOST_OUTPUT]
        if name in (COMPACT, "") and lines.end_compaction(output):
            if not deliveries.exact:
                deliveries.compactions.clear()
        elif output:
            self._emit({"kind": "local_command", "name": name, "output": output})
        return True


def _command(result: Json) -> Optional[str]:
    """Return the command's name, empty in versions that do not say it; None if a model has worked."""
    name = result.get("local_command")
    if isinstance(name, str) and name:
        return name
    has_worked = bool(result.get("num_turns")) or result.get("is_error") or "terminal_reason" in result
    return None if has_worked else ""

"""Lines of Claude Code that are about the session, not about its work."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ...base.agent import Agent
from ...wire import Json

IGNORED_TYPES = {
    "stream_event": "parts of what a later line has whole",
    "keep_alive": "nothing but a sign of life",
    "prompt_suggestion": "what a person could say next; the app does not ask for it",
    "control_response": "answers to requests; also those of ours, which the CLI repeats",
    "tool_progress": "how long a tool has been running; the page counts itself",
}
"""Types of lines that are not shown, and why."""
IGNORED_SUBTYPES = {
    "thinking_tokens": "an estimate while thinking; the usage is exact",
    "hook_started": "hooks of the user's own settings",
    "hook_progress": "hooks of the user's own settings",
    "hook_response": "hooks of the user's own settings",
    "files_persisted": "uploads of cloud sessions",
    "elicitation_complete": "the request itself is closed",
    "commands_changed": "read when commands are offered",
    "local_command_output": "its result line has it, too",
}
"""Subtypes of `system` lines that are not shown, and why."""


class SystemLines:
    """Shows compactions, models that were replaced, titles and notices as what they are."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._emit = agent.host.emit
        self._compacting = False
        self._told = False
        self.asked_to_compact = False
        self.handlers: Dict[str, Callable[[Json], None]] = {
            "status": self._status,
            "model_fallback": lambda line: self._model(line, "fallback"),
            "model_refusal_fallback": lambda line: self._model(line, "refusal"),
            "session_title_changed": self._title,
            "notification": self._notice,
        }

    def _status(self, line: Json) -> None:
        """Report the begin and the failure of a compaction. Other status lines show by their effects."""
        if line.get("status") == "compacting":
            if not self._compacting:
                self._compacting = True
                self._emit({"kind": "compaction", "phase": "started", "trigger": self._trigger})
        elif line.get("compact_result") not in (None, "success"):
            error = line.get("compact_error") or line.get("error") or line["compact_result"]
            self._fail(_text(error))
        elif line.get("compact_result") == "success":
            return  # the boundary follows
        elif self._compacting and line.get("status") is None and "permissionMode" not in line:
            self._fail("")

    @property
    def _trigger(self) -> str:
        return "manual" if self.asked_to_compact else "auto"

    def _fail(self, text: str) -> None:
        self._emit({"kind": "compaction", "phase": "failed", "trigger": self._trigger, "text": text})
        self._told = True
        self._compacting = self.asked_to_compact = False

    def compacted(self, line: Json) -> None:
        about = line.get("compact_metadata")
        about = about if isinstance(about, dict) else {}
        trigger = _text(about.get("trigger")) or self._trigger
        self._compacting = self.asked_to_compact = False
        self._told = True
        self._emit(
            {
                "kind": "compaction",
                "phase": "finished",
                "trigger": trigger,
                "before": _count(about.get("pre_tokens")),
                "after": _count(about.get("post_tokens")),
            }
        )

    def end_turn(self, result: Json) -> None:
        """A compaction that has not ended with its turn has failed."""
        if self._compacting:
            self._fail(_text(result.get("result")))

    def end_compaction(self, output: str) -> bool:
        """Return whether a compaction has just ended. If it has not begun, it has failed: with `output`."""
        told, self._told = self._told, False
        if self.asked_to_compact:
            self._fail(output)
            return True
        return told

    def _model(self, line: Json, why: Any) -> None:
        before, model = line.get("original_model"), line.get("fallback_model")
        text = line.get("content") or line.get("message")
        self._emit(
            {
                "kind": "model_change",
                "why": why,
                "before": _text(before) or None,
                "model": _text(model) or None,
                "text": _text(text) or None,
            }
        )

    def _title(self, line: Json) -> None:
        if title := _text(line.get("title")):
            self._emit({"kind": "title", "text": title})

    def _notice(self, line: Json) -> None:
        text = next((_text(line[name]) for name in ("content", "message", "text") if line.get(name)), "")
        if text:
            self._emit({"kind": "notice", "text": text})


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _count(value: object) -> Optional[int]:
    return value if isinstance(value, int) and value >= 0 else None

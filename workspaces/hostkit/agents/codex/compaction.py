"""Compactions of a Codex thread. Each that a person asks for is a turn of its own."""

from __future__ import annotations

from typing import Callable, Optional

from ...wire import Json, RunEvent


class CodexCompaction:
    def __init__(self, emit: Callable[[RunEvent], None]) -> None:
        self._emit = emit
        self._context: Optional[int] = None
        self._before: Optional[int] = None
        self._is_open = False
        self.wanted = False
        "Whether one is to begin when the turn has ended. In a turn, it would interrupt it."
        self.own_turn = False
        "Whether the current turn is one that a person has asked for."

    @property
    def _trigger(self) -> str:
        return "manual" if self.own_turn else "auto"

    def note_usage(self, params: Json) -> None:
        """Note the tokens of context. After a compaction they are an estimate."""
        last = (params.get("tokenUsage") or {}).get("last") or {}
        total = last.get("totalTokens")
        if isinstance(total, int) and total > 0 and (not self._is_open or not last.get("inputTokens")):
            self._context = total

    def started(self) -> None:
        self._before, self._is_open = self._context, True
        self._emit({"kind": "compaction", "phase": "started", "trigger": self._trigger})

    def completed(self) -> None:
        after = self._context if self._context != self._before else None
        self._is_open = False
        event: RunEvent = {
            "kind": "compaction",
            "phase": "finished",
            "trigger": self._trigger,
            "before": self._before,
            "after": after,
        }
        self._emit(event)

    def end_turn(self, error: object) -> None:
        """Report that a compaction has not ended with its turn."""
        if self._is_open or (self.own_turn and error):
            self.fail(str(error or ""))
        self.own_turn = False

    def fail(self, text: str) -> None:
        self._is_open = False
        self._emit({"kind": "compaction", "phase": "failed", "trigger": self._trigger, "text": text})
        self.own_turn = False

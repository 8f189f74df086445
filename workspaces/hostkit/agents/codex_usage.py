"""Tokens of a Codex thread: its totals go on over resumes, a run's share is the difference."""

from __future__ import annotations

from typing import Dict, Optional

from ..files import Json

FIELDS = ("inputTokens", "cachedInputTokens", "cacheWriteInputTokens", "outputTokens", "reasoningOutputTokens")


class Ledger:
    def __init__(self, counted: Optional[Json]) -> None:
        self.thread: Optional[str] = None
        self.thread_total: Optional[Json] = dict(counted) if counted else None
        self._base: Optional[Dict[str, int]] = _numbers(counted) if counted else None
        self._others: Dict[str, Dict[str, int]] = {}
        self._last: Optional[Dict[str, int]] = None
        self._turns = 0
        self._context_used: Optional[int] = None
        self._context_window: Optional[int] = None

    def note(self, params: Json, own_turn: Optional[str]) -> None:
        """A report of totals. One that belongs to no turn of this run is what the thread had before."""
        usage = params.get("tokenUsage") or {}
        total, last = _numbers(usage.get("total")), _numbers(usage.get("last"))
        thread = params.get("threadId")
        if thread not in (None, self.thread):
            self._others[str(thread)] = total
            return
        self.thread_total = dict(usage.get("total") or {})
        if own_turn is None or params.get("turnId") != own_turn:
            self._base = self._base if self._base is not None and self._last is None else total
            return
        if self._base is None:
            self._base = {name: total[name] - last[name] for name in FIELDS}
        self._last = total
        self._context_used = last["inputTokens"] + last["outputTokens"]
        self._context_window = usage.get("modelContextWindow") or self._context_window

    def end_turn(self) -> Json:
        self._turns += 1
        return self.total() or self._named({name: 0 for name in FIELDS})

    def total(self) -> Optional[Json]:
        """What this run has used; None before anything was."""
        if self._last is None and not self._others:
            return None
        base = self._base or {}
        own = {name: (self._last or base).get(name, 0) - base.get(name, 0) for name in FIELDS}
        for other in self._others.values():
            own = {name: own[name] + other[name] for name in FIELDS}
        return self._named(own)

    def _named(self, own: Dict[str, int]) -> Json:
        cached, written = own["cachedInputTokens"], own["cacheWriteInputTokens"]
        return {
            "input_tokens": max(0, own["inputTokens"] - cached - written),
            "output_tokens": own["outputTokens"],
            "cache_read_tokens": cached,
            "cache_write_tokens": written,
            "reasoning_tokens": own["reasoningOutputTokens"],
            "cost_usd": None,
            "by_model": {},
            "turns": self._turns,
            "context_used": self._context_used,
            "context_window": self._context_window,
            "thread_total": self.thread_total,
        }


def _numbers(usage: Optional[Json]) -> Dict[str, int]:
    return {name: int((usage or {}).get(name) or 0) for name in FIELDS}

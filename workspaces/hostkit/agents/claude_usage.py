"""Tokens of a Claude Code process, in our names."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..files import Json

NAMES = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_tokens": "cacheReadInputTokens",
    "cache_write_tokens": "cacheCreationInputTokens",
}
LIVE_NAMES = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


class Ledger:
    """Exact totals after each result, which counts the whole process with its sub-agents and side requests.

    In between, what the messages since then have said: exact for input, a lower bound for output.
    """

    def __init__(self) -> None:
        self._counted: Json = dict.fromkeys(NAMES, 0)
        self._since: Dict[str, Json] = {}
        self._by_model: Dict[str, Json] = {}
        self._cost: Optional[float] = None
        self._turns = 0
        self._context_used: Optional[int] = None
        self._context_window: Optional[int] = None

    def note(self, line: Json) -> Optional[Json]:
        """A message of the model. It comes once per content block; totals are given for the first only."""
        message = line.get("message") or {}
        usage, key = message.get("usage"), str(message.get("id"))
        if not usage or message.get("model") == "<synthetic>":
            return None
        known = key in self._since
        self._since[key] = {name: int(usage.get(theirs) or 0) for name, theirs in LIVE_NAMES.items()}
        if not line.get("parent_tool_use_id"):
            self._context_used = sum(self._since[key].values())
        return None if known else self.total()

    def close(self, result: Json) -> Json:
        """A result: the cumulative totals of the process."""
        by_model = result.get("modelUsage") or {}
        self._by_model = {model: _named(usage) for model, usage in by_model.items()}
        self._counted = {name: sum(usage[name] for usage in self._by_model.values()) for name in NAMES}
        self._since = {}
        self._cost = result.get("total_cost_usd")
        self._turns += 1
        windows = [int(usage.get("contextWindow") or 0) for usage in by_model.values()]
        self._context_window = max(windows) if windows else self._context_window
        return self.total()

    def total(self) -> Json:
        total: Json = {
            name: self._counted[name] + sum(usage[name] for usage in self._since.values()) for name in NAMES
        }
        total["reasoning_tokens"] = 0
        total["cost_usd"] = self._cost
        total["by_model"] = self._by_model
        total["turns"] = self._turns
        total["context_used"] = self._context_used
        total["context_window"] = self._context_window
        return total


def _named(usage: Dict[str, Any]) -> Json:
    named: Json = {name: int(usage.get(theirs) or 0) for name, theirs in NAMES.items()}
    named["cost_usd"] = usage.get("costUSD")
    return named

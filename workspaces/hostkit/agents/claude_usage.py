"""Tokens of a Claude Code process, in our names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Set

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
AGENT = "agent "
SENT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
"""What a message says exactly as soon as it begins."""


class Ledger:
    """Exact totals after each result, which counts the whole process with its sub-agents and side requests.

    In between, what the messages since then have said: exact for input, a lower bound for output.
    `side` is what was sent in requests that are no message, such as for a title or a summary; `untold` is the
    number of answers of which the CLI has not said what they used; `open` says that a result is missing.
    """

    def __init__(self) -> None:
        self._counted: Json = dict.fromkeys(NAMES, 0)
        self._since: Dict[str, Json] = {}
        self._messages: Set[str] = set()
        self._sent = dict.fromkeys(SENT, 0)
        self._side: Dict[str, int] = {}
        self._untold = 0
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
        self._note_sent(key)
        if not line.get("parent_tool_use_id"):
            self._context_used = sum(self._since[key].values())
        return None if known else self.total()

    def note_agent(self, line: Json) -> None:
        """The result of a sub-agent, whose last message comes in no other way."""
        result = line.get("tool_use_result")
        usage = result.get("usage") if isinstance(result, dict) else None
        if isinstance(usage, dict) and isinstance(result, dict) and result.get("agentId"):
            key = AGENT + str(result["agentId"])
            self._since[key] = {name: int(usage.get(theirs) or 0) for name, theirs in LIVE_NAMES.items()}
            self._note_sent(key)

    def _note_sent(self, key: str) -> None:
        if key not in self._messages:
            self._messages.add(key)
            for name in SENT:
                self._sent[name] += self._since[key][name]

    def close(self, result: Json) -> Json:
        """A result: the cumulative totals of the process."""
        by_model = result.get("modelUsage") or {}
        self._by_model = {model: _named(usage) for model, usage in by_model.items()}
        self._counted = {name: sum(usage[name] for usage in self._by_model.values()) for name in NAMES}
        self._since = {}
        side = {name: self._counted[name] - self._sent[name] for name in SENT}
        self._side = side if min(side.values()) >= 0 and any(side.values()) else {}
        self._untold += result.get("terminal_reason") == "aborted_streaming"
        self._cost = result.get("total_cost_usd")
        self._turns += 1
        windows = [int(usage.get("contextWindow") or 0) for usage in by_model.values()]
        self._context_window = max(windows) if windows else self._context_window
        return self.total()

    def complete(self, finals: Mapping[str, Json]) -> Json:
        """The end without a result: `finals` tells the tokens of messages by their id."""
        for key in self._since:
            self._untold += key not in finals and not key.startswith(AGENT)
            self._since[key] = finals.get(key, self._since[key])
        total = self.total()
        total.update(open=False, cost_usd=None)  # a sum of costs that lacks the last turn would be no sum
        return total

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
        total["side"], total["untold"], total["open"] = self._side, self._untold, bool(self._since)
        return total


def settled(raw: Path, finals: Mapping[str, Json]) -> Json:
    """The totals of a process that ended without a result, from all that it said."""
    ledger = Ledger()
    for line in _said(raw):
        if line.get("type") == "assistant":
            ledger.note(line)
        elif line.get("type") == "user":
            ledger.note_agent(line)
        elif line.get("type") == "result":
            ledger.close(line)
    return ledger.complete(finals)


def _said(raw: Path) -> Iterator[Json]:
    """The lines of the CLI that tell tokens; the last one may be torn."""
    with raw.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith("< ") and '"usage"' in line:
                try:
                    yield json.loads(line[2:])
                except ValueError:
                    continue


def _named(usage: Dict[str, Any]) -> Json:
    named: Json = {name: int(usage.get(theirs) or 0) for name, theirs in NAMES.items()}
    named["cost_usd"] = usage.get("costUSD")
    return named

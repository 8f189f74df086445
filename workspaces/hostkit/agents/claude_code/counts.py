"""Counts of tokens in Claude Code's lines."""

from __future__ import annotations

from typing import Dict, Mapping, Optional

from ...wire import Json, ModelUsage

Counts = Dict[str, int]
NAMES = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_tokens": "cacheReadInputTokens",
    "cache_write_tokens": "cacheCreationInputTokens",
    "cache_write_1h_tokens": "cacheCreationEphemeral1hInputTokens",
}
"""Names of our counts in the CLI's totals. Those written for one hour are part of the cache writes."""
LIVE_NAMES = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


class ResultTotals:
    """Adds up the tokens and costs of the results of a process, by model.

    New versions report what is new in each result. Their totals go on when a session is resumed or forked,
    and `/clear` sets them back to 0. The totals of old versions begin at 0 in each process.
    """

    def __init__(self) -> None:
        self._counts: Dict[str, Counts] = {}
        self._costs: Dict[str, Optional[float]] = {}
        self._windows: Dict[str, int] = {}
        self._reported: Dict[str, Json] = {}
        self._reported_cost = 0.0
        self.cost: Optional[float] = None

    def add(self, result: Json) -> None:
        totals, new = _models(result.get("modelUsage")), _models(result.get("model_usage_since_last_result"))
        if new is None:
            new = self._new(totals or {})
            self._add_cost(self._new_cost(result))
        else:
            self._add_cost(sum(_dollars(usage.get("costUSD")) or 0.0 for usage in new.values()))
        for model, usage in new.items():
            known = self._counts.setdefault(model, dict.fromkeys(NAMES, 0))
            for name, cli_name in NAMES.items():
                known[name] += count(usage.get(cli_name))
            cost = _dollars(usage.get("costUSD"))
            if cost is not None:
                self._costs[model] = _rounded((self._costs.get(model) or 0.0) + cost)
        for model, usage in {**(totals or {}), **new}.items():
            self._windows[model] = count(usage.get("contextWindow")) or self._windows.get(model, 0)
        self._reported = totals if totals is not None else self._reported
        self._reported_cost = _dollars(result.get("total_cost_usd")) or 0.0

    def _new(self, totals: Dict[str, Json]) -> Dict[str, Json]:
        """Return what the totals have more than those before, or all of it if they were set back."""
        if any(_is_less(totals.get(model) or {}, before) for model, before in self._reported.items()):
            return totals
        return {model: _less(usage, self._reported.get(model) or {}) for model, usage in totals.items()}

    def _new_cost(self, result: Json) -> Optional[float]:
        cost = _dollars(result.get("total_cost_usd"))
        return cost if cost is None or cost < self._reported_cost else cost - self._reported_cost

    def _add_cost(self, cost: Optional[float]) -> None:
        if cost is not None:
            self.cost = _rounded((self.cost or 0.0) + cost)

    def counts(self) -> Counts:
        return {name: sum(counts[name] for counts in self._counts.values()) for name in NAMES}

    def by_model(self) -> Dict[str, ModelUsage]:
        return {model: model_usage(counts, self._costs.get(model)) for model, counts in self._counts.items()}

    def window(self, model: str) -> int:
        """Return the size of the model's context window: the largest one if it is unknown, 0 without any."""
        return self._windows.get(model) or max(self._windows.values(), default=0)


def live_counts(usage: Json) -> Counts:
    """Return the counts of one message."""
    counts = {name: count(usage.get(cli_name)) for name, cli_name in LIVE_NAMES.items()}
    written = usage.get("cache_creation")
    hour = written.get("ephemeral_1h_input_tokens") if isinstance(written, dict) else 0
    counts["cache_write_1h_tokens"] = min(count(hour), counts["cache_write_tokens"])
    return counts


def named_totals(totals: Json) -> Dict[str, ModelUsage]:
    """Return the CLI's totals by model in our names."""
    return {
        model: model_usage(
            {name: count(usage.get(cli_name)) for name, cli_name in NAMES.items()},
            _dollars(usage.get("costUSD")),
        )
        for model, usage in (_models(totals) or {}).items()
    }


def model_usage(counts: Mapping[str, int], cost: Optional[float]) -> ModelUsage:
    usage: ModelUsage = {
        "input_tokens": counts["input_tokens"],
        "output_tokens": counts["output_tokens"],
        "cache_read_tokens": counts["cache_read_tokens"],
        "cache_write_tokens": counts["cache_write_tokens"],
        "cost_usd": cost,
    }
    if counts["cache_write_1h_tokens"]:
        usage["cache_write_1h_tokens"] = counts["cache_write_1h_tokens"]
    return usage


def _models(value: object) -> Optional[Dict[str, Json]]:
    """Return the usage by model, without what is malformed; None if it is missing."""
    if not isinstance(value, dict):
        return None
    return {str(model): usage for model, usage in value.items() if isinstance(usage, dict)}


def _is_less(usage: Json, before: Json) -> bool:
    return any(count(usage.get(name)) < count(before.get(name)) for name in NAMES.values())


def _less(usage: Json, before: Json) -> Json:
    new: Json = {name: count(usage.get(name)) - count(before.get(name)) for name in NAMES.values()}
    cost, cost_before = _dollars(usage.get("costUSD")), _dollars(before.get("costUSD"))
    new["costUSD"] = None if cost is None else max(0.0, cost - (cost_before or 0.0))
    return new


def count(value: object) -> int:
    """Return a count of tokens; 0 if it is missing or none."""
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1e15 else 0


def _dollars(value: object) -> Optional[float]:
    """Return a cost; None if it is missing or none."""
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e12 else None


def _rounded(cost: float) -> float:
    """Round away what adding floats leaves."""
    return round(cost, 12)

"""Tokens and plan limits."""

from __future__ import annotations

import sys
from typing import Dict, List, Optional, TypedDict

from .base import Json

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

TOKEN_KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
"""Input excludes cache reads and writes. Output includes reasoning."""


class ModelUsage(TypedDict):
    """Tokens of one model in a run, as far as the CLI reports them."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: NotRequired[int]
    "Those of the cache writes that are kept for an hour, which cost more."
    reasoning_tokens: NotRequired[int]
    cost_usd: NotRequired[Optional[float]]


class UsageTotals(TypedDict):
    """Tokens that a run has used so far, including sub-agents and side requests."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Optional[float]
    "As reported by the CLI, or None."
    by_model: Dict[str, ModelUsage]
    turns: int
    context_used: Optional[int]
    "Size of the conversation in the last request, in tokens."
    context_window: Optional[int]
    "Size of the model's context window, in tokens."
    thread_total: NotRequired[Optional[Json]]
    "Passed on as `thread_total` in the spec of the next run of this session."
    side: NotRequired[Dict[str, int]]
    "Tokens of requests that are not messages, for example for a title. They are in no transcript."
    untold: NotRequired[int]
    "Number of interrupted answers whose tokens the CLI has not fully reported."
    begun: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in the transcript, but not in these totals."
    unsaved: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in these totals, but not in the transcript."
    partial: NotRequired[int]
    "Upper bound of the output tokens of such answers that are in these totals, but not in the transcript."
    sessions: NotRequired[List[str]]
    "The sessions that the run worked in, if it was more than one: `/clear` starts another one."
    open: NotRequired[bool]
    "True: a turn is running, output is a lower bound. False: it was interrupted; totals from the transcript."


class PlanWindow(TypedDict):
    """One time window of a plan limit."""

    window: str
    "five_hour, seven_day, seven_day_<model>, or the CLI's own name for it."
    used_percent: Optional[float]
    resets_at: NotRequired[Optional[str]]

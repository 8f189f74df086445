"""Token totals of a Codex run.

Codex reports totals of the whole thread, including earlier runs. A run's tokens are the difference. The total
of a forked thread begins with that of the turns it has copied, and a revert takes turns out of it.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Sequence, Set, cast

from ...wire import TOKEN_KINDS, Json, ModelUsage, UsageTotals
from .transcripts import CountedRequest

FIELDS = (
    "inputTokens",
    "cachedInputTokens",
    "cacheWriteInputTokens",
    "outputTokens",
    "reasoningOutputTokens",
)

OWN = ""
"""Key of the agent's own thread among those of its sub-agents."""


class CodexLedger:
    """Adds up the reported tokens.

    New tokens are counted for `model`. `untold` is the number of interrupted answers whose tokens Codex did
    not report.
    """

    def __init__(self, counted: Optional[Json]) -> None:
        self.thread: Optional[str] = None
        self.model = ""
        self.untold = 0
        former = dict(counted or {})
        self._other_totals: Dict[str, Json] = dict(former.pop("others", None) or {})
        self._own_total: Optional[Json] = former or None
        self._base: Optional[Dict[str, int]] = _numbers(counted) if counted else None
        self._own: Optional[Dict[str, int]] = None
        self._others: Dict[str, Dict[str, int]] = {}
        self._other_bases = {thread: _numbers(total) for thread, total in self._other_totals.items()}
        self._by_model: Dict[str, Dict[str, int]] = {}
        self._turns = 0
        self._is_reverted = False
        self._is_compacting = False
        self._first_of_compaction: Optional[Dict[str, int]] = None
        self._at_interrupt: Dict[str, Dict[str, int]] = {}
        self._open_items: Set[str] = set()
        self._context_used: Optional[int] = None
        self._context_window: Optional[int] = None

    @property
    def thread_total(self) -> Optional[Json]:
        """The total that the next run of the thread starts from. `others` are the threads of sub-agents."""
        if self._own_total is None or not self._other_totals:
            return self._own_total
        return dict(self._own_total, others=dict(self._other_totals))

    def note(self, params: Json, own_turn: Optional[str]) -> None:
        """Process a report of totals. One outside of this run's turns is about the time before the run."""
        usage = params.get("tokenUsage") or {}
        total, last = _numbers(usage.get("total")), _numbers(usage.get("last"))
        before = self._sum()
        if self.thread is not None and params.get("threadId") not in (None, self.thread):
            self._note_other(str(params["threadId"]), total, last)
        elif own_turn is None or params.get("turnId") != own_turn:
            self._note_former(usage, total)
        else:
            if self._take_back_former(total, last):
                before = self._sum()
            self._note_own(total, last)
            self._note_context(usage.get("last") or {})
            self._context_window = usage.get("modelContextWindow") or self._context_window
            self._own_total = dict(usage.get("total") or {})
        self._count_for_model(before)

    def _note_former(self, usage: Json, total: Dict[str, int]) -> None:
        """Note the totals that a resumed thread had before. This report may be missing or late.

        It is right where the counted total is not: that of a killed run may lack its last answer.
        """
        if self._base is None or (self._own is None and usage.get("total")):
            self._base = total
            self._own_total = dict(usage.get("total") or {})

    def _note_own(self, total: Dict[str, int], last: Dict[str, int]) -> None:
        """Note the total after a request. It may be repeated; after a compaction, `last` is 0."""
        before = {name: total[name] - last[name] for name in FIELDS}
        own = self._own or dict.fromkeys(FIELDS, 0)
        if self._base is None or self._has_jumped(total, before):
            self._base = {name: before[name] - own[name] for name in FIELDS}
        self._is_reverted = False
        self._own = {name: total[name] - self._base[name] for name in FIELDS}

    def _take_back_former(self, total: Dict[str, int], last: Dict[str, int]) -> bool:
        """Take out the total before this one if it turns out that it was that of the time before the run.

        A turn may begin with a compaction, as after a change of the model. Codex then repeats the former
        total before that of the compaction's request. Nothing else says what a fork begins with.
        """
        if not self._is_compacting:
            return False
        former, before = self._first_of_compaction, total["inputTokens"] - last["inputTokens"]
        if self._own is None and self._base is None:
            self._first_of_compaction = total
        elif former and last["inputTokens"] and before == former["inputTokens"]:
            self._base, self._own, self._first_of_compaction = former, None, None
            self._by_model.clear()
            return True
        return False

    def note_compaction(self, *, begins: bool) -> None:
        """Note the begin or the end of a compaction of the agent's own thread."""
        self._is_compacting, self._first_of_compaction = begins, None

    def _has_jumped(self, total: Dict[str, int], before: Dict[str, int]) -> bool:
        """Whether the total has changed without a request of this run.

        It does by an interactive session since the last run, by a fork of an earlier turn, and by a revert.
        """
        if self._is_reverted or self._base is None:
            return True
        if self._own is None:
            return total != self._base and before["inputTokens"] != self._base["inputTokens"]
        return total["inputTokens"] < self._base["inputTokens"] + self._own["inputTokens"]

    def note_revert(self) -> None:
        """Note that turns were removed from the thread. The next total does not include them."""
        self._is_reverted = True

    def begin(self, thread: str, resumed: Optional[str]) -> None:
        """Note the run's thread. One that is not `resumed` has a total of its own: it is new, or a fork."""
        self.thread = thread
        if thread != resumed:
            self._base = self._own_total = None

    def _note_context(self, last: Json) -> None:
        """Note the size of the conversation. After a compaction, Codex reports an estimate of it."""
        size = last.get("totalTokens")
        if size is None:
            size = int(last.get("inputTokens") or 0) + int(last.get("outputTokens") or 0)
        self._context_used = int(size)

    def _note_other(self, thread: str, total: Dict[str, int], last: Dict[str, int]) -> None:
        """Note totals of a sub-agent. If an earlier run has used it, start from the totals counted there."""
        base = self._other_bases.setdefault(thread, {name: total[name] - last[name] for name in FIELDS})
        self._others[thread] = {name: total[name] - base[name] for name in FIELDS}
        self._other_totals[thread] = dict(total)

    def _sum(self) -> Dict[str, int]:
        parts = [*self._others.values(), *([self._own] if self._own else [])]
        return {name: sum(part[name] for part in parts) for name in FIELDS}

    def _count_for_model(self, before: Dict[str, int]) -> None:
        now = self._sum()
        new = _named({name: now[name] - before[name] for name in FIELDS})
        if self.model and any(new.values()):
            known = self._by_model.setdefault(self.model, dict.fromkeys(new, 0))
            known.update((name, known[name] + new[name]) for name in new)

    def note_begin(self, item: Json) -> None:
        """Note the start of an item. A message of the user interrupts an answer that has begun."""
        if item.get("type") in ("agentMessage", "reasoning"):
            self._open_items.add(str(item.get("id")))
        elif item.get("type") == "userMessage":
            self.untold += bool(self._open_items)
            self._open_items.clear()

    def note_end(self, item: Json) -> None:
        self._open_items.discard(str(item.get("id")))

    def note_break(self) -> None:
        """Note that the connection was lost during an answer."""
        self.untold += 1
        self._open_items.clear()

    def note_interrupt(self) -> None:
        """Note an interrupt of all turns. Codex then still reports an answer that was complete."""
        self._at_interrupt = {OWN: dict(self._own or {}), **self._others}

    def end_turn(self, *, interrupted: bool = False) -> UsageTotals:
        self._turns += 1
        self._open_items.clear()
        self.untold += interrupted and self._at_interrupt.get(OWN) == dict(self._own or {})
        return self.total()

    def end_other_turn(self, thread: str, *, interrupted: bool) -> None:
        self.untold += interrupted and self._at_interrupt.get(thread) == self._others.get(thread)

    def total(self) -> UsageTotals:
        """Return the totals of this run."""
        counts = _named(self._sum())
        return {
            "input_tokens": counts["input_tokens"],
            "output_tokens": counts["output_tokens"],
            "cache_read_tokens": counts["cache_read_tokens"],
            "cache_write_tokens": counts["cache_write_tokens"],
            "reasoning_tokens": counts["reasoning_tokens"],
            "cost_usd": None,
            "by_model": {model: cast("ModelUsage", dict(used)) for model, used in self._by_model.items()},
            "turns": self._turns,
            "context_used": self._context_used,
            "context_window": self._context_window,
            "thread_total": self.thread_total,
            "untold": self.untold,
        }


def with_requests(usage: Optional[UsageTotals], requests: Iterable[CountedRequest]) -> UsageTotals:
    """Return the totals with these requests added."""
    known = usage.copy() if usage else CodexLedger(None).total()
    by_model: Dict[str, Json] = {model: dict(used) for model, used in known["by_model"].items()}
    for request in requests:
        used = by_model.setdefault(request.model, dict.fromkeys(TOKEN_KINDS, 0))
        for name in TOKEN_KINDS:
            used[name] = int(used.get(name) or 0) + request.tokens[name]
        known["input_tokens"] += request.tokens["input_tokens"]
        known["output_tokens"] += request.tokens["output_tokens"]
        known["cache_read_tokens"] += request.tokens["cache_read_tokens"]
        known["cache_write_tokens"] += request.tokens["cache_write_tokens"]
        known["reasoning_tokens"] += request.tokens["reasoning_tokens"]
    known["by_model"] = cast("Dict[str, ModelUsage]", by_model)
    return known


def missing_requests(usage: UsageTotals, requests: Sequence[CountedRequest]) -> List[CountedRequest]:
    """Return the last of these requests, without which they have these totals; none if there are none."""
    known = cast("Dict[str, int]", usage)
    sums = dict.fromkeys(TOKEN_KINDS, 0)
    for request in requests:
        for name in TOKEN_KINDS:
            sums[name] += request.tokens[name]
    missing: List[CountedRequest] = []
    for request in reversed(requests):
        if all(sums[name] == known[name] for name in TOKEN_KINDS):
            return missing
        missing.insert(0, request)
        for name in TOKEN_KINDS:
            sums[name] -= request.tokens[name]
    return missing if all(sums[name] == known[name] for name in TOKEN_KINDS) else []


def _named(own: Dict[str, int]) -> Dict[str, int]:
    cached, written = own["cachedInputTokens"], own["cacheWriteInputTokens"]
    return {
        "input_tokens": max(0, own["inputTokens"] - cached - written),
        "output_tokens": own["outputTokens"],
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": own["reasoningOutputTokens"],
    }


def _numbers(usage: Optional[Json]) -> Dict[str, int]:
    return {name: int((usage or {}).get(name) or 0) for name in FIELDS}

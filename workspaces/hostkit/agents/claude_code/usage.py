"""Token totals of a Claude Code process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Set

from ...files import loads
from ...wire import Json, ModelUsage, UsageTotals
from .counts import LIVE_NAMES, NAMES, Counts, ResultTotals, count, live_counts, model_usage

AGENT = "agent "
MARKS = ('"usage"', '"user"', '"init"')
SENT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
"""Counts that are already exact when a message begins."""
INTERRUPTED = re.compile(r"^API Error: ([A-Za-z ]+ mid-(response|stream)\b|Connection to the API was lost)")
"""The CLI's messages about an answer that was interrupted by a lost connection."""


class ClaudeLedger:
    """Adds up tokens from the lines of a process.

    Totals are exact after each result, which covers the whole process with its sub-agents and side requests.
    Between results, the messages since the last one are added: exact for input, a lower bound for output.

    - `side`: input of requests that are not messages, for example for a title or a summary
    - `untold`: number of interrupted answers whose tokens the CLI has not fully reported
    - `begun`: tokens of such answers that are in the transcript, but not in the CLI's totals
    - `unsaved`: tokens that are in the totals, but in no transcript
    - `partial`: at most so many output tokens are of interrupted answers, which transcripts have not in full
    - `open`: whether a result is missing
    """

    def __init__(self) -> None:
        self._results = ResultTotals()
        self._since: Dict[str, Counts] = {}
        self._models: Dict[str, str] = {}
        self._messages: Set[str] = set()
        self._sent = dict.fromkeys(SENT, 0)
        self._side: Counts = {}
        self._untold = 0
        self._begun = dict.fromkeys(NAMES, 0)
        self._unsaved = dict.fromkeys(NAMES, 0)
        self._partial = 0
        self._turns = 0
        self._sessions: List[str] = []
        self._model = ""
        self._context_used: Optional[int] = None
        self._context_window: Optional[int] = None

    def note(self, line: Json) -> Optional[UsageTotals]:
        """Count a message, which is repeated per content block. Only the first one returns totals."""
        message = line.get("message") or {}
        usage, key = message.get("usage"), str(message.get("id"))
        if not usage or message.get("model") == "<synthetic>":
            self._untold += bool(line.get("error") and INTERRUPTED.match(_text(message)))
            return None
        known = key in self._since
        # Not streamed: this is how the CLI requests an interrupted answer again.
        self._untold += key not in self._messages and bool(message.get("stop_reason"))
        self._note_message(key, usage, str(message.get("model") or ""))
        if not line.get("parent_tool_use_id"):
            self._model = self._models[key]
            self._context_used = sum(self._since[key][name] for name in LIVE_NAMES)
        return None if known else self.total()

    def note_agent(self, line: Json) -> None:
        """Count the result of a sub-agent, the only line that has the tokens of its last message."""
        result = line.get("tool_use_result")
        usage = result.get("usage") if isinstance(result, dict) else None
        if isinstance(usage, dict) and isinstance(result, dict) and result.get("agentId"):
            model = str(result.get("resolvedModel") or self._model)
            self._note_message(AGENT + str(result["agentId"]), usage, model)

    def note_compaction(self, line: Json) -> Optional[UsageTotals]:
        """Take the size of the conversation after it was compacted, if the CLI reports it."""
        size = count((line.get("compact_metadata") or {}).get("post_tokens"))
        if not size:
            return None
        self._context_used = size
        return self.total()

    def note_session(self, session: Optional[str]) -> None:
        """Note the session that the process works in. `/clear` starts another one."""
        if session and session not in self._sessions:
            self._sessions.append(str(session))

    def _note_message(self, key: str, usage: Json, model: str) -> None:
        self._since[key] = live_counts(usage)
        self._models[key] = model
        if key not in self._messages:
            self._messages.add(key)
            for name in SENT:
                self._sent[name] += self._since[key][name]

    def close(self, result: Json) -> UsageTotals:
        """Process a result, which has the tokens of all requests that have ended."""
        before = self._results.counts()["output_tokens"]
        self._results.add(result)
        self.note_session(result.get("session_id"))
        if result.get("terminal_reason") == "aborted_streaming":
            self._note_aborted()
            whole = count((result.get("usage") or {}).get("output_tokens"))
            self._partial += max(0, self._results.counts()["output_tokens"] - before - whole)
        self._since = {}
        counted = self._results.counts()
        side = {name: counted[name] - self._sent[name] for name in SENT}
        self._side = side if min(side.values()) >= 0 and any(side.values()) else {}
        self._turns += 1
        self._context_window = self._results.window(self._model) or self._context_window
        return self.total()

    def _note_aborted(self) -> None:
        """Count an answer that was interrupted. If it had begun, an old CLI's totals lack its message."""
        self._untold += 1
        counted = self._results.counts()
        if self._since and any(self._sent[name] > counted[name] for name in SENT):
            begun = list(self._since.values())[-1]
            self._begun = {name: self._begun[name] + begun[name] for name in NAMES}
            for name in SENT:
                self._sent[name] -= begun[name]

    def complete(self, finals: Mapping[str, Dict[str, int]]) -> UsageTotals:
        """Return the totals of a process that ended without a result. `finals` has tokens by message id."""
        for key, begun in self._since.items():
            if key in finals:
                self._since[key] = dict(begun, **finals[key])
            elif not key.startswith(AGENT):
                self._untold += 1
                self._unsaved = {name: self._unsaved[name] + begun[name] for name in NAMES}
        total = self.total()
        total["open"] = False
        total["cost_usd"] = None  # unknown, because the cost of the last turn is missing
        return total

    def total(self) -> UsageTotals:
        counts = self._results.counts()
        for usage in self._since.values():
            for name in NAMES:
                counts[name] += usage[name]
        total: UsageTotals = {
            "input_tokens": counts["input_tokens"],
            "output_tokens": counts["output_tokens"],
            "cache_read_tokens": counts["cache_read_tokens"],
            "cache_write_tokens": counts["cache_write_tokens"],
            "reasoning_tokens": 0,
            "cost_usd": self._results.cost,
            "by_model": self._by_model(),
            "turns": self._turns,
            "context_used": self._context_used,
            "context_window": self._context_window,
            "side": self._side,
            "untold": self._untold,
            "open": bool(self._since),
            "begun": _without_parts(self._begun),
            "unsaved": _without_parts(self._unsaved),
        }
        if self._partial:
            total["partial"] = self._partial
        if len(self._sessions) > 1:
            total["sessions"] = list(self._sessions)
        return total

    def _by_model(self) -> Dict[str, ModelUsage]:
        by_model = self._results.by_model()
        for key, usage in self._since.items():
            if self._models[key]:
                known = by_model.get(self._models[key]) or model_usage(dict.fromkeys(NAMES, 0), None)
                counts = {name: usage[name] + count(known.get(name)) for name in NAMES}
                by_model[self._models[key]] = model_usage(counts, known.get("cost_usd"))
        return by_model


def settled(raw: Path, finals: Mapping[str, Dict[str, int]]) -> UsageTotals:
    """Return the totals of a process that ended without a result, from its recorded lines."""
    ledger, expected = ClaudeLedger(), ExpectedAnswers()
    for line in _lines(raw):
        expected.note(line)
        ledger.note_session(line.get("session_id"))
        if line.get("type") == "assistant":
            ledger.note(line)
        elif line.get("type") == "user":
            ledger.note_agent(line)
        elif line.get("type") == "result":
            ledger.close(line)
    total = ledger.complete(finals)
    total["untold"] = total.get("untold", 0) + expected.open
    return total


class ExpectedAnswers:
    """Tracks which agents wait for the model: the agent itself ("") and sub-agents, by their call's id."""

    def __init__(self) -> None:
        self._calls: Dict[str, Set[str]] = {}
        self._waiting: Set[str] = set()

    @property
    def open(self) -> int:
        """Number of requested answers that have not begun."""
        return len(self._waiting)

    def note(self, line: Json) -> None:
        kind, who = line.get("type"), str(line.get("parent_tool_use_id") or "")
        if kind == "result":
            self._calls, self._waiting = {}, set()
        elif kind == "assistant":
            self._waiting.discard(who)
            self._calls.setdefault(who, set()).update(_ids(line, "tool_use", "id"))
        elif kind == "user" or line.get("subtype") == "init":
            self._note_sent(who, _ids(line, "tool_result", "tool_use_id"))

    def _note_sent(self, who: str, ended: Set[str]) -> None:
        calls = self._calls.setdefault(who, set())
        calls -= ended
        self._waiting -= ended
        if not calls:
            self._waiting.add(who)


def _ids(line: Json, kind: str, name: str) -> Set[str]:
    content = (line.get("message") or {}).get("content")
    parts = content if isinstance(content, list) else []
    return {str(part.get(name)) for part in parts if isinstance(part, dict) and part.get("type") == kind}


def _lines(raw: Path) -> Iterator[Json]:
    """Yield the CLI's lines that matter for tokens. Skip an incomplete last line."""
    with raw.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith("< ") and any(mark in line for mark in MARKS):
                try:
                    yield loads(line[2:], depth=None)
                except ValueError:
                    continue


def _text(message: Json) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _without_parts(counts: Counts) -> Counts:
    """Return counts that add up: without those that are part of another one."""
    return {name: counts[name] for name in LIVE_NAMES}

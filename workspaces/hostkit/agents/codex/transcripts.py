"""Tokens in Codex's transcripts (rollouts) on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ...base.transcripts import (
    add_to_part,
    add_tokens,
    epoch_of,
    no_part,
    no_tokens,
    part_at,
    records,
    written_since,
)
from ...wire import Json, SessionTokens

Counts = Dict[str, int]
NAMES = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens")


class CountedRequest(NamedTuple):
    """The tokens of one request of a thread."""

    at: float
    model: str
    tokens: Counts


class Rollout(NamedTuple):
    """One file. A thread has several if it was reverted."""

    thread: str
    parent: str
    """The thread that has started this one; empty for a user's own."""
    cwd: str
    requests: List[CountedRequest]


def home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CODEX_HOME") or Path(env.get("HOME", ""), ".codex"))


def sessions(
    env: Mapping[str, str], since: float, starts: Optional[Mapping[str, Sequence[float]]] = None
) -> Dict[str, SessionTokens]:
    """Return the tokens of threads by id, from rollouts modified since then."""
    found: Dict[str, SessionTokens] = {}
    for rollout in rollouts(env, since):
        given = (starts or {}).get(rollout.parent or rollout.thread) or []
        thread = found.setdefault(
            rollout.thread, {"cwd": rollout.cwd, "tokens": no_tokens(), "parent": rollout.parent}
        )
        if given:
            thread.setdefault("parts", [no_part() for _ in given])
        for request in rollout.requests:
            add_tokens(thread["tokens"], request.tokens)
            if given:
                add_to_part(thread["parts"][part_at(given, request.at)], request.model, request.tokens)
    return found


def unreported(
    env: Mapping[str, str], thread: str, since: float, reported: Sequence[str]
) -> List[CountedRequest]:
    """Return the requests since then of threads that this one has started, without the `reported` ones.

    Codex reports no tokens of reviews and of reviewers of approvals.
    """
    return [
        request
        for rollout in rollouts(env, since)
        if rollout.parent == thread and rollout.thread not in reported
        for request in rollout.requests
        if request.at >= since
    ]


def requests_of(env: Mapping[str, str], threads: Sequence[str], since: float) -> List[CountedRequest]:
    """Return the requests of these threads since then."""
    return [
        request
        for rollout in rollouts(env, since)
        if rollout.thread in threads
        for request in rollout.requests
        if request.at >= since
    ]


def files_of(env: Mapping[str, str], thread: str, since: float) -> List[Path]:
    """Return the rollouts of a thread, and of those that it has started, modified since then."""
    paths = written_since(home(env) / "sessions", "**/rollout-*.jsonl", since)
    return [path for path in paths if thread in _owners(path)]


def _owners(path: Path) -> Tuple[str, str]:
    """Return the thread of a file, and the one that has started it."""
    for record in records(path, '"session_meta"'):
        payload = record.get("payload")
        if record.get("type") == "session_meta" and isinstance(payload, dict):
            return str(payload.get("id") or ""), _parent(payload)
    return "", ""


def rollouts(env: Mapping[str, str], since: float) -> Iterator[Rollout]:
    for path in sorted(written_since(home(env) / "sessions", "**/rollout-*.jsonl", since)):
        rollout = _rollout(path)
        if rollout:
            yield rollout


def _rollout(path: Path) -> Optional[Rollout]:
    """Read a file; None if it names no thread.

    A fork that begins with a compaction repeats the total of its parent before its first request.
    """
    rollout: Optional[Rollout] = None
    model, before, is_fork = "", None, False
    for record in records(path, '"session_meta"', '"turn_context"', '"token_count"'):
        payload = record.get("payload")
        if not isinstance(payload, dict):
            continue
        if record.get("type") == "session_meta" and rollout is None:
            key = str(payload.get("id") or "")
            rollout = Rollout(key, _parent(payload), str(payload.get("cwd") or ""), []) if key else None
            is_fork = bool(payload.get("forked_from_id"))
        elif record.get("type") == "turn_context":
            model = str(payload.get("model") or model)
        elif payload.get("type") == "token_count" and isinstance(payload.get("info"), dict) and rollout:
            total = _counts(payload["info"].get("total_token_usage"))
            new = _new(total, _counts(payload["info"].get("last_token_usage", total)), before)
            before = total
            if is_fork and not model and any(new.values()):  # no turn has begun: these are of a compaction
                rollout.requests.clear()
            if any(new.values()):
                rollout.requests.append(CountedRequest(epoch_of(record), model, _tokens(new)))
    return rollout and rollout._replace(requests=_with_models(rollout.requests))


def _with_models(requests: List[CountedRequest]) -> List[CountedRequest]:
    """Give requests from before the first turn the model of that turn: the CLI does not name theirs."""
    first = next((request.model for request in requests if request.model), "")
    return [request._replace(model=request.model or first) for request in requests]


def _new(total: Counts, last: Counts, before: Optional[Counts]) -> Counts:
    """Return the tokens since the total before; at the start of a file, and after a revert, the last ones.

    The total of a fork begins with that of the turns it has copied, and the same total may be repeated.
    """
    if before is None or any(total[name] < before[name] for name in total):
        return last
    return {name: total[name] - before[name] for name in total}


def _parent(payload: Json) -> str:
    session = str(payload.get("session_id") or "")
    return session if session != payload.get("id") else ""


def _counts(usage: object) -> Counts:
    given = usage if isinstance(usage, dict) else {}
    return {name: int(given.get(name) or 0) for name in (*NAMES, "reasoning_output_tokens")}


def _tokens(counts: Counts) -> Counts:
    cached, written = counts["cached_input_tokens"], counts["cache_write_input_tokens"]
    return {
        "input_tokens": max(0, counts["input_tokens"] - cached - written),
        "output_tokens": counts["output_tokens"],
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": counts["reasoning_output_tokens"],
    }

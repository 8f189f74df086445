"""Tokens in Codex's transcripts (rollouts) on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Tuple

from ...base.transcripts import no_tokens, records, written_since
from ...wire import Json, SessionTokens


def home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CODEX_HOME") or Path(env.get("HOME", ""), ".codex"))


def sessions(env: Mapping[str, str], since: float) -> Dict[str, SessionTokens]:
    """Return the last totals of threads by id, from rollouts modified since then."""
    found: Dict[str, SessionTokens] = {}
    for path in sorted(written_since(home(env) / "sessions", "**/rollout-*.jsonl", since)):
        key, thread = _thread(path)
        if key:
            found[key] = thread
    return found


def _thread(path: Path) -> Tuple[str, SessionTokens]:
    """Return the thread's id, empty if the file has none, and its tokens."""
    key = ""
    thread: SessionTokens = {"cwd": "", "tokens": no_tokens(), "parent": ""}
    for record in records(path, '"session_meta"', '"token_count"'):
        payload = record.get("payload") or {}
        if record.get("type") == "session_meta" and not key:
            key, thread["cwd"] = str(payload.get("id") or ""), str(payload.get("cwd") or "")
            thread["parent"] = _parent(payload)
        elif payload.get("type") == "token_count" and payload.get("info"):
            thread["tokens"] = _tokens(payload["info"].get("total_token_usage") or {})
    return key, thread


def _parent(payload: Json) -> str:
    """Return the thread that has spawned this one; empty for a user's own."""
    session = str(payload.get("session_id") or "")
    return session if session != payload.get("id") else ""


def _tokens(total: Json) -> Dict[str, int]:
    cached, written = (
        int(total.get("cached_input_tokens") or 0),
        int(total.get("cache_write_input_tokens") or 0),
    )
    return {
        "input_tokens": max(0, int(total.get("input_tokens") or 0) - cached - written),
        "output_tokens": int(total.get("output_tokens") or 0),
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "reasoning_tokens": int(total.get("reasoning_output_tokens") or 0),
    }

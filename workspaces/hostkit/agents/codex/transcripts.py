"""Tokens in Codex's own transcripts (rollouts) on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Optional

from ...base.transcripts import no_tokens, records, written_since
from ...files import Json


def home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CODEX_HOME") or Path(env.get("HOME", ""), ".codex"))


def sessions(env: Mapping[str, str], since: float) -> Dict[str, Json]:
    """Threads of which a rollout was written since then: {id: {cwd, tokens}}, its last total."""
    found: Dict[str, Json] = {}
    for path in sorted(written_since(home(env) / "sessions", "**/rollout-*.jsonl", since)):
        thread = _thread(path)
        if thread:
            found[thread.pop("id")] = thread
    return found


def _thread(path: Path) -> Optional[Json]:
    thread: Json = {"id": "", "parent": "", "cwd": "", "tokens": no_tokens()}
    for record in records(path, '"session_meta"', '"token_count"'):
        payload = record.get("payload") or {}
        if record.get("type") == "session_meta" and not thread["id"]:
            thread.update(id=str(payload.get("id") or ""), cwd=str(payload.get("cwd") or ""))
            thread["parent"] = _parent(payload)
        elif payload.get("type") == "token_count" and payload.get("info"):
            thread["tokens"] = _tokens(payload["info"].get("total_token_usage") or {})
    return thread if thread["id"] else None


def _parent(payload: Json) -> str:
    """The thread that spawned this one; empty for a person's own."""
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

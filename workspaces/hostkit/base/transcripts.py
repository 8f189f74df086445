"""What the CLIs' own transcripts on this host say of tokens, per session. Only counts are read, no words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional

from ..agents.claude_code.usage import LIVE_NAMES
from ..files import Json

KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def claude_sessions(env: Mapping[str, str], since: float) -> Dict[str, Json]:
    """Sessions of which a file was written since then (Unix time): {id: {cwd, tokens}}, sub-agents included.

    A message has a record per content block and is repeated when a session is forked: the last one counts.
    """
    messages: Dict[str, Json] = {}
    for path in sorted(_written_since(claude_home(env) / "projects", "**/*.jsonl", since)):
        for record in _records(path, '"usage"'):
            _note_message(messages, record)
    sessions: Dict[str, Json] = {}
    for message in messages.values():
        session = sessions.setdefault(message["session"], {"cwd": message["cwd"], "tokens": _none()})
        for name in KINDS:
            session["tokens"][name] += message["tokens"][name]
    return sessions


def claude_messages(env: Mapping[str, str], session: str) -> Dict[str, Json]:
    """The tokens of each message of a session and its sub-agents, by the message's id."""
    projects = claude_home(env) / "projects"
    messages: Dict[str, Json] = {}
    for path in sorted([*projects.glob(f"*/{session}.jsonl"), *projects.glob(f"*/{session}/**/*.jsonl")]):
        for record in _records(path, '"usage"'):
            _note_message(messages, record)
    return {key.split()[0]: message["tokens"] for key, message in messages.items()}


def claude_home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CLAUDE_CONFIG_DIR") or Path(env.get("HOME", ""), ".claude"))


def _note_message(messages: Dict[str, Json], record: Json) -> None:
    message = record.get("message")
    if record.get("type") != "assistant" or not isinstance(message, dict):
        return
    usage = message.get("usage") or {}
    if message.get("model") == "<synthetic>" or not usage or not message.get("id"):
        return
    key = f"{message['id']} {record.get('requestId') or ''}"
    known = messages.get(key) or {}
    tokens = dict(_none(), **{name: int(usage.get(theirs) or 0) for name, theirs in LIVE_NAMES.items()})
    session = known.get("session") or str(record.get("sessionId") or "")
    messages[key] = {"session": session, "cwd": record.get("cwd") or "", "tokens": tokens}


def codex_sessions(env: Mapping[str, str], since: float) -> Dict[str, Json]:
    """Threads of which a rollout was written since then: {id: {cwd, tokens}}, its last total."""
    home = Path(env.get("CODEX_HOME") or Path(env.get("HOME", ""), ".codex"))
    sessions: Dict[str, Json] = {}
    for path in sorted(_written_since(home / "sessions", "**/rollout-*.jsonl", since)):
        thread = _thread(path)
        if thread:
            sessions[thread.pop("id")] = thread
    return sessions


def _thread(path: Path) -> Optional[Json]:
    thread: Json = {"id": "", "parent": "", "cwd": "", "tokens": _none()}
    for record in _records(path, '"session_meta"', '"token_count"'):
        payload = record.get("payload") or {}
        if record.get("type") == "session_meta" and not thread["id"]:
            thread.update(id=str(payload.get("id") or ""), cwd=str(payload.get("cwd") or ""))
            thread["parent"] = _parent(payload)
        elif payload.get("type") == "token_count" and payload.get("info"):
            thread["tokens"] = _codex_tokens(payload["info"].get("total_token_usage") or {})
    return thread if thread["id"] else None


def _parent(payload: Json) -> str:
    """The thread that spawned this one; empty for a person's own."""
    session = str(payload.get("session_id") or "")
    return session if session != payload.get("id") else ""


def _codex_tokens(total: Json) -> Dict[str, int]:
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


def _none() -> Dict[str, int]:
    return dict.fromkeys(KINDS, 0)


def _written_since(folder: Path, pattern: str, since: float) -> List[Path]:
    found = []
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime >= since:
                found.append(path)
        except OSError:  # it went away meanwhile
            continue
    return found


def _records(path: Path, *marks: str) -> Iterator[Json]:
    """Lines of JSON in which one of the marks stands; a line that is being written just now is left out."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if any(mark in line for mark in marks):
                    record = _parsed(line)
                    if record:
                        yield record
    except OSError:
        return


def _parsed(line: str) -> Json:
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}

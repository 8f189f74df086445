"""Tokens in Claude Code's transcripts on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping

from ...base.transcripts import no_tokens, records, written_since
from ...wire import TOKEN_KINDS, Json, SessionTokens
from .usage import LIVE_NAMES


def sessions(env: Mapping[str, str], since: float) -> Dict[str, SessionTokens]:
    """Return sessions by id, including sub-agents, from files modified since then.

    A message has a record per content block, and is repeated when a session is forked: the last one counts.
    """
    messages: Dict[str, Json] = {}
    for path in sorted(written_since(home(env) / "projects", "**/*.jsonl", since)):
        for record in records(path, '"usage"'):
            _note_message(messages, record)
    found: Dict[str, SessionTokens] = {}
    for message in messages.values():
        session = found.setdefault(message["session"], {"cwd": message["cwd"], "tokens": no_tokens()})
        for name in TOKEN_KINDS:
            session["tokens"][name] += message["tokens"][name]
    return found


def messages_of(env: Mapping[str, str], session: str) -> Dict[str, Dict[str, int]]:
    """Return the tokens of the messages of a session and its sub-agents, by message id."""
    projects = home(env) / "projects"
    messages: Dict[str, Json] = {}
    for path in sorted([*projects.glob(f"*/{session}.jsonl"), *projects.glob(f"*/{session}/**/*.jsonl")]):
        for record in records(path, '"usage"'):
            _note_message(messages, record)
    return {key.split()[0]: message["tokens"] for key, message in messages.items()}


def home(env: Mapping[str, str]) -> Path:
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
    tokens = dict(
        no_tokens(), **{name: int(usage.get(cli_name) or 0) for name, cli_name in LIVE_NAMES.items()}
    )
    session = known.get("session") or str(record.get("sessionId") or "")
    messages[key] = {"session": session, "cwd": record.get("cwd") or "", "tokens": tokens}

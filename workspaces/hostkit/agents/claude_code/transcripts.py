"""Tokens in Claude Code's transcripts on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

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
from ...wire import Json, ModelUsage, SessionTokens, TranscriptPart
from .counts import live_counts, named_totals

Starts = Mapping[str, Sequence[float]]


class CountedMessage(NamedTuple):
    session: str
    cwd: str
    at: float
    model: str
    tokens: Dict[str, int]


class SessionTotals(NamedTuple):
    """The CLI's totals of a session, which it writes when a process ends; new versions only."""

    at: float
    by_model: Dict[str, ModelUsage]


def sessions(
    env: Mapping[str, str], since: float, starts: Optional[Starts] = None
) -> Dict[str, SessionTokens]:
    """Return sessions by id, including sub-agents, from files modified since then.

    A message has a record per content block: the last one counts. A fork repeats the messages of its parent:
    the session that began first has them.
    """
    messages: Dict[str, CountedMessage] = {}
    totals: Dict[str, List[SessionTotals]] = {}
    for path in sorted(written_since(home(env) / "projects", "**/*.jsonl", since), key=_began):
        _read(path, messages, totals)
    found: Dict[str, SessionTokens] = {}
    for message in messages.values():
        session = found.setdefault(message.session, _session(message, starts or {}, totals))
        add_tokens(session["tokens"], message.tokens)
        given = (starts or {}).get(message.session)
        if given:
            add_to_part(session["parts"][part_at(given, message.at)], message.model, message.tokens)
    return found


def messages_of(env: Mapping[str, str], session: str) -> Dict[str, Dict[str, int]]:
    """Return the tokens of the messages of a session and its sub-agents, by message id."""
    messages: Dict[str, CountedMessage] = {}
    for path in files_of(env, session):
        _read(path, messages, {})
    return {key.split()[0]: message.tokens for key, message in messages.items()}


def files_of(env: Mapping[str, str], session: str) -> List[Path]:
    """Return the transcripts of a session and its sub-agents."""
    projects = home(env) / "projects"
    return sorted([*projects.glob(f"*/{session}.jsonl"), *projects.glob(f"*/{session}/**/*.jsonl")])


def home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CLAUDE_CONFIG_DIR") or Path(env.get("HOME", ""), ".claude"))


def _began(path: Path) -> Tuple[float, str]:
    """Return when the session of a file began, by the first record that is never copied, and its name."""
    first = next(records(path, '"queue-operation"'), {})
    return (epoch_of(first), str(path))


def _read(path: Path, messages: Dict[str, CountedMessage], totals: Dict[str, List[SessionTotals]]) -> None:
    at = 0.0
    for record in records(path, '"usage"', '"cost-state"', '"queue-operation"'):
        at = epoch_of(record) or at
        if record.get("type") == "assistant":
            _note_message(messages, record, at)
        elif record.get("type") == "cost-state" and isinstance(record.get("modelUsage"), dict):
            ended = SessionTotals(at, named_totals(record["modelUsage"]))
            totals.setdefault(str(record.get("sessionId")), []).append(ended)


def _note_message(messages: Dict[str, CountedMessage], record: Json, at: float) -> None:
    message = record.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(usage, dict) or not usage or not message.get("id"):
        return
    if message.get("model") == "<synthetic>":
        return
    key = f"{message['id']} {record.get('requestId') or ''}"
    known = messages.get(key)
    messages[key] = CountedMessage(
        known.session if known else str(record.get("sessionId") or ""),
        str(record.get("cwd") or ""),
        known.at if known else at,
        str(message.get("model") or ""),
        dict(no_tokens(), **live_counts(usage)),
    )


def _session(
    message: CountedMessage, starts: Starts, totals: Mapping[str, Sequence[SessionTotals]]
) -> SessionTokens:
    session: SessionTokens = {"cwd": message.cwd, "tokens": no_tokens()}
    given = starts.get(message.session)
    if given:
        session["parts"] = _parts(given, totals.get(message.session) or [])
    return session


def _parts(starts: Sequence[float], totals: Sequence[SessionTotals]) -> List[TranscriptPart]:
    """Return the parts with their totals. A killed process has none, and the next one begins as it did."""
    parts = [no_part() for _ in starts]
    before: Dict[str, ModelUsage] = {}
    for index, part in enumerate(parts):
        own = [each.by_model for each in totals if part_at(starts, each.at) == index]
        if totals:
            part["before"] = before
        if own:
            part["totals"] = before = own[-1]
    return parts

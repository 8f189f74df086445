"""Tokens in Claude Code's transcripts on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

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
    read = ClaudeTranscripts()
    for path in sorted(written_since(home(env) / "projects", "**/*.jsonl", since), key=_place):
        read.add(path)
    found: Dict[str, SessionTokens] = {}
    for message in read.messages.values():
        session = found.setdefault(message.session, _session(message, starts or {}, read))
        add_tokens(session["tokens"], message.tokens)
        given = (starts or {}).get(message.session)
        if given:
            add_to_part(session["parts"][part_at(given, message.at)], message.model, message.tokens)
    return found


def messages_of(env: Mapping[str, str], session: str) -> Dict[str, Dict[str, int]]:
    """Return the tokens of the messages of a session and its sub-agents, by message id."""
    read = ClaudeTranscripts()
    for path in files_of(env, session):
        read.add(path)
    return {key.split()[0]: message.tokens for key, message in read.messages.items()}


def files_of(env: Mapping[str, str], session: str) -> List[Path]:
    """Return the transcripts of a session and its sub-agents."""
    projects = home(env) / "projects"
    return sorted([*projects.glob(f"*/{session}.jsonl"), *projects.glob(f"*/{session}/**/*.jsonl")])


def home(env: Mapping[str, str]) -> Path:
    return Path(env.get("CLAUDE_CONFIG_DIR") or Path(env.get("HOME", ""), ".claude"))


def _place(path: Path) -> Tuple[float, str]:
    return (_began(path), str(path))


def _began(path: Path) -> float:
    """Return when the session of a file began, by the first record that is never copied; 0 without one."""
    return epoch_of(next(records(path, '"queue-operation"'), {}))


class ClaudeTranscripts:
    """What the files of sessions say. Those that began first are to be added first."""

    def __init__(self) -> None:
        self.messages: Dict[str, CountedMessage] = {}
        self.totals: Dict[str, List[SessionTotals]] = {}
        self.forks: Set[str] = set()
        """Sessions that begin with a copy of another one. Their totals begin with those of that one."""

    def add(self, path: Path) -> None:
        at, began = 0.0, _began(path)
        for record in records(path, '"usage"', '"cost-state"', '"queue-operation"'):
            at = epoch_of(record) or at
            session = str(record.get("sessionId") or "")
            if record.get("type") == "assistant":
                self._note_message(record, at)
                if at < began:
                    self.forks.add(session)
            elif record.get("type") == "cost-state" and isinstance(record.get("modelUsage"), dict):
                ended = SessionTotals(at, named_totals(record["modelUsage"]))
                self.totals.setdefault(session, []).append(ended)

    def _note_message(self, record: Json, at: float) -> None:
        message = record.get("message")
        usage = message.get("usage") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(usage, dict) or not usage or not message.get("id"):
            return
        if message.get("model") == "<synthetic>":
            return
        key, session = f"{message['id']} {record.get('requestId') or ''}", str(record.get("sessionId") or "")
        known = self.messages.get(key)
        if known and known.session != session:
            return  # a copy; that of a message from before a compaction has no tokens any more
        self.messages[key] = CountedMessage(
            session,
            str(record.get("cwd") or ""),
            known.at if known else at,
            str(message.get("model") or ""),
            dict(no_tokens(), **live_counts(usage)),
        )


def _session(message: CountedMessage, starts: Starts, read: ClaudeTranscripts) -> SessionTokens:
    session: SessionTokens = {"cwd": message.cwd, "tokens": no_tokens()}
    given = starts.get(message.session)
    if given:
        totals = read.totals.get(message.session) or []
        session["parts"] = _parts(given, totals, is_fork=message.session in read.forks)
    return session


def _parts(
    starts: Sequence[float], totals: Sequence[SessionTotals], *, is_fork: bool
) -> List[TranscriptPart]:
    """Return the parts with their totals. A killed process has none, and the next one begins as it did.

    With which totals a fork begins is not known.
    """
    parts = [no_part() for _ in starts]
    before: Optional[Dict[str, ModelUsage]] = None if is_fork else {}
    for index, part in enumerate(parts):
        own = [each.by_model for each in totals if part_at(starts, each.at) == index]
        if totals and before is not None:
            part["before"] = before
        if own:
            part["totals"] = before = own[-1]
    return parts

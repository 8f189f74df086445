"""What the scripted endpoint sent and billed: one entry per model request, with unique token numbers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

COUNTED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class Tokens:
    """Tokens of one response. Input excludes cache reads and writes; output includes reasoning."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    @classmethod
    def of_request(cls, number: int, *, reasoning: bool) -> Tokens:
        """Return unique numbers for a request, so that a sum shows which requests it contains."""
        return cls(
            input_tokens=100 + number,
            cache_read_tokens=2000 + 3 * number,
            cache_write_tokens=30 + 5 * number,
            output_tokens=40 + 7 * number,
            reasoning_tokens=1 + 2 * number if reasoning else 0,
        )

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(*(getattr(self, name) + getattr(other, name) for name in COUNTED))


@dataclass(frozen=True)
class Entry:
    """One request and its response, written when the response has ended.

    `api` is "messages" or "responses". `kind` is "turn" for the agent's own work, else the side request's
    name ("title", "compaction", …). `complete` is False if the client disconnected or the stream was
    interrupted. `tokens` is zero for errors. `prompt` is the user's last text in the conversation, and
    `prompt_digest` its SHA-256. `started_at` and `ended_at` are Unix times. `files` are the SHA-256 of the
    pictures and documents in the conversation. `root` is the session that the user works with: not that of a
    sub-agent or a reviewer of Codex.
    """

    number: int
    api: str
    path: str
    kind: str
    status: int
    complete: bool
    model: str
    effort: str
    session: str
    step: int
    tokens: Tokens
    prompt: str
    prompt_digest: str
    started_at: float
    ended_at: float
    files: tuple[str, ...] = ()
    root: str = ""


class Ledger:
    """All entries in the order in which their responses ended; thread-safe; optionally saved as JSONL."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._file = file

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            if self._file:
                with self._file.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(asdict(entry)) + "\n")

    def entries(self, where: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:
        with self._lock:
            return [entry for entry in self._entries if where(entry)]

    def turns(self, session: str | None = None) -> list[Entry]:
        """Return the agent's own requests, of one CLI session or of all."""
        return self.entries(lambda entry: entry.kind == "turn" and session in (None, entry.session))

    def total(self, session: str | None = None) -> Tokens:
        """Return the sum of what was billed (complete responses), including side requests."""
        billed = self.entries(lambda entry: entry.complete and session in (None, entry.session))
        return total(billed)


def total(entries: Iterable[Entry]) -> Tokens:
    return sum((entry.tokens for entry in entries), Tokens())

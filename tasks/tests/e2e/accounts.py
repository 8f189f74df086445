"""What the CLIs and the endpoint say of a run by themselves, to compare with what the app shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from tasks.tests.e2e.world import World

Told = Literal["", "busy", "asks", "idle", "over"]
BUSY = {"starting", "running"}


class Account:
    """One run as its CLI tells it: read from the copy of the CLI's own lines that the host keeps."""

    def __init__(self, world: World, run: Mapping[str, Any]) -> None:
        self.run = run
        self._world = world
        self._read = 0
        self._told: Told = ""
        self._session = ""

    def now(self) -> Told:
        """What it does; empty before its first word, `over` once its host has written the outcome."""
        folder = self._folder()
        if folder is None:
            return ""
        if (folder / "outcome.json").exists():
            return "over"
        for line in self._new_lines(folder / "raw.jsonl"):
            self._told = claude_state(line) or codex_state(line) or self._told
            self._session = line.get("session_id") or _thread(line) or self._session
        if self._world.endpoint.is_answering(self._session):
            return "busy"
        return self._told

    def _folder(self) -> Path | None:
        runs = self._world.app.home / ".local/state/aitask/runs"
        return next(iter(runs.glob(f"*-{self.run['id']}-*")), None)

    def _new_lines(self, file: Path) -> list[dict[str, Any]]:
        """What the CLI wrote since the last look, whole lines only."""
        if not file.exists():
            return []
        with file.open("rb") as source:
            source.seek(self._read)
            data = source.read()
        data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        lines = (line[2:] for line in data.splitlines() if line.startswith(b"< {"))
        return [json.loads(line) for line in lines]


def _thread(line: dict[str, Any]) -> str:
    return str((line.get("params") or {}).get("threadId") or "")


def claude_state(line: dict[str, Any]) -> Told:
    if line.get("subtype") != "session_state_changed":
        return ""
    states: dict[str, Told] = {"running": "busy", "requires_action": "asks", "idle": "idle"}
    return states[line["state"]]


def codex_state(line: dict[str, Any]) -> Told:
    if line.get("method") != "thread/status/changed":
        return ""
    status = line["params"]["status"]
    if status["type"] != "active":
        return "idle"
    return "asks" if status["activeFlags"] else "busy"


def agree(told: Told, shown: str, asked: bool) -> bool:
    """Whether the card's state (empty: no run is live) and the inbox say what the CLI says."""
    match told:
        case "asks":
            return shown == "waiting" and asked
        case "busy":
            return shown in BUSY and not asked
        case "idle":
            return shown != "waiting" and not asked
        case "over":
            return shown == "" and not asked
    return True


class Comparison:
    """Compares again and again; `longest` is for how many seconds anything shown was not so."""

    def __init__(self, accounts: list[Account]) -> None:
        self.accounts = accounts
        self.longest = 0.0
        self.worst = ""
        self.looks = 0
        self.seen: set[Told] = set()
        self._since: dict[int, tuple[Told, float]] = {}

    def look(self, shown: Callable[[], tuple[dict[str, str], set[str]]]) -> list[Told]:
        """One look at all runs: at their CLIs, then at the cards' states by task and the runs that ask."""
        told = [account.now() for account in self.accounts]
        cards, asked = shown()
        for account, each in zip(self.accounts, told, strict=True):
            state = cards.get(str(account.run["task"]), "")
            self._note(account.run["id"], each, state, asked=str(account.run["id"]) in asked)
        self.looks += 1
        self.seen.update(told)
        return told

    def _note(self, run: int, told: Told, state: str, *, asked: bool) -> None:
        now = time.monotonic()
        if agree(told, state, asked):
            self._since.pop(run, None)
            return
        before = self._since.setdefault(run, (told, now))
        if before[0] != told:
            self._since[run] = (told, now)
        elif now - before[1] > self.longest:
            self.longest = now - before[1]
            self.worst = f"run {run}: its CLI says {told}, shown is {state!r}, asked: {asked}"

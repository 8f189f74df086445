"""Open requests of agents, prepared for display and answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from tasks.models import Outgoing, Run
from tasks.rendering import markdown
from tasks.rendering.parts import diff_lines, readable, tool_input, wish

LONGEST = 20_000
"Maximum characters of an input on the page."
PLAIN_FIELDS = ("command", "file_path", "path", "url", "query", "pattern", "prompt")
"An input with only one of these fields (and a description) is edited as plain text."


@dataclass(frozen=True)
class Ask:
    """One open request of one run."""

    run: Run
    request: dict[str, Any]
    answered: str = ""
    "The answer that is still being delivered; empty if there is none."

    @property
    def key(self) -> str:
        return f"{self.run.pk}-{self.request['id']}"

    @property
    def kind(self) -> str:
        return str(self.request.get("kind") or "approval")

    @property
    def title(self) -> str:
        return readable(self.request.get("title") or self.request.get("tool"))

    @property
    def wish(self) -> str:
        return wish(self.request.get("tool"))

    @property
    def given(self) -> str:
        """The input as text; empty if a plan, questions or a diff is shown in its place."""
        if self.kind != "approval" or self.diff:
            return ""
        return readable(tool_input(self.request))[:LONGEST]

    @property
    def plan(self) -> SafeString | str:
        text = readable(self.request.get("plan"))
        return markdown.render(text) if text else ""

    @property
    def diff(self) -> SafeString | str:
        lines = diff_of(self.request.get("input"), self.run.task.worktree_path)
        return diff_lines(lines) if lines else ""

    @property
    def path(self) -> str:
        """The file to change."""
        given = self.request.get("input")
        return readable(given.get("file_path")) if isinstance(given, dict) else ""

    @property
    def folder(self) -> str:
        return str(self.request.get("cwd") or self.run.task.worktree_path)

    @property
    def questions(self) -> list[dict[str, Any]]:
        found = self.request.get("questions") or []
        return [question if isinstance(question, dict) else {"question": question} for question in found]

    @property
    def edited_field(self) -> str:
        """The field of the input that is edited as plain text; empty if the whole input is edited as JSON."""
        given = self.request.get("input")
        if not isinstance(given, dict):
            return ""
        names = set(given) - {"description", "timeout"}
        found = [name for name in PLAIN_FIELDS if names == {name} and isinstance(given[name], str)]
        return found[0] if found else ""

    @property
    def editable(self) -> str:
        given = self.request.get("input")
        name = self.edited_field
        return (
            str(given[name])
            if name and isinstance(given, dict)
            else json.dumps(given, indent=2, ensure_ascii=False)
        )

    @property
    def same_as(self) -> str:
        """A digest that is equal for identical requests."""
        given = self.request.get("input")
        if isinstance(given, dict):
            given = {name: value for name, value in given.items() if name != "description"}
        content = [self.run.backend, self.kind, self.request.get("tool"), given, self.request.get("plan")]
        text = json.dumps([*content, self.request.get("questions")], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass
class RequestGroup:
    """Identical requests, oldest first. One answer is sent to all of them."""

    asks: list[Ask] = field(default_factory=list)

    @property
    def first(self) -> Ask:
        return self.asks[0]

    @property
    def key(self) -> str:
        return self.first.key

    @property
    def since(self) -> str:
        return str(self.first.request.get("at") or "")


def asks_of(run: Run | None) -> list[Ask]:
    """Return the open requests of a run, in order."""
    if run is None or not run.open_requests or not run.is_active:
        return []
    answered = _undelivered_answers([run])
    return [Ask(run, each, answered.get((run.pk, str(each["id"])), "")) for each in run.open_requests]


def all_asks(runs: list[Run]) -> list[Ask]:
    """Return the open requests of all these runs, oldest first."""
    answered = _undelivered_answers(runs)
    asks = [
        Ask(run, each, answered.get((run.pk, str(each["id"])), ""))
        for run in runs
        for each in run.open_requests
    ]
    return sorted(asks, key=lambda ask: (str(ask.request.get("at") or ""), ask.run.pk))


def groups(asks: list[Ask]) -> list[RequestGroup]:
    """Group identical requests of several runs, ordered by the oldest of each group."""
    found: dict[tuple[str, str], RequestGroup] = {}
    for ask in asks:
        found.setdefault((ask.same_as, ask.answered), RequestGroup()).asks.append(ask)
    return list(found.values())


def _undelivered_answers(runs: list[Run]) -> dict[tuple[int, str], str]:
    rows = Outgoing.objects.filter(
        run__in=runs, kind=Outgoing.Kind.ANSWER, state__in=(Outgoing.State.WAITING, Outgoing.State.TAKEN)
    )
    labels = {"approve": "Allowed", "deny": "Denied", "answer": "Answered"}
    return {
        (row.run_id, row.request): labels.get(str(row.payload.get("command")), "Answered") for row in rows
    }


def diff_of(given: Any, worktree: str) -> list[str]:
    """Return the diff of what a tool wants to write, by line; empty for tools that write no files."""
    if not isinstance(given, dict):
        return []
    if isinstance(given.get("changes"), list):
        return [line for change in given["changes"] for line in _change(change, worktree)]
    if "old_string" in given and "new_string" in given:
        return _compared(str(given["old_string"]), str(given["new_string"]))
    if isinstance(given.get("content"), str) and given.get("file_path"):
        return [f"+{readable(line)}" for line in given["content"].splitlines()]
    return []


def _change(change: Any, worktree: str) -> list[str]:
    if not isinstance(change, dict):
        return []
    path, text = readable(change.get("path")).removeprefix(f"{worktree}/"), readable(change.get("diff"))
    kind = change.get("kind")
    kind = kind.get("type") if isinstance(kind, dict) else kind
    sign = {"add": "+", "delete": "-"}.get(str(kind), "")
    return [f"@@ {path}", *(f"{sign}{line}" for line in text.splitlines())]


def _compared(old: str, new: str) -> list[str]:
    return markdown.compare(readable(old), readable(new))

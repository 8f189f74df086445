"""Open requests of agents, prepared for display and answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from tasks.conversation.forms import ShownFormField, is_raw, shown_fields
from tasks.conversation.links import ShownLink
from tasks.conversation.raw_forms import example_of
from tasks.conversation.risks import Risk, risks_of
from tasks.models import Outgoing, Run
from tasks.rendering import inputs, markdown
from tasks.rendering.inputs import ShownField
from tasks.rendering.parts import readable, wish
from tasks.runs.reducer import parse_time
from workspaces import permission_modes
from workspaces.hostkit.base.consent import digest_of
from workspaces.hostkit.escapes import HIDDEN, prose, visible

SHOWN, SHOWN_LINES = 4_000, 40
"Size of an input up to which it is shown at once. A larger one must be opened before it can be allowed."
MAX_PREVIEWED = 20
"Fields of a larger one whose beginning is shown before it is opened."
ITS_WORKTREE = "its worktree"
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

    @cached_property
    def digest(self) -> str:
        """The digest of what is shown. The host refuses an answer to anything else."""
        return digest_of(self.request)

    @property
    def is_exact(self) -> bool:
        """Whether all of it is known here as the host has it: nothing was cut or replaced on the way."""
        known = self.request.get("digest", self.digest)
        return bool(self.digest) and known == self.digest and "cut" not in self.request

    @cached_property
    def fields(self) -> list[ShownField]:
        """All that the call has. A plan and questions are shown as such, and their fields are folded."""
        return inputs.fields_of(self.request.get("input"))

    @cached_property
    def size(self) -> int:
        return sum(each.size for each in self.fields)

    @property
    def size_words(self) -> str:
        return f"{self.size:,}"

    @property
    def is_long(self) -> bool:
        """Whether it must be opened before it can be allowed."""
        lines = sum(each.lines for each in self.fields)
        return self.kind not in ("question", "plan") and (self.size > SHOWN or lines > SHOWN_LINES)

    @property
    def preview(self) -> Sequence[ShownField]:
        return [each.start() for each in self.fields[:MAX_PREVIEWED]]

    @property
    def risks(self) -> list[Risk]:
        if self.kind != "approval":
            return []
        if not self.digest:
            return []
        asked = {name: self.request.get(name) for name in ("tool", "input", "cwd")}
        return _risks(json.dumps(asked), self.run.task.worktree_path)

    @property
    def description(self) -> str:
        """What the agent says about the call, unless it is one of the fields."""
        text = str(self.request.get("description") or "")
        return "" if any(each.text == text for each in self.fields) else text

    @property
    def plan(self) -> SafeString | str:
        text = prose(str(self.request.get("plan") or ""))
        return markdown.render(text) if text else ""

    @property
    def folder(self) -> str:
        return str(self.request.get("cwd") or self.run.task.worktree_path)

    @property
    def has_folder(self) -> bool:
        """Whether the CLI has said in which folder the call is made."""
        return bool(self.request.get("cwd"))

    @property
    def questions(self) -> list[dict[str, Any]]:
        found = self.request.get("questions") or []
        return [question if isinstance(question, dict) else {"question": question} for question in found]

    @cached_property
    def form(self) -> list[ShownFormField] | None:
        """The fields to fill in; None if it is no form, or can't be shown as one."""
        return shown_fields(self.request)

    @property
    def is_raw(self) -> bool:
        """Whether it is answered as JSON: it is unknown, or a form that can't be shown as fields."""
        return self.kind == "unknown" or is_raw(self.request)

    @property
    def raw_example(self) -> str:
        """An answer to begin with; empty if nothing is known of it."""
        return example_of(self.request) if self.kind == "form" else ""

    @cached_property
    def link(self) -> ShownLink | None:
        url = self.request.get("url")
        return ShownLink(url) if self.kind == "link" and isinstance(url, str) and url else None

    @property
    def shows_input(self) -> bool:
        """Whether the input is what is decided about: also that of a form or a link which can't be shown."""
        is_plain = self.kind in ("form", "link") and self.form is None and self.link is None
        return is_plain or self.kind in ("approval", "unknown")

    @property
    def can_accept(self) -> bool:
        """Whether a form or a link can be answered with more than a no."""
        return self.is_exact and (self.kind == "form" or self.link is not None)

    @property
    def expires(self) -> datetime | None:
        """When the CLI goes on without an answer."""
        return parse_time(self.request.get("expires_at"))

    @property
    def edited_field(self) -> str:
        """The field of the input that is edited as plain text; empty if the whole input is edited as JSON.

        JSON has escapes for characters that an editor would not show.
        """
        given = self.request.get("input")
        if not isinstance(given, dict):
            return ""
        if self.kind == "plan":
            return "plan"
        names = set(given) - {"description", "timeout"}
        found = [name for name in PLAIN_FIELDS if names == {name} and isinstance(given[name], str)]
        return found[0] if found and not HIDDEN.search(given[found[0]]) else ""

    @property
    def editable(self) -> str:
        given = self.request.get("input")
        name = self.edited_field
        if self.kind == "plan":
            return visible(str(self.request.get("plan") or ""))
        return (
            str(given[name])
            if name and isinstance(given, dict)
            else HIDDEN.sub(_json_escape, json.dumps(given, indent=2, ensure_ascii=False))
        )

    @property
    def same_as(self) -> str:
        """A digest that is equal for identical requests: the same call with the same words, of the same CLI
        in the same mode and workspace, and in the run's own worktree or in the same other folder.
        """
        run, worktree = self.run, self.run.task.worktree_path
        folder = self.folder
        if worktree and (folder == worktree or folder.startswith(f"{worktree}/")):
            folder = f"{ITS_WORKTREE}{folder[len(worktree) :]}"
        reason = str(self.request.get("reason") or "")
        if worktree:
            reason = reason.replace(worktree, ITS_WORKTREE)
        of_run = [run.task.workspace_id, run.backend, run.permission_mode, self.kind, folder, reason]
        content = digest_of({**self.request, "cwd": None, "grants": None, "reason": None})
        return hashlib.sha256(json.dumps([*of_run, self.is_exact or self.key, content]).encode()).hexdigest()


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


def common_grants(asks: Sequence[Ask]) -> list[dict[str, Any]]:
    """Return the wider permissions that can be picked for all of these requests: they may name a worktree.

    A mode that is more than the workspace allows is not among them.
    """
    first: list[dict[str, Any]] = asks[0].request.get("grants") or []
    workspace = asks[0].run.task.workspace
    offered = [
        grant for grant in first if not permission_modes.problem(workspace, str(grant.get("mode") or ""))
    ]
    return offered if all(ask.request.get("grants") == first for ask in asks[1:]) else []


def asks_of(run: Run | None) -> list[Ask]:
    """Return the open requests of a run, in order."""
    if run is None or not run.open_requests or not run.is_active:
        return []
    answered = _undelivered_answers([run.pk])
    return [Ask(run, each, answered.get((run.pk, str(each["id"])), "")) for each in run.open_requests]


def count_open(runs: QuerySet[Run]) -> int:
    """Return how many requests of these runs are open and not answered yet."""
    asked = dict(runs.order_by().values_list("pk", "open_requests"))
    answered = _undelivered_answers(asked)
    return sum((run, str(each["id"])) not in answered for run, found in asked.items() for each in found)


def all_asks(runs: list[Run]) -> list[Ask]:
    """Return the open requests of all these runs, oldest first."""
    answered = _undelivered_answers([run.pk for run in runs])
    asks = [
        Ask(run, each, answered.get((run.pk, str(each["id"])), ""))
        for run in runs
        for each in run.open_requests
    ]
    return sorted(asks, key=lambda ask: (str(ask.request.get("at") or ""), ask.run.pk))


def groups(asks: list[Ask]) -> list[RequestGroup]:
    """Group identical requests of several runs, ordered by the oldest of each group."""
    found: dict[tuple[str, str], RequestGroup] = {}
    alike = Counter(map(_rough_key, asks))
    for ask in asks:
        rough = _rough_key(ask)
        same_as = ask.same_as if alike[rough] > 1 else repr(rough)
        found.setdefault((same_as, ask.answered), RequestGroup()).asks.append(ask)
    return list(found.values())


def _rough_key(ask: Ask) -> tuple[str, ...]:
    """Return what is quickly told of a request: identical ones have the same, and few others have."""
    run, given = ask.run, ask.request.get("input")
    texts = [given.get(name) for name in PLAIN_FIELDS] if isinstance(given, dict) else []
    first = next((text for text in texts if isinstance(text, str)), "")
    return str(run.task.workspace_id), run.backend, run.permission_mode, ask.kind, first


def _undelivered_answers(runs: Iterable[int]) -> dict[tuple[int, str], str]:
    rows = Outgoing.objects.filter(
        run__in=list(runs),
        kind=Outgoing.Kind.ANSWER,
        state__in=(Outgoing.State.WAITING, Outgoing.State.TAKEN),
    )
    labels = {"approve": "Allowed", "deny": "Denied", "answer": "Answered", "submit": "Sent"}
    return {
        (row.run_id, row.request): labels.get(str(row.payload.get("command")), "Answered") for row in rows
    }


@lru_cache(maxsize=1000)
def _risks(request: str, worktree: str) -> list[Risk]:
    """Return the risks of a request in JSON. Pages show the same ones again and again."""
    return risks_of(json.loads(request), worktree)


def open_ask(run: Run, request_id: str) -> Ask | None:
    """Return the open request of a run; None if it is no longer open."""
    return next((Ask(run, each) for each in run.open_requests if str(each.get("id")) == request_id), None)


def _json_escape(found: re.Match[str]) -> str:
    """Return the JSON escape of a character that can't be seen."""
    return json.dumps(found[0])[1:-1]

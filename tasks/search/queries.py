"""What a search finds, and where it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from aitask.lib.text import whole_number
from tasks.access import visible_tasks
from tasks.models import Event, Run, SearchBackfill, SearchEntry, Task
from tasks.rendering.parts import readable, uncoloured
from tasks.search import engine, places, services
from tasks.search.texts import texts_of
from tasks.search.words import Phrase, marks, phrases_of
from workspaces.access import Visitor, visible_workspaces
from workspaces.git.diffs import key_of
from workspaces.models import Workspace

Kind = SearchEntry.Kind
SHOWN_OF_ENTRY = (
    *("kind", "text", "task__title", "task__status", "task__updated_at", "task__worktree_path"),
    "task__workspace__name",
)
SHOWN_OF_EVENT = ("seq", "at", "kind", "data", "run__number")
MOST_HITS, MOST_OF_TASK, MOST_LOOKED_AT = 100, 10, 500
"Hits of a search, and of one task in it; and how many entries are looked at for them."
MOST_OF_OWN = 40
"Titles, prompts, and parts of terminals, that are found beside events; and as many parts of diffs."
MOST_AT_FIRST = 5
MOST_SHOWN = 500
"Characters of a query that a page shows again."
AROUND = 90
"Characters that a hit shows on each side of the first word that was found."
WORK_KINDS = (Kind.FILE, Kind.DIFF)
"Of what is indexed of a task's diff."
OWN_KINDS = (Kind.TITLE, Kind.PROMPT, Kind.TERMINAL)
"Of texts that belong to no event. Most prompts do."
Piece = tuple[str, bool]
"A part of a text, and whether it is marked."


@dataclass(frozen=True)
class Hit:
    """One text that a search has found."""

    task: Task
    run: Run | None
    seq: int | None
    kind: str
    pieces: list[Piece]
    at: datetime
    path: str = ""
    "Of a file of the task's diff."

    @property
    def label(self) -> str:
        return self.kind.capitalize()

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces).strip()

    @property
    def url(self) -> str:
        """The page that shows it, at its place."""
        if self.kind == Kind.TERMINAL:
            return f"{reverse('task_terminal', args=[self.task.pk])}?saved"
        if self.path:
            return f"{reverse('task_changes', args=[self.task.pk])}#file-{key_of(self.path)}"
        page = reverse("task", args=[self.task.pk])
        return f"{page}?at={self.run.number}.{self.seq}" if self.run else page


@dataclass(frozen=True)
class HitsOfTask:
    """The hits in one task. A page shows the first ones, and the rest on request."""

    task: Task
    hits: list[Hit]

    @property
    def first(self) -> list[Hit]:
        return self.hits[:MOST_AT_FIRST]

    @property
    def rest(self) -> list[Hit]:
        return self.hits[MOST_AT_FIRST:]

    @property
    def may_have_more(self) -> bool:
        return len(self.hits) >= MOST_OF_TASK


@dataclass(frozen=True)
class SearchResult:
    """The hits of a search, grouped by task: those with a title that fits first, then the newest."""

    groups: list[HitsOfTask]
    count: int
    has_more: bool
    is_complete: bool
    "Whether everything that was there before the index is in it."


def search(user: Visitor, query: str, *, workspace: int | None = None, kind: str = "") -> SearchResult:
    """Return what a user may see of what has all words of the query. Raises Refused for an unusable one."""
    phrases = phrases_of(query)
    hits = find(user, query, phrases, workspace=workspace, kind=kind)
    groups: dict[int, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.task.pk, []).append(hit)
    grouped = [HitsOfTask(found[0].task, found) for found in groups.values()]
    return SearchResult(grouped, len(hits), len(hits) >= MOST_HITS, not SearchBackfill.objects.exists())


def find(
    user: Visitor, query: str, phrases: Sequence[Phrase], *, workspace: int | None = None, kind: str = ""
) -> list[Hit]:
    """Return the hits: titles first, then what is newest."""
    if not phrases:
        return []
    seen = visible_workspaces(user)
    if workspace is not None:
        seen = seen.filter(pk=workspace)
    scopes = scopes_of(user, seen)
    if kind:
        scopes.append([services.word_of_kind(kind)])
    found: list[int] = []
    if kind in ("", *OWN_KINDS):
        found += engine.find(phrases, scopes, most=MOST_OF_OWN, side="own")
    if kind in ("", *WORK_KINDS):
        found += engine.find(phrases, scopes, most=MOST_OF_OWN, side="work")
    if kind not in (Kind.TITLE, Kind.TERMINAL):
        found += engine.find(phrases, scopes, most=MOST_LOOKED_AT)
    entries = SearchEntry.objects.filter(pk__in=_spread(found), task__workspace__in=seen)
    hits = _hits(list(entries.select_related("task__workspace").only(*SHOWN_OF_ENTRY)), phrases)
    by_number = _numbered(user, query, workspace) if kind in ("", Kind.TITLE) else []
    known = {hit.task.pk for hit in hits if hit.kind == Kind.TITLE}
    numbered = [hit for hit in by_number if hit.task.pk not in known]
    return [*numbered, *_without_repetition(sorted(hits, key=_order, reverse=True))]


def _without_repetition(hits: list[Hit]) -> list[Hit]:
    """Return the first of the hits that show the same, such as a task's prompt and the message with it."""
    return list({(hit.task.pk, hit.kind, hit.text): hit for hit in reversed(hits)}.values())[::-1]


def scopes_of(user: Visitor, seen: QuerySet[Workspace]) -> list[list[str]]:
    """Return the scope of these workspaces: none for who sees everything. Rows are filtered again."""
    if seen.query.where or not getattr(user, "is_superuser", False):
        return [[services.word_of_workspace(pk) for pk in [0, *seen.values_list("pk", flat=True)]]]
    return []


def _spread(ids: list[int]) -> list[int]:
    """Return the first ids of each task, so that one task does not hide all others.

    A part of a task's diff is left out if an event has the change: that is shown where it was made.
    """
    rows = SearchEntry.objects.filter(pk__in=ids).values_list("pk", "task", "kind")
    entries = {pk: (task, kind) for pk, task, kind in rows}
    of_events = {entry for pk, entry in entries.items() if places.is_of_event(pk)}
    of_task: Counter[int] = Counter()
    kept = []
    for pk in dict.fromkeys(ids):
        task, kind = entries.get(pk, (0, ""))
        if places.is_of_work(pk) and (task, kind) in of_events:
            continue
        of_task[task] += 1
        if task and of_task[task] <= MOST_OF_TASK:
            kept.append(pk)
    return kept[:MOST_HITS]


def _numbered(user: Visitor, query: str, workspace: int | None) -> list[Hit]:
    """Return the task that the query is the number of."""
    number = whole_number(query.strip().removeprefix("#"))
    tasks = visible_tasks(user).filter(pk=number) if number else Task.objects.none()
    if workspace is not None:
        tasks = tasks.filter(workspace=workspace)
    return [Hit(task, None, None, Kind.TITLE, [(task.title, False)], task.updated_at) for task in tasks]


def _order(hit: Hit) -> tuple[bool, datetime]:
    return hit.kind == Kind.TITLE, hit.at


def _hits(entries: list[SearchEntry], phrases: Sequence[Phrase]) -> list[Hit]:
    ids = {places.event_and_slot(entry.pk)[0] for entry in entries if places.is_of_event(entry.pk)}
    rows = Event.objects.filter(pk__in=ids).select_related("run").only(*SHOWN_OF_EVENT)
    events = {event.pk: event for event in rows}
    asked = Task.objects.filter(pk__in={entry.task_id for entry in entries if _is_prompt(entry)})
    prompts = dict(asked.values_list("pk", "prompt"))
    hits = (_hit(entry, events, prompts, phrases) for entry in entries)
    return [hit for hit in hits if hit]


def _is_prompt(entry: SearchEntry) -> bool:
    return entry.kind == Kind.PROMPT and not places.is_of_event(entry.pk)


def _hit(
    entry: SearchEntry, events: dict[int, Event], prompts: dict[int, str], phrases: Sequence[Phrase]
) -> Hit | None:
    task = entry.task
    if places.is_of_work(entry.pk):
        path, _, lines = entry.text.partition("\n")
        pieces = excerpt(lines if entry.kind == Kind.DIFF else path, phrases)
        return Hit(task, None, None, entry.kind, pieces, task.updated_at, path)
    if not places.is_of_event(entry.pk):
        own = {Kind.TITLE: task.title, Kind.PROMPT: prompts.get(task.pk, ""), Kind.TERMINAL: entry.text}
        text = own.get(Kind(entry.kind), "")
        return Hit(task, None, None, entry.kind, excerpt(text, phrases), task.updated_at)
    pk, slot = places.event_and_slot(entry.pk)
    event = events.get(pk)
    if event is None:
        return None
    text = _text_of(event, slot, entry)
    return Hit(task, event.run, event.seq, entry.kind, excerpt(text, phrases), event.at)


def _text_of(event: Event, slot: int, entry: SearchEntry) -> str:
    texts = texts_of(event, entry.task.worktree_path)
    if slot < len(texts) and texts[slot][0] == entry.kind:
        return texts[slot][1]
    return next((text for kind, text in texts if kind == entry.kind), "")


def excerpt(text: str, phrases: Sequence[Phrase]) -> list[Piece]:
    """Return what stands around the first words that were found, with these marked. Hostile, but readable."""
    place = marks(text, phrases)
    first = place[0][0] if place else 0
    start, end = max(0, first - AROUND), min(len(text), first + 2 * AROUND)
    shown = readable(uncoloured(text[start:end]))
    pieces: list[Piece] = [("…", False)] if start else []
    at = 0
    for left, right in marks(shown, phrases):
        pieces += [(_flat(shown[at:left]), False), (_flat(shown[left:right]), True)]
        at = right
    pieces.append((_flat(shown[at:]), False))
    if end < len(text):
        pieces.append(("…", False))
    return [piece for piece in pieces if piece[0]]


def _flat(text: str) -> str:
    """Return a text as part of one line."""
    words = " ".join(text.split())
    return f"{' ' * text[:1].isspace()}{words}{' ' * (text[-1:].isspace() and bool(words))}"


def as_json(hit: Hit) -> dict[str, Any]:
    return {
        "task": hit.task.pk,
        "run": hit.run.pk if hit.run else None,
        "seq": hit.seq,
        "kind": hit.kind,
        "text": hit.text,
        "url": hit.url,
    }

"""The tasks that the command palette offers."""

from __future__ import annotations

from typing import Any

from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import visible_tasks
from tasks.models import SearchEntry, Task
from tasks.search import engine, services
from tasks.search.queries import scopes_of
from tasks.search.words import phrases_of
from workspaces.access import Visitor, visible_workspaces

MOST = 12


def tasks_for(user: Visitor, query: str, recent: list[int]) -> list[dict[str, Any]]:
    """Return the tasks with this number or these words in their title; without a query, the recent ones."""
    query = query.strip()
    ids = _found(user, query) if query else list(dict.fromkeys(recent))[:MOST]
    rows = visible_tasks(user).filter(pk__in=ids).only("title", "status", "workspace__name")
    tasks = {task.pk: task for task in rows}
    shown = [tasks[pk] for pk in ids if pk in tasks]
    if not query and len(shown) < MOST:
        newest = (
            visible_tasks(user)
            .exclude(pk__in=tasks)
            .order_by("-pk")
            .only("title", "status", "workspace__name")
        )
        shown += newest[: MOST - len(shown)]
    return [_as_json(task) for task in shown]


def _found(user: Visitor, query: str) -> list[int]:
    try:
        phrases = phrases_of(query)
    except Refused:
        return []  # nothing has such a title
    number = whole_number(query.removeprefix("#"))
    titles = [services.word_of_kind(SearchEntry.Kind.TITLE)]
    scopes = [*scopes_of(user, visible_workspaces(user)), titles]
    found = engine.find(phrases, scopes, most=MOST, own=True) if phrases else []
    titled = SearchEntry.objects.filter(pk__in=found).order_by("pk").values_list("task", flat=True)
    return list(dict.fromkeys([*([number] if number else []), *titled]))[:MOST]


def _as_json(task: Task) -> dict[str, Any]:
    return {
        "number": task.pk,
        "title": task.title,
        "status": task.get_status_display(),
        "workspace": task.workspace.name,
    }

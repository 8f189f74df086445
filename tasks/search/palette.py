"""What the command palette offers: tasks by number, words or letters of their titles, and further pages."""

from __future__ import annotations

import heapq
from typing import Any

from django.urls import reverse

from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.access import visible_tasks
from tasks.models import SearchEntry, Task
from tasks.search import engine, services
from tasks.search.queries import scopes_of
from tasks.search.words import MOST_CHARACTERS, fold, phrases_of
from workspaces.access import Visitor, visible_workspaces

MOST = 12
MOST_TITLES = 5000
"The newest tasks, whose titles are compared letter by letter if too few have the words of a query."
BREAKS = frozenset(" -_/.:…")
"Signs that a word begins after."
MOST_GRAPHS = 50


def tasks_for(user: Visitor, query: str, recent: list[int]) -> list[dict[str, Any]]:
    """Return the tasks with this number, or a title that fits; without a query, the recent ones.

    Titles with all words of the query come first, then those with its letters in this order.
    """
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


def pages_for(user: Visitor) -> list[dict[str, str]]:
    """Return the page for plans, and the graph of each workspace, with their addresses."""
    graphs = [
        {"text": f"Graph of open tasks: {name}", "url": reverse("graph", args=[pk])}
        for pk, name in visible_workspaces(user).order_by("name").values_list("pk", "name")[:MOST_GRAPHS]
    ]
    return [{"text": "Plan: several tasks from a text", "url": reverse("plan")}, *graphs]


def _found(user: Visitor, query: str) -> list[int]:
    number = whole_number(query.removeprefix("#"))
    found = [*([number] if number else []), *_with_words(user, query)]
    if len(found) < MOST and number is None:
        found += _with_letters(user, query)
    return list(dict.fromkeys(found))[:MOST]


def _with_words(user: Visitor, query: str) -> list[int]:
    try:
        phrases = phrases_of(query)
    except Refused:
        return []  # no title has such words
    titles = [services.word_of_kind(SearchEntry.Kind.TITLE)]
    scopes = [*scopes_of(user, visible_workspaces(user)), titles]
    found = engine.find(phrases, scopes, most=MOST, side="own") if phrases else []
    return list(SearchEntry.objects.filter(pk__in=found).order_by("-task").values_list("task", flat=True))


def _with_letters(user: Visitor, query: str) -> list[int]:
    """Return tasks with the letters of the query in their title, those that fit best first."""
    letters = "".join(fold(query[:MOST_CHARACTERS]).split())
    if not any(letter.isalnum() for letter in letters):
        return []
    newest = visible_tasks(user).order_by("-pk").values_list("pk", "title")[:MOST_TITLES]
    fits = ((fitness(fold(title), letters), pk) for pk, title in newest)
    return [pk for _, pk in heapq.nlargest(MOST, (fit for fit in fits if fit[0] >= len(letters)))]


def fitness(title: str, letters: str) -> int:
    """Return how well a title fits; -1 if it does not have these letters in this order.

    Letters that follow each other or begin a word count most. `fitness` in palette.js judges pages and verbs
    in the same way.
    """
    at, points = -1, 0
    for letter in letters:
        place = title.find(letter, at + 1)
        if place < 0:
            return -1
        is_start = place == 0 or title[place - 1] in BREAKS
        points += 4 if place == at + 1 else 6 if is_start else -1
        at = place
    return points


def _as_json(task: Task) -> dict[str, Any]:
    return {
        "number": task.pk,
        "title": task.title,
        "status": task.get_status_display(),
        "workspace": task.workspace.name,
    }

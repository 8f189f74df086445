"""Finding within one conversation: places, how many texts of each kind it has, and its turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count

from tasks.models import Event, SearchEntry, Task
from tasks.rendering.parts import readable
from tasks.search import engine, places, services
from tasks.search.words import phrases_of

MOST_PLACES, MOST_TURNS = 2000, 500
LONGEST_TURN = 160
Place = tuple[int, int]
"Number of a run, and of an event in it."


def places_in(task: Task, query: str, kinds: Iterable[str] = ()) -> list[Place]:
    """Return where a conversation has all words of the query, oldest first; of these kinds, if any.

    Without words, all events of these kinds. Raises Refused for an unusable query.
    """
    phrases, words = phrases_of(query), [services.word_of_kind(kind) for kind in kinds]
    scopes = [[services.word_of_task(task.pk)], *([words] if words else [])]
    ids = engine.find(phrases, scopes, most=MOST_PLACES) if phrases or words else []
    events = {places.event_and_slot(pk)[0] for pk in ids if places.is_of_event(pk)}
    rows = Event.objects.filter(pk__in=events, run__task=task).order_by("run__number", "seq")
    return list(rows.values_list("run__number", "seq"))


def counts_in(task: Task) -> dict[str, int]:
    """Return the number of texts of each kind in a conversation."""
    entries = SearchEntry.objects.filter(task=task, pk__gt=0).order_by()
    return dict(entries.values_list("kind").annotate(Count("pk")))


def turns_of(task: Task) -> list[dict[str, Any]]:
    """Return the newest messages to the agent, oldest first, by which a conversation is divided."""
    rows = Event.objects.filter(run__task=task, kind="message").order_by("-run__number", "-seq")
    found = rows.values_list("run__number", "seq", "at", "data__text")[:MOST_TURNS]
    return [
        {"place": f"{number}.{seq}", "run": number, "at": at, "text": _first_line(text)}
        for number, seq, at, text in reversed(found)
    ]


def _first_line(text: object) -> str:
    lines = readable(text).strip().splitlines()
    return lines[0][:LONGEST_TURN] if lines else ""

"""Keeps the index in step with tasks, events, saved terminals and diffs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction

from aitask.lib.text import storable
from tasks.models import Event, Run, SearchEntry, Task
from tasks.search import places
from tasks.search.texts import texts_of
from tasks.search.words import words_of

Kind = SearchEntry.Kind
LONGEST_PART, MOST_SAVED = 4000, 256_000
"Characters of a saved terminal in one entry, and in all."
MOST_OF_WORK = 500
"Entries of one task's diff."


def word_of_kind(kind: str) -> str:
    return f"_{kind}"


def word_of_workspace(pk: int) -> str:
    return f"_w{pk}"


def word_of_task(pk: int) -> str:
    return f"_t{pk}"


def note_rows(run: Run, rows: Iterable[Event]) -> None:
    """Index new events, in the transaction that saves them."""
    add(entry for row in rows for entry in entries_of(run.task, row))


def note_task(instance: Task, *, update_fields: Iterable[str] | None = None, **_kwargs: Any) -> None:
    """Index title and prompt of a task that was saved, if they may have changed."""
    if update_fields is None or {"title", "prompt"} & set(update_fields):
        with transaction.atomic():
            ids = [places.of_task(instance.pk, part) for part in (places.TITLE, places.PROMPT)]
            SearchEntry.objects.filter(pk__in=ids).delete()
            add(own_entries(instance))


def add(entries: Iterable[SearchEntry]) -> None:
    """Save entries that may be there already."""
    SearchEntry.objects.bulk_create(entries, ignore_conflicts=True, batch_size=500)


def entries_of(task: Task, event: Event) -> Iterator[SearchEntry]:
    for slot, (kind, text) in enumerate(texts_of(event, task.worktree_path)):
        yield _entry(task, places.of_event(event.pk, slot), kind, text)


def own_entries(task: Task) -> Iterator[SearchEntry]:
    """Yield the entries of title and prompt."""
    yield _entry(task, places.of_task(task.pk, places.TITLE), Kind.TITLE, task.title)
    if task.prompt.strip():
        yield _entry(task, places.of_task(task.pk, places.PROMPT), Kind.PROMPT, task.prompt)


def index_terminal(task: Task, text: str) -> None:
    """Replace what is known of a task's saved terminal by the end of this text, without its escapes."""
    parts = list(_parts(text[-MOST_SAVED:]))[-places.MOST_TERMINAL :]
    with transaction.atomic():
        SearchEntry.objects.filter(task=task, kind=Kind.TERMINAL).delete()
        ids = (places.of_task(task.pk, places.FIRST_TERMINAL + number) for number in range(len(parts)))
        add(_entry(task, pk, Kind.TERMINAL, part, keep=part) for pk, part in zip(ids, parts, strict=True))


def index_work(task: Task, changes: Iterable[tuple[str, str]]) -> None:
    """Replace what is known of a task's diff by these files, each with its path and its changed lines."""
    entries = itertools.islice(_work_entries(task, changes), MOST_OF_WORK)
    with transaction.atomic():
        known = (places.of_work(task.pk, places.OWN - 1), places.of_work(task.pk, 0))
        SearchEntry.objects.filter(pk__range=known).delete()
        add(entries)


def _work_entries(task: Task, changes: Iterable[tuple[str, str]]) -> Iterator[SearchEntry]:
    """Yield an entry for each path, and for each part of a diff. The first line of each text is the path."""
    ids = (places.of_work(task.pk, number) for number in itertools.count())
    for path, lines in changes:
        kept = storable(path.replace("\n", " "))
        yield _entry(task, next(ids), Kind.FILE, kept, keep=kept)
        for part in _parts(storable(lines)):
            yield _entry(task, next(ids), Kind.DIFF, part, keep=f"{kept}\n{part}")


def _parts(text: str) -> Iterator[str]:
    """Yield lines together, up to LONGEST_PART characters."""
    part = ""
    for line in text.splitlines(keepends=True):
        if len(part) + len(line) > LONGEST_PART and part:
            yield part
            part = ""
        part += line[:LONGEST_PART]
    if part.strip():
        yield part


def _entry(task: Task, pk: int, kind: Kind, text: str, *, keep: str = "") -> SearchEntry:
    scope = (word_of_workspace(task.workspace_id), word_of_task(task.pk), word_of_kind(kind))
    return SearchEntry(
        id=pk, task_id=task.pk, kind=kind, words=" ".join((*scope, *words_of(text))), text=keep
    )

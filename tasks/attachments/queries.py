"""Reads of attached files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Count, Sum

from tasks.attachments import store
from tasks.models import Attachment, Task


def for_agent(row: Attachment) -> tuple[Iterator[bytes], int, str, str]:
    """Return the content as an agent gets it, with its size, digest and type.

    Of a picture that is large, animated, turned, or in a format that CLIs don't take, it is our own copy.
    Raises Refused if it is missing.
    """
    if row.is_picture and not row.fits_agents:
        return store.read(row.view_sha256), row.view_size, row.view_sha256, row.view_type
    return store.read(row.sha256), row.size, row.sha256, row.content_type


def in_prompt(task: Task) -> list[Attachment]:
    """Return the files of the task's own prompt."""
    return list(Attachment.objects.filter(task=task, in_prompt=True))


def prompt_of(task: Task) -> list[int]:
    """Return the ids of the files of the task's own prompt."""
    return [row.pk for row in in_prompt(task)]


def of_task(task: Task, ids: Iterable[int]) -> list[Attachment]:
    """Return these files, as far as they are files of this task, in the order of the ids."""
    wanted = [pk for pk in dict.fromkeys(ids) if isinstance(pk, int)]
    if not wanted:
        return []
    found = {row.pk: row for row in Attachment.objects.filter(task=task, pk__in=wanted)}
    return [found[pk] for pk in wanted if pk in found]


def prompt_ids(tasks: Sequence[Task]) -> dict[int, list[int]]:
    """Return the ids of the files of each task's prompt."""
    found: dict[int, list[int]] = {task.pk: [] for task in tasks}
    rows = Attachment.objects.filter(task__in=tasks, in_prompt=True).order_by("pk")
    for task, pk in rows.values_list("task_id", "pk"):
        if task is not None:
            found[task].append(pk)
    return found


def count_by_task(tasks: Sequence[Task]) -> dict[int, int]:
    """Return how many files each task has; those without any are left out."""
    rows = Attachment.objects.filter(task__in=[task.pk for task in tasks]).order_by().values_list("task_id")
    return {pk: count for pk, count in rows.annotate(count=Count("pk")) if pk is not None}


def bytes_of(task: Task) -> int:
    """Return the size of all files of the task."""
    return Attachment.objects.filter(task=task).aggregate(total=Sum("size"))["total"] or 0

"""Receiving files from users, giving them to tasks, and removing them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Sum
from django.db.models.signals import post_delete
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.attachments import access, kinds, pictures, queries, store
from tasks.models import Attachment, Comment, Outgoing, Task

Kind = Attachment.Kind
UNUSED_DAYS = 7
"""Uploads that no task has used for so long are removed."""
GONE, GONE_HINT = "A file is no longer there, or you don't have access to it.", "Attach it again."


class UnfitFile(Refused):
    """A file that is not accepted."""

    status = 422


class TooLarge(Refused):
    """A file, or all of a task together, is above the limit."""

    status = 413


def receive(upload: UploadedFile[bytes], user: AbstractBaseUser) -> Attachment:
    """Keep an uploaded file, which no task uses yet. Raises Refused with what is wrong with it."""
    name = kinds.clean_name(upload.name or "")
    with upload:  # its own temporary file goes now, not when its memory is collected
        _check_size(name, upload.size or 0, user)
        content = store.stage(upload.chunks(store.CHUNK))
    try:
        return _recognized(content, name, upload.content_type or "", user)
    except pictures.UnfitPicture as error:
        raise UnfitFile(f"“{name}” can't be attached. {error.reason}", error.hint) from error
    finally:
        content.path.unlink(missing_ok=True)


def _check_size(name: str, size: int, user: AbstractBaseUser) -> None:
    if size == 0:
        raise UnfitFile(f"“{name}” is empty.")
    if size > settings.ATTACHMENT_BYTES:
        limit = f"A file can have at most {settings.ATTACHMENT_BYTES >> 20} MB."
        raise TooLarge(f"“{name}” is too large: it has {filesizeformat(size)}.", limit)
    unused = Attachment.objects.filter(task=None, created_by_id=user.pk).aggregate(total=Sum("size"))["total"]
    if (unused or 0) + size > 5 * settings.TASK_ATTACHMENTS_BYTES:
        raise TooLarge("You have uploaded too much that no task uses.", "Remove some of it, or use it first.")


def _recognized(content: store.Incoming, name: str, given: str, user: AbstractBaseUser) -> Attachment:
    """Keep the content as what it is, which its bytes decide."""
    with content.path.open("rb") as file:
        head = file.read(kinds.HEAD)
    row = Attachment(name=name, size=content.size, sha256=content.sha256, created_by_id=user.pk)
    if kinds.is_picture(head):
        return _picture(row, content)
    if kinds.says_picture(name, given) or kinds.is_other_picture(name, head) is False:
        raise pictures.UnfitPicture(
            "It says that it is a picture, but its content is not one, or is damaged."
        )
    row.kind = Kind.FILE
    if kinds.is_vector(name, head):
        pictures.check_vector(content.path)
        row.kind, row.content_type = Kind.TEXT, "image/svg+xml"
    elif head.startswith(b"%PDF-"):
        row.kind = Kind.PDF
    elif kinds.is_text(content.path):
        row.kind = Kind.TEXT
    row.content_type = row.content_type or kinds.type_of(row.kind, head)
    return _saved(row, [content])


def _picture(row: Attachment, content: store.Incoming) -> Attachment:
    with pictures.decoded(content.path) as found:
        row.kind, row.content_type = Kind.PICTURE, found.content_type
        row.width, row.height, row.fits_agents = found.width, found.height, found.fits_agents
        row.view_sha256, row.view_type, row.view_size = found.view.sha256, found.view_type, found.view.size
        row.thumbnail_sha256, row.thumbnail_type = found.thumbnail.sha256, found.thumbnail_type
        return _saved(row, [content, found.view, found.thumbnail])


def _saved(row: Attachment, contents: Sequence[store.Incoming]) -> Attachment:
    with store.locked(*(content.sha256 for content in contents)):
        for content in {content.sha256: content for content in contents}.values():
            store.keep(content)
        row.save()
    return row


def attach(
    task: Task, ids: Iterable[int], user: AbstractBaseUser | None, *, in_prompt: bool = False
) -> list[int]:
    """Give uploaded files to a task, and return their ids. Those that the task has already are kept.

    Raises Refused if one is not there, belongs to another task, or if all together are too large.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return []
    with _task_locked(task):
        rows = _visible(task, wanted, user)
        new = [row for row in rows if row.task_id is None]
        _check_total(task, new)
        taken = Attachment.objects.filter(pk__in=[row.pk for row in new], task=None).update(task=task)
        if taken != len(new):
            raise UnfitFile(GONE, GONE_HINT)
        if in_prompt:
            Attachment.objects.filter(pk__in=wanted).update(in_prompt=True)
    doorbell.ring(f"task:{task.pk}")
    return wanted


def _visible(task: Task, wanted: Sequence[int], user: AbstractBaseUser | None) -> list[Attachment]:
    rows = access.attachments_for(user, wanted) if user else queries.of_task(task, wanted)
    if len(rows) < len(wanted):
        raise UnfitFile(GONE, GONE_HINT)
    for row in rows:
        if row.task_id not in (None, task.pk):
            raise UnfitFile(f"“{row.name}” belongs to another task.", "Upload it for this one, too.")
    return rows


def _check_total(task: Task, new: Iterable[Attachment]) -> None:
    total = queries.bytes_of(task) + sum(row.size for row in new)
    if total > settings.TASK_ATTACHMENTS_BYTES:
        limit = settings.TASK_ATTACHMENTS_BYTES >> 20
        reason = f"The files of this task would have {filesizeformat(total)} together."
        raise TooLarge(reason, f"A task can have {limit} MB of files. Remove some, or use smaller ones.")


@contextlib.contextmanager
def _task_locked(task: Task) -> Iterator[None]:
    with transaction.atomic():
        if not Task.objects.select_for_update().filter(pk=task.pk).exists():
            raise UnfitFile("This task is no longer there.")
        yield


def set_prompt(task: Task, ids: Sequence[int], user: AbstractBaseUser | None) -> None:
    """Make these the files of the task's own prompt. Others that were are removed."""
    with transaction.atomic():
        attach(task, ids, user, in_prompt=True)
        for row in Attachment.objects.filter(task=task, in_prompt=True).exclude(pk__in=ids):
            _take_out(row, task)
    doorbell.ring(f"task:{task.pk}")


def _take_out(row: Attachment, task: Task) -> None:
    """Remove a file from the task's prompt. It stays with the task if an agent was given it."""
    if row.pk in _given(task):
        Attachment.objects.filter(pk=row.pk).update(in_prompt=False)
    else:
        row.delete()


def _given(task: Task) -> set[int]:
    """Return the ids of all files that belong to a run or a message of the task."""
    ids = {pk for found in task.runs.values_list("attachments", flat=True) for pk in found}
    messages = Outgoing.objects.filter(run__task=task, payload__has_key="attachments")
    comments = Comment.objects.filter(task=task).values_list("attachments", flat=True)
    ids |= {pk for found in comments for pk in found}
    return ids | {pk for row in messages for pk in row.payload["attachments"] or []}


def let_go(task: Task, ids: Iterable[int]) -> None:
    """Remove files of something that was never sent, unless something else of the task has them, too."""
    given = _given(task)
    for row in queries.of_task(task, ids):
        if not row.in_prompt and row.pk not in given:
            row.delete()


def copy_to(task: Task, rows: Iterable[Attachment]) -> list[int]:
    """Give a task files of its own with the same content, for its prompt. Return their ids."""
    rows, made = list(rows), []
    _check_total(task, rows)
    for row in rows:
        with store.locked(*(getattr(row, name) for name in Attachment.CONTENTS)):
            copy = Attachment.objects.filter(pk=row.pk).first()
            if copy is not None:
                copy.pk, copy.task, copy.in_prompt, copy.created_at = None, task, True, timezone.now()
                copy._state.adding = True
                copy.save()
                made.append(copy.pk)
    return made


def remove(row: Attachment) -> None:
    """Remove an upload that no task uses. Raises Refused for another one."""
    removed, _ = Attachment.objects.filter(pk=row.pk, task=None).delete()
    if not removed:
        raise Refused("This file belongs to a task.", "Remove it from the task's prompt.")


def remove_unused() -> None:
    """Remove the uploads that no task has used for a week."""
    limit = timezone.now() - timedelta(days=UNUSED_DAYS)
    Attachment.objects.filter(task=None, created_at__lt=limit).delete()


def connect() -> None:
    post_delete.connect(_discard, sender=Attachment, dispatch_uid="content of attachments")


def _discard(instance: Attachment, **_kwargs: Any) -> None:
    """Remove the content of a removed row, unless another one uses it: however the row was removed."""
    transaction.on_commit(partial(store.discard, [getattr(instance, name) for name in Attachment.CONTENTS]))

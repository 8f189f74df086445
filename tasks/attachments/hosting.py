"""Puts attached files on the host where their agent works, and removes them with their task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import PurePath
from posixpath import basename
from typing import Any, cast

from django.db import transaction
from django.db.models import Q
from django.db.models.signals import pre_delete
from django.utils import timezone

from aitask.lib.queue import enqueue
from tasks.attachments import queries
from tasks.models import Attachment, LeftFolder, Run, Task
from tasks.repository import Site
from workspaces import hosts
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.hosts.upload import FileToSend, send_file
from workspaces.models import Host, Installation

AGAIN = timedelta(minutes=2)
"How long to wait before a host is asked again to remove a folder."
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
BLANK_SECONDS = 300.0
"How long a host may look through the transcripts of a task's agents."
MOST_NAMES = 200
"Folders that a host removes in one call."


def folder_name(task: Task, installation: str) -> str:
    """Return the name of the task's folder below `attachments/` on its host."""
    return f"{installation}-{task.pk}-{task.mark}" if task.mark else f"{installation}-{task.pk}"


def put_on_host(site: Site, task: Task, ids: Sequence[int]) -> list[wire.AttachedFile]:
    """Put these files of the task into its folder on the host; those that are there are not sent again.

    Files that were removed in the meantime are left out. Raises HostError, with a sentence for the user.
    """
    rows = {row.pk: row for row in Attachment.objects.filter(task=task, pk__in=ids)}
    name = folder_name(task, site.installation)
    files = [_put(site, name, rows[pk]) for pk in ids if pk in rows]
    if files and not Task.objects.filter(pk=task.pk).exists():  # it was removed while they were sent
        LeftFolder.objects.create(host=task.workspace.host, names=[f"attachments/{name}"])
    return files


def _put(site: Site, folder: str, row: Attachment) -> wire.AttachedFile:
    try:
        return _send(site, folder, row)
    except HostError as error:
        if error.code != "remote_failed":
            raise
        return _send(site, folder, row)  # what was left of an earlier upload did not fit, and is gone now


def _send(site: Site, folder: str, row: Attachment) -> wire.AttachedFile:
    content, size, sha256, content_type = queries.for_agent(row)
    name = _name_for(row, content_type)
    params: wire.UploadParams = {
        "folder": folder,
        "id": row.pk,
        "name": name,
        "size": size,
        "sha256": sha256,
    }
    path = send_file(site.host, FileToSend(params, iter(content)))
    kind = cast("wire.AttachmentKind", row.kind)
    return {
        "id": row.pk,
        "path": path,
        "name": row.name,
        "media_type": content_type,
        "kind": kind,
        "size": size,
    }


def _name_for(row: Attachment, content_type: str) -> str:
    """Return the name with the extension of what the agent gets, where a picture was made smaller."""
    suffix = SUFFIXES.get(content_type)
    if content_type == row.content_type or suffix is None:
        return row.name
    return PurePath(row.name).stem + suffix


def connect() -> None:
    pre_delete.connect(_note_removal, sender=Task, dispatch_uid="left folders")


def has_folders(task: Task) -> bool:
    """Whether the task may have something on its host that is removed with it."""
    ran = Run.objects.filter(task=task).exclude(run_dir="").exists()
    return ran or Attachment.objects.filter(task=task).exists()


def removed_later(task: Task) -> str:
    """Return what to say if the task is removed now and its host can't be reached; else nothing."""
    host = task.workspace.host
    if host.link != Host.Link.DOWN or not has_folders(task):
        return ""
    return f"{host.label} can't be reached: files of the task there are removed when it is back."


def _note_removal(instance: Task, **_kwargs: Any) -> None:
    """Remember what a removed task has left on its host, until it is removed there, too."""
    if not has_folders(instance):
        return
    folders = Run.objects.filter(task=instance).exclude(run_dir="").values_list("run_dir", flat=True)
    names = [f"runs/{basename(folder)}" for folder in folders]
    installation = Installation.current_key()
    names.append(f"shells/{installation}-{instance.key}")  # what its terminal has printed without a run
    names.append(f"attachments/{folder_name(instance, installation)}")  # last: see _remove
    row = LeftFolder.objects.create(host=instance.workspace.host, names=names)
    enqueue(remove_left, row.host_id)


def remove_left(host_id: int) -> None:
    """Remove the folders of removed tasks from a host; keep in mind those that it could not remove."""
    rows = LeftFolder.objects.filter(host_id=host_id).order_by("pk")
    host = Host.objects.filter(pk=host_id).first()
    if host is None or not rows.exists():
        return
    rows.update(retry_at=timezone.now() + AGAIN)
    connection = hosts.get(host.address)
    for row in rows:
        try:
            _remove(connection, row.names)
        except HostError as error:
            LeftFolder.objects.filter(pk=row.pk).update(reason=str(error)[:500])
            if error.retryable:
                return
        else:
            row.delete()


def _remove(connection: hosts.HostConnection, names: Sequence[str]) -> None:
    """Remove a task's folders, and first what the transcripts of its agents have of its files.

    The host knows by the folder of the task's files that it had some, and by those of its runs where the
    transcripts are. If it fails in between, both are still there, or the transcripts are done.
    """
    runs = list(dict.fromkeys("/".join(name.split("/")[:2]) for name in names if name.startswith("runs/")))
    (folder,) = (name for name in names if name.startswith("attachments/"))
    if runs:
        connection.call("blank_transcripts", {"folder": folder, "runs": runs}, timeout=BLANK_SECONDS)
    for at in range(0, len(names), MOST_NAMES):
        connection.call("remove_folders", {"names": list(names[at : at + MOST_NAMES])}, timeout=60)


def repair() -> None:
    """Enqueue the removal of folders that were left, unless their host is down."""
    due = LeftFolder.objects.filter(Q(retry_at=None) | Q(retry_at__lt=timezone.now()))
    for host_id in set(due.exclude(host__link=Host.Link.DOWN).values_list("host_id", flat=True)):
        LeftFolder.objects.filter(host_id=host_id).update(retry_at=timezone.now() + AGAIN)
        with transaction.atomic():
            enqueue(remove_left, host_id)


def as_taken(files: Iterable[wire.AttachedFile], takes_pictures: bool | None) -> list[wire.AttachedFile]:
    """Return the files as the model takes them: one that takes no pictures gets their paths."""
    if takes_pictures is not False:
        return list(files)
    return [{**file, "kind": "file"} if file["kind"] == "picture" else file for file in files]

"""Creating, moving and deleting tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.attachments.access import attachments_for
from tasks.attachments.services import GONE, GONE_HINT, UnfitFile, attach, copy_to
from tasks.editing import check, check_choice, check_permission_mode, clean_labels, clean_text, one_line
from tasks.models import Task
from tasks.models.task import RANK_GAP
from tasks.order import services as order
from tasks.order.starts import check_start
from tasks.runs import dispatch
from tasks.runs import services as run_services
from tasks.verbs import TaskVerb, require
from workspaces.models import Workspace

MOST_AT_ONCE = 100
"Maximum number of tasks that one text creates, in one transaction."
SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class TaskFields:
    """The fields of a new task. Empty ones take the workspace's defaults."""

    title: str = ""
    "Empty: the first line of the prompt."
    prompt: str = ""
    backend: str = ""
    model: str = ""
    reasoning_effort: str = ""
    permission_mode: str = ""
    labels: Iterable[str] = ()
    priority: int = 0
    after: Iterable[int] = ()
    "Numbers of the tasks that it comes after."
    after_until: str = ""
    base_branch: str = ""
    kind: str = Task.Kind.WORK
    attachments: Iterable[int] = ()
    "Uploaded files for its prompt."
    as_chosen: bool = False
    "Whether an empty model or effort means the CLI's default, not the workspace's."

    def task_in(self, workspace: Workspace) -> Task:
        """Return the task with these fields at the end of the backlog, not saved. Raises ValidationError."""
        prompt, backend = clean_text(self.prompt), self.backend or workspace.default_backend
        has_defaults = backend == workspace.default_backend and not self.as_chosen
        return Task(
            workspace=workspace,
            kind=self.kind,
            title=(one_line(self.title) or one_line(first_line(prompt)))[:200],
            prompt=prompt,
            backend=backend,
            model=self.model or (workspace.default_model if has_defaults else ""),
            reasoning_effort=self.reasoning_effort
            or (workspace.default_reasoning_effort if has_defaults else ""),
            permission_mode=self.permission_mode,
            labels=clean_labels(self.labels),
            priority=self.priority,
            after_until=self.after_until or Task.Until.MERGED,
            base_branch=clean_text(self.base_branch).strip(),
            rank=Task.rank_at_end(Task.Status.BACKLOG),
        )


def create_task(workspace: Workspace, user: AbstractBaseUser | None, fields: TaskFields) -> Task:
    """Create a task at the end of the backlog. Raises ValidationError, by field, Refused and NotAllowed.

    Whether its base branch exists is not looked up: see `order.starts.check_start`.
    """
    task = fields.task_in(workspace)
    task.created_by_id = user.pk if user else None
    check(task)
    check_choice(task)
    check_permission_mode(task, user)
    with transaction.atomic():
        task.save()
        if numbers := set(fields.after):
            order.lock(workspace.pk)
            order.set_after(task, numbers)
        order.check_order(task)
        attach(task, fields.attachments, user, in_prompt=True)
    doorbell.ring(f"task:{task.pk}")
    return task


def create_tasks_from_text(
    *,
    workspace: Workspace,
    user: AbstractBaseUser,
    text: str,
    attempts: int = 1,
    also_with: str = "",
    attachments: Iterable[int] = (),
    **fields: Any,
) -> list[Task]:
    """Create several tasks, separated by lines of `---`: all of them or none.

    With `attempts`, create as many tasks for each of them; with `also_with`, as many again with that CLI.
    Each of them gets the files.
    """
    parts = [part.strip() for part in SEPARATOR.split(text.replace("\r\n", "\n")) if part.strip()]
    if not parts:
        raise Refused("The text is empty.", "Write what the agent should do.")
    choices = _choices_of_attempts(attempts, also_with, fields)
    count = len(parts) * len(choices)
    if count > MOST_AT_ONCE:
        reason = f"These are {count:,} tasks. At most {MOST_AT_ONCE} can be created at once."
        raise Refused(reason, "Lines of --- separate tasks. Create the others afterwards.")
    check_start(workspace, fields.get("base_branch") or "")
    with transaction.atomic():
        groups = [
            [create_task(workspace, user, TaskFields(prompt=part, **choice)) for choice in choices]
            for part in parts
        ]
        for tasks in groups:
            _make_attempts(tasks)
        first, *others = (task for tasks in groups for task in tasks)
        give_files(first, others, attachments, user)
    return [first, *others]


def give_files(
    first: Task, others: Iterable[Task], ids: Iterable[int], user: AbstractBaseUser | None
) -> None:
    """Give the files to the first task, and copies of them to the others. Those of other tasks are copied.

    Raises Refused for files that the user may not see, or that belong to a task of another workspace.
    """
    ids = list(ids)
    rows = attachments_for(user, ids) if user else []
    if len(rows) < len(set(ids)):
        raise UnfitFile(GONE, GONE_HINT)
    for row in rows:
        if row.task and row.task.workspace_id != first.workspace_id:
            raise UnfitFile(
                f"“{row.name}” belongs to a task of another workspace.", "Upload it for this one, too."
            )
    unused = [row.pk for row in rows if row.task_id is None]
    attach(first, unused, user, in_prompt=True)
    copy_to(first, [row for row in rows if row.task_id is not None])
    for task in others:
        copy_to(task, rows)


def _choices_of_attempts(attempts: int, also_with: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of each attempt. The other CLI takes its default model."""
    choices = [fields] * attempts
    if also_with and also_with != fields.get("backend"):
        choices += [{**fields, "backend": also_with, "model": "", "reasoning_effort": ""}] * attempts
    return choices


def _make_attempts(tasks: list[Task]) -> None:
    """Mark tasks as attempts at the same prompt, if there are several."""
    if len(tasks) < 2:
        return
    group = uuid4()
    for number, task in enumerate(tasks, 1):
        task.attempt_group, task.attempt = group, number
        task.save(update_fields=["attempt_group", "attempt"])


def first_line(text: str) -> str:
    """Return the first line with text, without Markdown's heading marks."""
    return next((line.strip("# \t") for line in text.splitlines() if line.strip("# \t")), "")


def move_task(task: Task, *, status: str, before: int | None, user: AbstractBaseUser) -> None:
    """Move a card before another one (or last) in a column; another column may queue or unqueue a run."""
    if status != task.status:
        change_column(task, status, user)
    rank = _rank_before(task, status, before)
    Task.objects.filter(pk=task.pk).update(rank=rank)
    task.refresh_from_db()
    doorbell.ring(f"task:{task.pk}")
    if task.status == Task.Status.QUEUED:
        dispatch.start_after_commit(task.workspace_id)


def archive(task: Task) -> None:
    """Hide a done task from the board. A search finds it, and a move to another column shows it again."""
    require(task, TaskVerb.ARCHIVE)
    _set_archived(task, timezone.now())


def unarchive(task: Task) -> None:
    """Show an archived task on the board again."""
    require(task, TaskVerb.UNARCHIVE)
    _set_archived(task, None)


def _set_archived(task: Task, at: datetime | None) -> None:
    """Change the mark but not `updated_at`: the task keeps its place in Done."""
    rows = Task.objects.filter(pk=task.pk, status=Task.Status.DONE, archived_at__isnull=at is not None)
    if not rows.update(archived_at=at):
        raise Refused("Another user has changed this task in the meantime.")
    task.archived_at = at
    doorbell.ring(f"task:{task.pk}")


def delete_task(task: Task) -> None:
    """Remove a task with its history and files, also from its host, where branch and worktree stay.

    Its tmux session stays, too. Raises Refused while a run is live.
    """
    require(task, TaskVerb.DELETE)
    topic = f"task:{task.pk}"
    with transaction.atomic():
        task.dependents.update(title=task.title)
        order.announce_to_successors([task.pk])
        task.delete()
        doorbell.ring(topic)


def _rank_before(task: Task, status: str, before: int | None) -> float:
    column = Task.objects.filter(status=status).exclude(pk=task.pk)
    target = column.filter(pk=before).first() if before else None
    if target is None:
        return Task.rank_at_end(status)
    above: float | None = column.filter(rank__lt=target.rank).aggregate(last=Max("rank"))["last"]
    if above is None:
        return target.rank - RANK_GAP
    return (above + target.rank) / 2


def change_column(task: Task, status: str, user: AbstractBaseUser) -> None:
    """Move a card to the place of its rank in another column, which may queue or unqueue a run."""
    old, new = task.status, Task.Status(status)
    require(task, TaskVerb(f"move-{new}"))
    if new == Task.Status.QUEUED:
        run_services.queue_run(task, user=user)
    elif old == Task.Status.QUEUED:
        run_services.unqueue(task)
    else:
        values = {"status": new, "archived_at": None, "updated_at": timezone.now()}
        if not Task.objects.filter(pk=task.pk, status=old).update(**values):
            raise Refused("Another user or a run has moved this task in the meantime.")
        order.announce_to_successors([task.pk])
        doorbell.ring(f"task:{task.pk}")

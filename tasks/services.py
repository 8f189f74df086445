"""What a person can do with tasks. Each verb checks, changes rows by compare-and-set, and rings."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.text import storable
from tasks import dispatch, endings, joints, leases
from tasks.conversation import by_hand
from tasks.models import Run, Task
from workspaces.catalog import reading
from workspaces.hosts import HostError
from workspaces.models import Backend, BackendHold, Workspace
from workspaces.validators import LINE_BREAKERS, validate_word

EDITABLE = ("title", "prompt", "backend", "model", "reasoning_effort")
PARTING = re.compile(r"^---[ \t]*$", re.MULTILINE)
GAP = 1024.0
"Distance of neighbours in a column: room for many moves in between."


def clean_text(text: str) -> str:
    """What every database and CLI can hold."""
    return str(storable(text))


def one_line(text: str) -> str:
    """Without line breaks and control characters: a title stands in lists and heads a commit."""
    signs = (" " if unicodedata.category(sign) in LINE_BREAKERS else sign for sign in clean_text(text))
    return " ".join("".join(signs).split())


def create_task(
    *,
    workspace: Workspace,
    user: AbstractBaseUser | None,
    title: str = "",
    prompt: str = "",
    backend: str = "",
    model: str = "",
    reasoning_effort: str = "",
    as_chosen: bool = False,
) -> Task:
    """Put a task at the end of the backlog; empty fields come from the workspace, unless a person has chosen
    the CLI's own choice. The title defaults to the prompt's first line."""
    prompt = clean_text(prompt)
    title = one_line(title) or one_line(first_line(prompt))
    chosen = backend or workspace.default_backend
    preset = chosen == workspace.default_backend and not as_chosen
    task = Task(
        workspace=workspace,
        created_by_id=user.pk if user else None,
        title=title[:200],
        prompt=prompt,
        backend=chosen,
        model=model or (workspace.default_model if preset else ""),
        reasoning_effort=reasoning_effort or (workspace.default_reasoning_effort if preset else ""),
        rank=_end_of_column(Task.Status.BACKLOG),
    )
    _check(task)
    _check_choice(task)
    task.save()
    doorbell.ring("board")
    return task


def create_tasks_from_text(
    *, workspace: Workspace, user: AbstractBaseUser, text: str, **fields: Any
) -> list[Task]:
    """Several tasks at once, parted by lines of `---`; each part's first line is its title. All or none."""
    parts = [part.strip() for part in PARTING.split(text.replace("\r\n", "\n")) if part.strip()]
    if not parts:
        raise Refused("There is nothing to do in this text.", "Write what the agent should do.")
    with transaction.atomic():
        return [create_task(workspace=workspace, user=user, prompt=part, **fields) for part in parts]


def first_line(text: str) -> str:
    """The first line that says something, without markdown's heading signs."""
    return next((line.strip("# \t") for line in text.splitlines() if line.strip("# \t")), "")


def update_task(task: Task, **fields: Any) -> Task:
    """Change what a task says; a run that is going keeps what it was started with."""
    unknown = set(fields) - set(EDITABLE)
    if unknown:
        raise Refused(f"{', '.join(sorted(unknown))} can't be changed.")
    before = _choice(task)
    for name, value in fields.items():
        setattr(task, name, one_line(value) if name == "title" else clean_text(value))
    _check(task)
    if _choice(task) != before:
        _check_choice(task)
    task.save(update_fields=[*fields, "updated_at"])
    doorbell.ring(f"task:{task.pk}", "board")
    return task


def queue_run(
    task: Task,
    *,
    user: AbstractBaseUser | None,
    prompt: str | None = None,
    model: str | None = None,
    reasoning_effort: str | None = None,
    resume: bool = False,
) -> Run:
    """Ask for a run: prompt, model and effort are frozen into it, and it starts as soon as there is room.

    With `resume` it goes on with the CLI session of the last run that had one.
    """
    text = clean_text(prompt if prompt is not None else task.prompt)
    if not text.strip():
        raise Refused("The task has no prompt.", "Write what the agent should do, then run it.")
    last = task.runs.order_by("-number").first()
    if last and last.is_live:
        raise Refused(f"This task is already {last.get_state_display().lower()}.", "Cancel that run first.")
    with contextlib.suppress(HostError):  # a host that is away is asked again before the start
        by_hand.refuse_while_open(task)
    session = _session_to_resume(task) if resume else ""
    chosen = {"model": model, "reasoning_effort": reasoning_effort}
    if any(value is not None for value in chosen.values()):
        update_task(task, **{name: value for name, value in chosen.items() if value is not None})
    with transaction.atomic():
        run = _make_run(task, text, session, user)
        joints.usage_changed(run)
        Task.objects.filter(pk=task.pk).update(
            status=Task.Status.QUEUED,
            rank=_end_of_column(Task.Status.QUEUED),
            updated_at=timezone.now(),
        )
        dispatch.soon(task.workspace_id)
        doorbell.ring(f"task:{task.pk}", "board", "queue")
    task.refresh_from_db()
    run.refresh_from_db()
    return run


def cancel_task(task: Task) -> Run | None:
    """End the task's run wherever it stands; harmless when there is none. Returns the run it was about."""
    run = task.runs.filter(state__in=Run.LIVE).order_by("-number").first()
    if run is None:
        return None
    words = "Cancelled before it started."
    if endings.end_here(run, state="cancelled", code="cancelled", reason=words, expected=(Run.State.QUEUED,)):
        run.refresh_from_db()
        return run
    if Run.objects.filter(pk=run.pk, cancel_requested_at=None).update(cancel_requested_at=timezone.now()):
        leases.nudge(run.pk, "tasks.jobs.cancel_run", at_once=True)
        doorbell.ring(f"task:{task.pk}", "board")
    run.refresh_from_db()
    return run


def unqueue(task: Task) -> None:
    """Take a waiting run back: the card returns to where it came from."""
    run = task.runs.filter(state=Run.State.QUEUED).first()
    values = {
        "state": Run.State.CANCELLED,
        "reason_code": "cancelled",
        "reason": "Taken back before it started.",
    }
    with transaction.atomic():
        if run is None or not run.change((Run.State.QUEUED,), **values, finished_at=timezone.now()):
            raise Refused("The run has started already.", "Cancel it if it should stop.")
        status = Task.Status.REVIEW if run.number > 1 else Task.Status.BACKLOG
        Task.objects.filter(pk=task.pk).update(status=status, updated_at=timezone.now())
        doorbell.ring(f"task:{task.pk}", "board")
    task.refresh_from_db()


def move_task(task: Task, *, status: str, before: int | None, user: AbstractBaseUser) -> None:
    """Put a card before another (or last) in a column; another column means the verb that brings it there."""
    if status != task.status:
        _change_column(task, status, user)
    rank = _rank_before(task, status, before)
    Task.objects.filter(pk=task.pk).update(rank=rank)
    task.refresh_from_db()
    doorbell.ring("board")
    if task.status == Task.Status.QUEUED:
        dispatch.soon(task.workspace_id)


def delete_task(task: Task) -> None:
    """Remove a task and its history from the app. Its branch, worktree and session stay on the host."""
    if task.runs.filter(state__in=Run.LIVE).exists():
        raise Refused("A run of this task is still going.", "Cancel it first.")
    task.delete()
    doorbell.ring("board")


def try_login_again(hold: BackendHold) -> None:
    """Let the next queued run try whether the login works, without waiting for its time."""
    hold.next_probe_at = None
    hold.save(update_fields=["next_probe_at"])
    for workspace in Workspace.objects.filter(tasks__runs__state=Run.State.QUEUED).distinct():
        dispatch.soon(workspace.pk)


def _check(task: Task) -> None:
    """Raise ValidationError for what a person can mend, with the field's name."""
    problems: dict[str, ValidationError | str] = {}
    if not task.title:
        problems["title"] = "Give the task a title or a prompt."
    if task.backend not in Backend.values:
        problems["backend"] = f"{task.backend!r} is none of {', '.join(Backend.values)}."
    for name in ("model", "reasoning_effort"):
        try:
            validate_word(getattr(task, name))
        except ValidationError as error:
            problems[name] = error
    if problems:
        raise ValidationError(problems)
    task.full_clean(exclude=["workspace", "created_by"])


def _choice(task: Task) -> tuple[str, str, str]:
    return task.backend, task.model, task.reasoning_effort


def _check_choice(task: Task) -> None:
    """Raise ValidationError for what the host's CLI would certainly refuse."""
    problems = reading.problem(task.workspace, *_choice(task))
    if problems:
        raise ValidationError(problems)


def _session_to_resume(task: Task) -> str:
    run = task.runs.filter(backend=task.backend).exclude(cli_session="").order_by("-number").first()
    if run is None:
        raise Refused("There is no session to go on with.", "Run it from the start.")
    return run.cli_session


def _make_run(task: Task, prompt: str, session: str, user: AbstractBaseUser | None) -> Run:
    number = (task.runs.aggregate(last=Max("number"))["last"] or 0) + 1
    try:
        with transaction.atomic():
            return Run.objects.create(
                task=task,
                number=number,
                backend=task.backend,
                model=task.model,
                reasoning_effort=task.reasoning_effort,
                permission_mode=task.workspace.permission_mode,
                prompt=prompt,
                resumes=session,
                asked_by_id=user.pk if user else None,
            )
    except IntegrityError as error:
        raise Refused("This task is already queued or running.", "Somebody was faster.") from error


def _end_of_column(status: str) -> float:
    last: float | None = Task.objects.filter(status=status).aggregate(last=Max("rank"))["last"]
    return (last or 0.0) + GAP


def _rank_before(task: Task, status: str, before: int | None) -> float:
    column = Task.objects.filter(status=status).exclude(pk=task.pk)
    target = column.filter(pk=before).first() if before else None
    if target is None:
        return _end_of_column(status)
    above: float | None = column.filter(rank__lt=target.rank).aggregate(last=Max("rank"))["last"]
    if above is None:
        return target.rank - GAP
    return (above + target.rank) / 2


def _change_column(task: Task, status: str, user: AbstractBaseUser) -> None:
    old, new = task.status, Task.Status(status)
    if new == Task.Status.QUEUED and old in (Task.Status.BACKLOG, Task.Status.REVIEW, Task.Status.DONE):
        queue_run(task, user=user)
    elif new == Task.Status.BACKLOG and old == Task.Status.QUEUED:
        unqueue(task)
    elif {old, new} <= {Task.Status.BACKLOG, Task.Status.REVIEW, Task.Status.DONE}:
        Task.objects.filter(pk=task.pk, status=old).update(status=new, updated_at=timezone.now())
    elif new == Task.Status.RUNNING:
        raise Refused("A card gets to Running by itself.", "Move it to Queued: it starts when there is room.")
    else:
        raise Refused("A run of this task is going.", "Cancel it first, then move the card.")

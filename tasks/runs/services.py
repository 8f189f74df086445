"""Queueing, cancelling and unqueueing runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from tasks.attachments import queries as attachments_of
from tasks.attachments.services import attach
from tasks.editing import clean_text, update_task
from tasks.models import Run, Task
from tasks.runs import dispatch, endings, hooks, jobs, modes
from tasks.runs.forks import ForkPlace
from tasks.runs.queries import live_run
from tasks.verbs import TaskVerb, require
from workspaces import permission_modes
from workspaces.hosts import HostError
from workspaces.models import BackendHold, Workspace


def queue_run(
    task: Task,
    *,
    user: AbstractBaseUser | None,
    prompt: str | None = None,
    model: str | None = None,
    reasoning_effort: str | None = None,
    permission_mode: str | None = None,
    resume: bool | ForkPlace = False,
    attachments: Sequence[int] | None = None,
) -> Run:
    """Queue a run, which starts when a slot is free. Prompt, model and effort are fixed now.

    With `resume` it continues the CLI session of the last run that had one, or a fork from a place in one.
    Values that are given are also saved in the task; a permission mode that is not given may be that of the
    continued run. `attachments` are ids of files for the prompt; by default a new session gets the task's.
    """
    if attachments is None:
        attachments = () if resume else attachments_of.prompt_of(task)
    text = clean_text(prompt if prompt is not None else task.prompt)
    if not text.strip() and not attachments:
        raise Refused("The task has no prompt.", "Write what the agent should do, then run it.")
    require(task, TaskVerb.RUN)
    with contextlib.suppress(HostError):  # checked again before the start
        hooks.before_queue(task)
    place = resume if isinstance(resume, ForkPlace) else ForkPlace(_session_to_resume(task) if resume else "")
    chosen = {"model": model, "reasoning_effort": reasoning_effort, "permission_mode": permission_mode}
    with transaction.atomic():
        attach(task, attachments, user)
        new = {name: value for name, value in chosen.items() if value is not None}
        if new:
            update_task(task, user=user, **new)
        mode = _mode_of(task, place, is_chosen=bool(permission_mode))
        run = _create_run(task, text, place, mode, user, attachments)
        hooks.usage_changed(run)
        Task.objects.filter(pk=task.pk).update(
            status=Task.Status.QUEUED,
            archived_at=None,
            rank=Task.rank_at_end(Task.Status.QUEUED),
            updated_at=timezone.now(),
        )
        dispatch.start_after_commit(task.workspace_id)
        doorbell.ring(f"task:{task.pk}", "queue")
    task.refresh_from_db()
    run.refresh_from_db()
    return run


def _mode_of(task: Task, place: ForkPlace, *, is_chosen: bool) -> str:
    """Return the permission mode of a new run. Raises Refused if the CLI does not have it."""
    continued = modes.run_of_session(task, "" if place.anchor else place.session)
    mode = modes.mode_of(task) if is_chosen else modes.mode_of_next(task, continued)
    if problem := permission_modes.problem_of_cli(task.backend, mode):
        raise Refused(problem, "Choose other permissions for this task.")
    return mode


def cancel_task(task: Task) -> Run | None:
    """Cancel the task's live run and return it; return None if there is none."""
    run = live_run(task)
    if run is None:
        return None
    reason = "Cancelled before it started."
    if endings.end_here(
        run, state="cancelled", code="cancelled", reason=reason, expected=(Run.State.QUEUED,)
    ):
        run.refresh_from_db()
        return run
    if Run.objects.filter(pk=run.pk, cancel_requested_at=None).update(cancel_requested_at=timezone.now()):
        rows = Run.objects.filter(pk=run.pk)
        leases.enqueue_once(rows, jobs.cancel_run, run.pk, even_if_queued=True)
        doorbell.ring(f"task:{task.pk}")
    run.refresh_from_db()
    return run


def unqueue(task: Task) -> None:
    """Take a queued run off the queue. The card returns to Review after earlier runs, else to Backlog."""
    run = task.runs.filter(state=Run.State.QUEUED).first()
    values = {
        "state": Run.State.CANCELLED,
        "reason_code": "cancelled",
        "reason": "Removed from the queue before it started.",
    }
    with transaction.atomic():
        if run is None or not run.change((Run.State.QUEUED,), **values, finished_at=timezone.now()):
            raise Refused("The run has started already.", "Cancel it if it should stop.")
        status = Task.Status.REVIEW if run.number > 1 else Task.Status.BACKLOG
        Task.objects.filter(pk=task.pk).update(status=status, updated_at=timezone.now())
        doorbell.ring(f"task:{task.pk}")
    task.refresh_from_db()


def start_anyway(task: Task) -> None:
    """Let the queued run start although the task's predecessors are not done."""
    require(task, TaskVerb.START_ANYWAY)
    runs = Run.objects.filter(task=task, state=Run.State.QUEUED, starts_anyway=False)
    with transaction.atomic():
        if not runs.update(starts_anyway=True):
            raise Refused("The run has started already.")
        dispatch.start_after_commit(task.workspace_id)
        doorbell.ring(f"task:{task.pk}", "queue")


def try_login_again(hold: BackendHold) -> None:
    """Let the next queued run test now whether the login works."""
    hold.next_probe_at = None
    hold.save(update_fields=["next_probe_at"])
    for workspace in Workspace.objects.filter(tasks__runs__state=Run.State.QUEUED).distinct():
        dispatch.start_after_commit(workspace.pk)


def _session_to_resume(task: Task) -> str:
    run = modes.continued_run(task)
    if run is None:
        raise Refused("There is no session to continue.", "Run the task without continuing a session.")
    return run.cli_session


def _progress_of(task: Task, place: ForkPlace) -> list[dict[str, str]]:
    """Return the agent's list as the resumed session has left it: it goes on with it unless it was done."""
    if not place.session or place.anchor:
        return []
    last = task.runs.filter(cli_session=place.session).order_by("-number").first()
    return last.progress if last and last.steps_done < len(last.progress) else []


def _create_run(
    task: Task,
    prompt: str,
    place: ForkPlace,
    mode: str,
    user: AbstractBaseUser | None,
    attachments: Sequence[int],
) -> Run:
    number = (task.runs.aggregate(last=Max("number"))["last"] or 0) + 1
    try:
        with transaction.atomic():
            return Run.objects.create(
                task=task,
                kind=task.kind,
                number=number,
                backend=task.backend,
                model=task.model,
                reasoning_effort=task.reasoning_effort,
                permission_mode=mode,
                task_mode=modes.mode_of(task),
                prompt=prompt,
                attachments=list(attachments),
                resumes=place.session,
                fork_at=place.anchor,
                fork_before=place.before,
                progress=_progress_of(task, place),
                asked_by_id=user.pk if user else None,
            )
    except IntegrityError as error:
        raise Refused(
            "This task is already queued or running.", "Another user has just queued it."
        ) from error

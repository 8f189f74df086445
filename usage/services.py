"""Changes that users make: resume a task at the reset, set a budget, lift it for today."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from tasks.models import Run, Task
from tasks.runs import dispatch
from tasks.runs import services as run_services
from tasks.verbs import TaskFacts, TaskVerb, require
from usage import admission
from usage.models import Budget, Postponed
from workspaces.models import Workspace

CONTINUE_PROMPT = "The plan limit that ended your last turn has been reset. Continue where you stopped."


def resume_at_reset(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Queue a follow-up that starts when the plan limit resets. It can be unqueued like any queued run.

    Raises Refused if the task's last run was not ended by a limit.
    """
    require(task, TaskVerb.RESUME_AT_RESET)
    ended = cast(Run, TaskFacts(task).begun_run)
    resumes = bool(ended.cli_session)
    with transaction.atomic():
        run = run_services.queue_run(
            task,
            user=user,
            prompt=CONTINUE_PROMPT if resumes else ended.prompt,
            resume=resumes,
            attachments=[] if resumes else ended.attachments,
        )
        Postponed.objects.create(run=run, not_before=ended.limit_resets_at or timezone.now())
    run.refresh_from_db()
    return run


def save_budget(budget: Budget) -> None:
    """Save a budget and start the queued runs that it allows."""
    budget.full_clean()
    budget.save()
    _dispatch(budget.workspace)


def lift_for_today(workspace: Workspace) -> datetime:
    """Lift the budget until the day ends in the budget's time zone, and return that time."""
    budget, _ = Budget.objects.get_or_create(workspace=workspace)
    now = timezone.now()
    budget.lifted_until = datetime.fromtimestamp(admission.day(budget, now).end * 60, now.tzinfo)
    budget.save(update_fields=["lifted_until"])
    _dispatch(workspace)
    return budget.lifted_until


def hold_again(workspace: Workspace) -> None:
    """Undo `lift_for_today`."""
    Budget.objects.filter(workspace=workspace).update(lifted_until=None)
    _dispatch(workspace)


def _dispatch(workspace: Workspace) -> None:
    dispatch.start_after_commit(workspace.pk)
    doorbell.ring("board", "queue")

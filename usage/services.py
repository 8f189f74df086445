"""What a person can do about usage: go on at the reset, set a budget, lift it for today."""

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

GO_ON = "The plan's limit, which ended your last turn, is reset. Go on where you stopped."


def resume_at_reset(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Queue a follow-up that starts in the minute of the reset; it can be taken back like any queued run."""
    require(task, TaskVerb.RESUME_AT_RESET)
    ended = cast(Run, TaskFacts(task).begun_run)
    resumes = bool(ended.cli_session)
    with transaction.atomic():
        run = run_services.queue_run(
            task, user=user, prompt=GO_ON if resumes else ended.prompt, resume=resumes
        )
        Postponed.objects.create(run=run, not_before=ended.limit_resets_at or timezone.now())
    run.refresh_from_db()
    return run


def save_budget(budget: Budget) -> None:
    """Take it over; what waits is looked at again."""
    budget.full_clean()
    budget.save()
    _look_again(budget.workspace)


def lift_for_today(workspace: Workspace) -> datetime:
    """Let budgets hold nothing until the day ends where the budget's owner lives."""
    budget, _ = Budget.objects.get_or_create(workspace=workspace)
    now = timezone.now()
    budget.lifted_until = datetime.fromtimestamp(admission.day(budget, now).end * 60, now.tzinfo)
    budget.save(update_fields=["lifted_until"])
    _look_again(workspace)
    return budget.lifted_until


def hold_again(workspace: Workspace) -> None:
    """Take the lift back."""
    Budget.objects.filter(workspace=workspace).update(lifted_until=None)
    _look_again(workspace)


def _look_again(workspace: Workspace) -> None:
    dispatch.start_after_commit(workspace.pk)
    doorbell.ring("board", "queue")

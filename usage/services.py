"""What a person can do about usage: go on at the reset, set a budget, lift it for today."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import Run, Task
from tasks.runs import dispatch
from tasks.runs import services as run_services
from usage import admission
from usage.models import Budget, Postponed
from workspaces.models import Workspace

GO_ON = "The plan's limit, which ended your last turn, is reset. Go on where you stopped."


def resumable(task: Task) -> Run | None:
    """The run that a limit ended, if it is the last one that began and its reset is known."""
    taken_back = {"state": Run.State.CANCELLED, "started_at": None}
    run = task.runs.exclude(**taken_back).order_by("-number").first()
    if run is None or run.state != Run.State.FAILED or run.reason_code != "limit":
        return None
    return run if run.limit_resets_at else None


def resume_at_reset(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Queue a follow-up that starts in the minute of the reset; it can be taken back like any queued run."""
    ended = resumable(task)
    if ended is None or ended.limit_resets_at is None:
        raise Refused("No limit with a known reset has ended the last run.", "Run it again by hand.")
    resumes = bool(ended.cli_session)
    with transaction.atomic():
        run = run_services.queue_run(
            task, user=user, prompt=GO_ON if resumes else ended.prompt, resume=resumes
        )
        Postponed.objects.create(run=run, not_before=ended.limit_resets_at)
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
    dispatch.soon(workspace.pk)
    doorbell.ring("board", "queue")

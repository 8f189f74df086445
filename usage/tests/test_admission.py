"""What keeps queued runs back: budgets, a full plan, a reset that is still to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tasks.models import Run, Task
from tasks.runs import dispatch
from tasks.tests.factories import make_run, make_task, make_workspace
from usage import admission, limits, services
from usage.models import Budget, LimitReading, Postponed
from usage.tests.rows import used
from workspaces.hostkit.wire import PlanWindow
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def queued(workspace: Workspace) -> Run:
    return make_run(task=make_task(workspace=workspace, status="queued"))


def reason(run: Run) -> str:
    dispatch.start_queued(run.task.workspace_id)
    run.refresh_from_db()
    return run.reason if run.state == Run.State.QUEUED else "started"


def spend(workspace: Workspace, when: datetime | None = None, usd: str = "3") -> None:
    task = make_task(workspace=workspace)
    used(task, cost_usd=Decimal(usd), queued_at=when or timezone.now())


def fill(workspace: Workspace, percent: float, hours: float = 2, backend: str = "claude_code") -> None:
    resets = (timezone.now() + timedelta(hours=hours)).isoformat()
    windows: list[PlanWindow] = [{"window": "five_hour", "used_percent": percent, "resets_at": resets}]
    source = limits.source_for(workspace, backend)
    limits.store(source, windows, timezone.now(), LimitReading.Origin.RUN)


def test_without_a_budget_it_starts(queued: Run) -> None:
    assert reason(queued) == "started"


def test_a_used_up_day_holds_and_says_until_when(workspace: Workspace, queued: Run) -> None:
    spend(workspace)
    Budget.objects.create(workspace=workspace, day_usd=3)
    assert reason(queued).startswith("Held: the budget is used up ($3.00 of $3.00 today)")


def test_what_was_used_yesterday_does_not_count_today(workspace: Workspace, queued: Run) -> None:
    spend(workspace, timezone.now() - timedelta(days=1, minutes=1))
    Budget.objects.create(workspace=workspace, day_usd=3)
    assert reason(queued) == "started"


def test_tokens_count_as_well(workspace: Workspace, queued: Run) -> None:
    spend(workspace)
    Budget.objects.create(workspace=workspace, month_tokens=370)
    assert "370 of 370 tokens this month" in reason(queued)


def test_other_workspaces_do_not_use_the_budget(workspace: Workspace, queued: Run) -> None:
    spend(make_workspace())
    Budget.objects.create(workspace=workspace, day_usd=3)
    assert reason(queued) == "started"


def test_a_lift_holds_for_today_and_can_be_taken_back(workspace: Workspace, queued: Run) -> None:
    spend(workspace)
    Budget.objects.create(workspace=workspace, day_usd=3)
    until = services.lift_for_today(workspace)
    assert timezone.now() < until <= timezone.now() + timedelta(days=1)
    services.hold_again(workspace)
    assert reason(queued).startswith("Held")
    services.lift_for_today(workspace)
    assert reason(queued) == "started"


def test_a_budget_warns_before_it_is_used_up(workspace: Workspace) -> None:
    spend(workspace)
    budget = Budget.objects.create(workspace=workspace, day_usd=Decimal("3.5"))
    (spent,) = admission.spending(budget, timezone.now())
    assert spent.warns
    assert spent.percent == 85


def test_tokens_of_unknown_cost_are_told_beside_the_dollars(workspace: Workspace) -> None:
    used(make_task(workspace=workspace), queued_at=timezone.now(), model="own-model")
    budget = Budget.objects.create(workspace=workspace, day_usd=3)
    (spent,) = admission.spending(budget, timezone.now())
    assert spent.words == "$0.00 of $3.00 today, and 370 tokens of unknown cost"


def test_the_budgets_day_is_that_of_its_zone(workspace: Workspace) -> None:
    spend(workspace, datetime(2026, 9, 10, 22, 30, tzinfo=UTC))
    budget = Budget.objects.create(workspace=workspace, day_usd=3, zone="Europe/Berlin")
    assert admission.spending(budget, datetime(2026, 9, 10, 22, 40, tzinfo=UTC))[0].used == 3
    assert admission.spending(budget, datetime(2026, 9, 10, 21, 40, tzinfo=UTC))[0].used == 0


def test_a_full_plan_holds_new_starts_of_its_cli_only(workspace: Workspace, queued: Run) -> None:
    fill(workspace, 91)
    Budget.objects.create(workspace=workspace, hold_above_percent=90)
    assert "“5 hours” is 91 % used" in reason(queued)
    assert "until it resets at" in reason(queued)
    other = make_run(task=make_task(workspace=workspace, status="queued", backend="codex"))
    assert reason(other) == "started"


def test_a_plan_that_is_just_as_full_as_allowed_holds_nothing(workspace: Workspace, queued: Run) -> None:
    fill(workspace, 90)
    Budget.objects.create(workspace=workspace, hold_above_percent=90)
    assert reason(queued) == "started"


def test_after_the_reset_it_goes_on_by_itself(workspace: Workspace, queued: Run) -> None:
    fill(workspace, 100, hours=-0.01)
    Budget.objects.create(workspace=workspace, hold_above_percent=90)
    assert reason(queued) == "started"


def test_without_the_switch_a_full_plan_holds_nothing(workspace: Workspace, queued: Run) -> None:
    fill(workspace, 99)
    assert reason(queued) == "started"


def test_a_running_agent_goes_on(workspace: Workspace) -> None:
    going = make_run(task=make_task(workspace=workspace, status="running"), state="running")
    spend(workspace)
    Budget.objects.create(workspace=workspace, day_usd=1, hold_above_percent=1)
    dispatch.start_queued(workspace.pk)
    going.refresh_from_db()
    assert going.state == "running"
    assert going.cancel_requested_at is None


def test_a_postponed_run_starts_in_its_minute(queued: Run) -> None:
    later = Postponed.objects.create(run=queued, not_before=timezone.now() + timedelta(hours=1))
    assert "when the limit resets" in reason(queued)
    later.not_before = timezone.now()
    later.save()
    assert reason(queued) == "started"


def test_a_postponed_run_holds_no_other(workspace: Workspace, queued: Run) -> None:
    Postponed.objects.create(run=queued, not_before=timezone.now() + timedelta(hours=1))
    other = make_run(task=make_task(workspace=workspace, status="queued"))
    assert reason(queued) != "started"
    other.refresh_from_db()
    assert other.state == "starting"


def test_a_limit_without_a_session_begins_anew_at_the_reset(workspace: Workspace) -> None:
    task: Task = make_task(workspace=workspace, status="review")
    reset = timezone.now() + timedelta(hours=1)
    make_run(task=task, state="failed", reason_code="limit", limit_resets_at=reset, prompt="Do that.")
    run = services.resume_at_reset(task, user=None)
    assert (run.prompt, run.resumes, run.state) == ("Do that.", "", "queued")

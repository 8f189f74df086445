"""What runs used, added up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tasks.models import Run, Verdict
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from usage import ledger, queries
from usage.periods import Period
from usage.tests.rows import START, merged, used
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db
UTC_ZONE = ZoneInfo("UTC")
SEPTEMBER = Period(date(2026, 9, 1), date(2026, 9, 30), UTC_ZONE)


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace(owner=make_user())


def report(workspace: Workspace, period: Period = SEPTEMBER) -> queries.UsageReport:
    return queries.report(workspace.owner, period)


def test_nothing_is_no_error(workspace: Workspace) -> None:
    made = report(workspace)
    assert made.is_empty
    assert made.totals.cost is None
    assert len(made.by_day) == 30


def test_one_run_is_in_every_table(workspace: Workspace) -> None:
    used(make_task(workspace=workspace), cost_usd=Decimal("0.25"))
    made = report(workspace)
    for lines in (made.by_workspace, made.by_backend, made.by_model, made.by_task, [made.by_day[0]]):
        assert [line.sums.runs for line in lines] == [1]
        assert lines[0].sums.tokens == 370
        assert lines[0].sums.cost == Decimal("0.25")
    assert made.totals.cost_source == "reported"


def test_what_others_own_is_not_told(workspace: Workspace) -> None:
    used(make_task())
    assert report(workspace).is_empty


def test_each_model_gets_its_share_and_the_sum_is_that_of_the_run(workspace: Workspace) -> None:
    shares = {
        "claude-opus-4-8": {"input_tokens": 6, "output_tokens": 18, "cost_usd": 0.2},
        "claude-haiku-4-5": {"input_tokens": 4, "output_tokens": 2, "cost_usd": 0.0123456},
    }
    used(make_task(workspace=workspace), usage_by_model=shares, cost_usd=Decimal("0.212346"))
    made = report(workspace)
    found = {line.key[1]: line.sums for line in made.by_model}
    assert found["claude-haiku-4-5"].output_tokens == 2
    assert found["claude-haiku-4-5"].cost == Decimal("0.012346")
    assert made.totals.cost == Decimal("0.212346")
    assert (made.totals.runs, made.totals.cache_read_tokens) == (1, 300)


def test_an_unknown_model_has_tokens_and_no_cost(workspace: Workspace) -> None:
    used(make_task(workspace=workspace), model="my-own-model")
    totals = report(workspace).totals
    assert (totals.tokens, totals.cost, totals.unpriced_tokens) == (370, None, 370)


def test_a_cost_that_nobody_reports_is_estimated_at_the_end_and_marked(workspace: Workspace) -> None:
    task = make_task(workspace=workspace, backend="codex")
    going = used(task, model="gpt-5.5", state="running")
    assert going.cost_usd is None
    going.state = Run.State.SUCCEEDED
    ledger.record(going)
    totals = report(workspace).totals
    # 10 in and 40 written at $5, 300 read at $0.5, 20 out at $30 for a million
    assert totals.cost == Decimal("0.001000")
    assert totals.cost_source == going.cost_source == "estimated"
    assert Run.objects.get(pk=going.pk).cost_usd == totals.cost


def test_an_estimate_does_not_take_a_long_run_for_one_long_request(workspace: Workspace) -> None:
    used(make_task(workspace=workspace, backend="codex"), model="gpt-5.5", cache_read_tokens=10_000_000)
    cost = report(workspace).totals.cost
    assert cost is not None
    assert Decimal("5.0") < cost < Decimal("5.1")


def test_cache_writes_for_an_hour_have_their_own_price(workspace: Workspace) -> None:
    share = {"cache_write_tokens": 2_000_000, "cache_write_1h_tokens": 2_000_000}
    amounts = {"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 2_000_000}
    used(make_task(workspace=workspace), usage_by_model={"claude-sonnet-4-5": share}, **amounts)
    assert report(workspace).totals.cost == Decimal("12.0")


def test_the_time_of_a_run_counts_once(workspace: Workspace) -> None:
    shares = {"claude-opus-4-8": {"input_tokens": 6}, "claude-haiku-4-5": {"input_tokens": 4}}
    times = {"started_at": START, "finished_at": START + timedelta(minutes=61)}
    used(make_task(workspace=workspace), usage_by_model=shares, **times)
    totals = report(workspace).totals
    assert (totals.seconds, totals.time) == (3660, "1:01:00")


def test_recording_twice_changes_nothing(workspace: Workspace) -> None:
    run = used(make_task(workspace=workspace), cost_usd=Decimal(1))
    before = report(workspace).totals
    ledger.record(run)
    ledger.catch_up()
    assert report(workspace).totals == before


def test_runs_that_were_never_recorded_are_found(workspace: Workspace) -> None:
    make_run(task=make_task(workspace=workspace), state="succeeded", queued_at=START, input_tokens=7)
    assert ledger.catch_up() == 1
    assert report(workspace).totals.input_tokens == 7


def test_a_deleted_task_leaves_what_it_used(workspace: Workspace) -> None:
    task = make_task(workspace=workspace)
    used(task)
    task.delete()
    made = report(workspace)
    assert made.totals.tokens == 370
    assert made.by_task == []


def test_the_range_before_is_compared(workspace: Workspace) -> None:
    used(make_task(workspace=workspace), queued_at=datetime(2026, 8, 31, 12, tzinfo=UTC))
    made = report(workspace)
    assert (made.totals.runs, made.before.runs) == (0, 1)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", datetime(2026, 9, 10, 23, 59, tzinfo=UTC), 10),
        ("Europe/Berlin", datetime(2026, 9, 10, 21, 59, tzinfo=UTC), 10),
        ("Europe/Berlin", datetime(2026, 9, 10, 22, 0, tzinfo=UTC), 11),
        ("America/Los_Angeles", datetime(2026, 9, 11, 6, 59, tzinfo=UTC), 10),
        ("Asia/Kathmandu", datetime(2026, 9, 10, 18, 15, tzinfo=UTC), 11),
        ("Asia/Kathmandu", datetime(2026, 9, 10, 18, 14, tzinfo=UTC), 10),
    ],
)
def test_a_day_ends_at_the_readers_midnight(
    workspace: Workspace, zone: str, moment: datetime, day: int
) -> None:
    used(make_task(workspace=workspace), queued_at=moment)
    made = report(workspace, Period(date(2026, 9, 1), date(2026, 9, 30), ZoneInfo(zone)))
    assert [line.key.day for line in made.by_day if line.sums.runs] == [day]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 10, 24, 21, 59, tzinfo=UTC), 24),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 25),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), 25),
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), 26),
    ],
)
def test_the_day_on_which_clocks_change_is_longer(workspace: Workspace, moment: datetime, day: int) -> None:
    used(make_task(workspace=workspace), queued_at=moment)
    made = report(workspace, Period(date(2026, 10, 1), date(2026, 10, 31), ZoneInfo("Europe/Berlin")))
    assert [line.key.day for line in made.by_day if line.sums.runs] == [day]


def test_a_range_includes_its_last_day_and_nothing_after(workspace: Workspace) -> None:
    for moment in (datetime(2026, 9, 1), datetime(2026, 9, 30, 23, 59), datetime(2026, 10, 1)):
        used(make_task(workspace=workspace), queued_at=moment.replace(tzinfo=UTC))
    assert report(workspace).totals.runs == 2


def test_a_merged_task_cost_all_its_runs_also_those_before_the_range(workspace: Workspace) -> None:
    task = merged(make_task(workspace=workspace), datetime(2026, 9, 3, tzinfo=UTC))
    used(task, cost_usd=Decimal(1), queued_at=datetime(2026, 8, 20, tzinfo=UTC))
    used(task, number=2, cost_usd=Decimal("0.5"), queued_at=datetime(2026, 9, 2, tzinfo=UTC))
    made = report(workspace)
    (line,) = made.merged.costliest
    assert (line.key, line.sums.runs, line.sums.cost) == (task.pk, 2, Decimal("1.5"))
    assert made.merged.cost_per_task == Decimal("1.5")
    assert made.totals.cost == Decimal("0.5")


def test_the_costliest_merged_task_is_first_and_one_without_a_price_last(workspace: Workspace) -> None:
    unknown, cheap, dear = (merged(make_task(workspace=workspace)) for _ in range(3))
    used(unknown, model="my-own-model")
    used(cheap, cost_usd=Decimal(1))
    used(dear, cost_usd=Decimal(2))
    made = report(workspace).merged
    assert [line.key for line in made.costliest] == [dear.pk, cheap.pk, unknown.pk]
    assert (made.count, made.unpriced, made.cost_per_task) == (3, 1, Decimal("1.5"))


def test_only_what_was_merged_on_these_days_of_the_reader_counts(workspace: Workspace) -> None:
    late = merged(make_task(workspace=workspace), datetime(2026, 9, 30, 22, 30, tzinfo=UTC))
    dropped = make_task(workspace=workspace)
    Verdict.objects.create(task=dropped, kind=Verdict.Kind.DROPPED, at=START)
    for task in (late, dropped, merged(make_task())):
        used(task, cost_usd=Decimal(1))
    berlin = Period(SEPTEMBER.first, SEPTEMBER.last, ZoneInfo("Europe/Berlin"))
    assert [line.key for line in report(workspace).merged.costliest] == [late.pk]
    assert report(workspace, berlin).merged.count == 0


def test_a_running_agent_counts_until_now(workspace: Workspace) -> None:
    now = timezone.now()
    today = Period(now.date(), now.date(), UTC_ZONE)
    task = make_task(workspace=workspace)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    started = max(midnight, now - timedelta(minutes=30))
    used(task, state="running", queued_at=started, started_at=started, finished_at=None)
    elapsed = (now - started).total_seconds()
    made = report(workspace, today)
    for sums in (made.totals, made.by_day[0].sums, made.by_model[0].sums, made.by_task[0].sums):
        assert sums.seconds == pytest.approx(elapsed, abs=30)
        assert sums.runs == 1


def test_a_queued_run_and_one_of_another_day_add_no_time(workspace: Workspace) -> None:
    now = timezone.now()
    used(make_task(workspace=workspace), state="queued", queued_at=now)
    old = now - timedelta(days=3)
    used(make_task(workspace=workspace), state="running", queued_at=old, started_at=old)
    assert report(workspace, Period(now.date(), now.date(), UTC_ZONE)).totals.seconds == 0

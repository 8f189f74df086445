"""Readings of plans: kept once, with their age, asked for rarely, and where they lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from tasks.runs.follower.store import save_events
from tasks.tests.factories import make_run, make_task, make_workspace
from usage import jobs, limits
from usage.forecast import forecast
from usage.models import LimitReading, PlanSource
from workspaces.hosts import HostError
from workspaces.models import Workspace

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
RESET = NOW + timedelta(hours=3)


@dataclass
class Reading:
    used_percent: float | None
    at: datetime
    resets_at: datetime | None = RESET


def climb(*percents: float, minutes: int = 30) -> list[Reading]:
    start = NOW - timedelta(minutes=minutes * (len(percents) - 1))
    return [Reading(each, start + timedelta(minutes=minutes * place)) for place, each in enumerate(percents)]


class TestPace:
    def test_a_window_that_fills_before_its_reset_tells_when(self) -> None:
        found = forecast(climb(40, 50, 60), NOW)
        assert found is not None
        assert found.percent_per_hour == 20
        assert found.full_at == NOW + timedelta(hours=2)

    def test_one_that_lasts_until_its_reset_is_never_full(self) -> None:
        found = forecast(climb(40, 42, 44), NOW)
        assert found is not None
        assert found.full_at is None

    @pytest.mark.parametrize(
        "readings",
        [
            [],
            climb(40),
            climb(40, 40, 40),
            climb(40, 60, minutes=2),
            [Reading(90, NOW - timedelta(hours=4)), Reading(95, NOW - timedelta(hours=2))],
            climb(60, 80, 100),
            [Reading(None, NOW - timedelta(hours=1)), Reading(95, NOW)],
        ],
    )
    def test_too_little_is_no_forecast(self, readings: list[Reading]) -> None:
        assert forecast(readings, NOW) is None

    def test_what_is_full_by_now_is_not_full_in_the_past(self) -> None:
        found = forecast([Reading(20, NOW - timedelta(hours=2)), Reading(99, NOW - timedelta(hours=1))], NOW)
        assert found is not None
        assert found.full_at == NOW

    def test_a_new_window_forgets_the_old_one(self) -> None:
        assert forecast([*climb(80, 90, 100), Reading(1, NOW, RESET + timedelta(hours=5))], NOW) is None

    def test_a_reset_that_wobbles_by_seconds_is_the_same_window(self) -> None:
        readings = climb(40, 50, 60)
        readings[1].resets_at = RESET + timedelta(seconds=40)
        assert forecast(readings, NOW) is not None


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_workspace()


def limit_line(seq: int, percent: float, at: datetime = NOW) -> dict[str, Any]:
    window = {"window": "five_hour", "used_percent": percent, "resets_at": RESET.isoformat()}
    return {"seq": seq, "kind": "limit", "at": at.isoformat(), "status": "warning", "windows": [window]}


def test_a_run_tells_how_full_the_plan_is(workspace: Workspace) -> None:
    run = make_run(task=make_task(workspace=workspace), state="running", started_at=NOW)
    save_events(run.pk, [limit_line(1, 91.0)], start=0, end=10)
    reading = LimitReading.objects.get()
    assert (reading.used_percent, reading.origin, reading.at) == (91.0, "run", NOW)
    assert reading.source == limits.source_for(workspace, "claude_code")


def test_the_same_event_again_adds_nothing(workspace: Workspace) -> None:
    source = limits.source_for(workspace, "codex")
    for _ in range(2):
        limits.store(source, limit_line(1, 50)["windows"], NOW, LimitReading.Origin.RUN)
    assert LimitReading.objects.count() == 1


def test_old_readings_go_but_never_the_last_one(workspace: Workspace) -> None:
    source = limits.source_for(workspace, "codex")
    for days in (30, 20):
        moment = timezone.now() - timedelta(days=days)
        limits.store(source, limit_line(1, days)["windows"], moment, LimitReading.Origin.ASKED)
    limits.prune()
    assert LimitReading.objects.get().used_percent == 20


class FakeHost:
    """A host whose CLIs answer what a test says."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    def call(self, _verb: str, _params: Any, *, timeout: float) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    windows = [{"window": "five_hour", "used_percent": 12.0, "resets_at": RESET.isoformat()}]
    answer = {
        "claude_code": {"path": "/bin/claude", "account": "max", "windows": windows, "error": None},
        "codex": {"path": None, "account": "", "windows": [], "error": "codex is not installed."},
    }
    fake = FakeHost(answer)
    monkeypatch.setattr("usage.jobs.hosts.get", lambda _address: fake)
    return fake


def later(minutes: int) -> None:
    for source in PlanSource.objects.all():
        source.asked_at = timezone.now() - timedelta(minutes=minutes)
        source.save()


def test_asking_keeps_what_is_said(workspace: Workspace, host: FakeHost) -> None:
    assert jobs.ask(workspace.pk)
    source = PlanSource.objects.get(backend="claude_code")
    assert (source.account, source.error) == ("max", "")
    assert source.readings.get().used_percent == 12.0
    assert not PlanSource.objects.get(backend="codex").present


def test_nobody_asks_twice_within_five_minutes(workspace: Workspace, host: FakeHost) -> None:
    jobs.ask(workspace.pk)
    assert not jobs.ask(workspace.pk)
    later(minutes=4)
    assert not jobs.ask(workspace.pk)
    later(minutes=5)
    assert jobs.ask(workspace.pk)
    assert host.asked == 2


def test_a_failure_keeps_the_last_value_and_says_why(workspace: Workspace, host: FakeHost) -> None:
    jobs.ask(workspace.pk)
    later(minutes=6)
    host.answer = HostError("cloud can't be reached.", hint="", code="unreachable")
    jobs.ask(workspace.pk)
    source = PlanSource.objects.get(backend="claude_code")
    assert "can't be reached" in source.error
    assert limits.windows_of([source])[0].reading.used_percent == 12.0
    assert source.answered_at is not None


def test_a_cli_that_tells_nothing_any_more_keeps_the_last_value(workspace: Workspace, host: FakeHost) -> None:
    jobs.ask(workspace.pk)
    later(minutes=6)
    host.answer["claude_code"] = {"path": "/bin/claude", "error": "claude did not answer."}
    jobs.ask(workspace.pk)
    source = PlanSource.objects.get(backend="claude_code")
    assert source.error == "claude did not answer."
    assert source.readings.count() == 1


def test_a_login_that_became_a_key_is_no_subscription_any_more(workspace: Workspace, host: FakeHost) -> None:
    jobs.ask(workspace.pk)
    later(minutes=6)
    host.answer["claude_code"] = {
        "path": "/bin/claude",
        "error": "There are no plan limits.",
        "has_plan": False,
    }
    jobs.ask(workspace.pk)
    assert PlanSource.objects.get(backend="claude_code").account == ""


def test_what_was_read_off_the_screen_says_so(workspace: Workspace, host: FakeHost) -> None:
    host.answer["claude_code"]["way"] = "screen"
    jobs.ask(workspace.pk)
    assert LimitReading.objects.get().origin == LimitReading.Origin.SCREEN


def test_the_schedule_exists_once(db: None) -> None:
    from django_q.models import Schedule

    migration = import_module("usage.migrations.0010_plan_limits")
    for _ in range(2):
        migration.add(apps, None)
    assert Schedule.objects.filter(func="usage.jobs.ask_all").count() == 1

"""When a user was away, and what the app tells about that time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.conversation import attendance
from tasks.models import Attendance, Run, StartReport, Verdict
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send
from usage import ledger
from usage.models import UsageByModel
from workspaces.hosts import HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host, LinkGap

pytestmark = pytest.mark.django_db
AWAY = HostError("The network is down.", code="unreachable")


def left(people: People, **ago: float) -> datetime:
    """Let the owner have been here last so long ago."""
    at = timezone.now() - timedelta(**ago)
    Attendance.objects.update_or_create(user=people.owner, defaults={"active_at": at})
    return at


def told(people: People) -> attendance.Absence:
    found = attendance.absence_of(people.owner)
    assert found is not None
    return found


def ended(people: People, state: str = "succeeded", hours_ago: float = 1, **fields: Any) -> Run:
    at = timezone.now() - timedelta(hours=hours_ago)
    task = make_task(workspace=people.workspace, status="review")
    return make_run(task=task, state=state, started_at=at, finished_at=at, **fields)


class TestPresence:
    def test_the_first_visit_is_no_return(self, people: People) -> None:
        people.browser("owner").get("/")
        assert attendance.absence_of(people.owner) is None

    @pytest.mark.parametrize(("minutes", "is_absence"), [(29, False), (31, True)])
    def test_half_an_hour_without_a_visible_page_is_an_absence(
        self, people: People, minutes: int, is_absence: bool
    ) -> None:
        start = left(people, minutes=minutes)
        assert attendance.note(people.owner) is is_absence
        found = attendance.absence_of(people.owner)
        assert (found.start if found else None) == (start if is_absence else None)

    def test_being_here_is_written_once_a_minute_at_most(self, people: People) -> None:
        left(people, seconds=30)
        with CaptureQueriesContext(connection) as made:
            attendance.note(people.owner)
        assert [query for query in made.captured_queries if "UPDATE" in query["sql"]] == []

    def test_an_old_absence_is_not_shown_any_more(self, people: People) -> None:
        left(people, hours=3)
        attendance.note(people.owner)
        Attendance.objects.update(away_until=timezone.now() - timedelta(hours=25))
        assert attendance.absence_of(people.owner) is None

    def test_each_user_has_an_own_absence(self, people: People) -> None:
        left(people, hours=3)
        people.browser("member").get("/")
        assert attendance.absence_of(people.member) is None


class TestWhatHappened:
    def test_it_is_shown_in_the_inbox_and_in_one_line_on_the_board_until_it_is_dismissed(
        self, people: People
    ) -> None:
        left(people, hours=8)
        run, broken = ended(people), ended(people, "failed")
        Verdict.objects.create(task=make_task(workspace=people.workspace), kind="merged", at=timezone.now())
        browser = people.browser("owner")
        assert "1 finished" in (board := browser.get("/").content.decode())
        assert "1 failed" in board
        inbox = browser.get("/inbox").content.decode()
        assert run.task.title in inbox
        assert broken.task.title in inbox
        assert send(browser, "/inbox/since/dismiss").status_code == 204
        assert "Since you left" not in browser.get("/").content.decode()
        assert "Since you left" not in browser.get("/inbox").content.decode()

    def test_an_absence_in_which_nothing_happened_is_told_in_the_inbox_only(self, people: People) -> None:
        left(people, hours=8)
        browser = people.browser("owner")
        assert "Since you left" not in browser.get("/").content.decode()
        assert "Nothing has finished" in browser.get("/inbox").content.decode()

    def test_only_what_ended_in_that_time_counts(self, people: People) -> None:
        left(people, hours=8)
        ended(people, hours_ago=9)
        ended(people, hours_ago=7)
        unqueued = ended(people, "cancelled")
        Run.objects.filter(pk=unqueued.pk).update(started_at=None)
        attendance.note(people.owner)
        ended(people, hours_ago=-0.1)
        assert told(people).run_count == 1

    def test_workspaces_of_others_do_not_count(self, people: People) -> None:
        left(people, hours=8)
        make_run(state="succeeded", finished_at=timezone.now() - timedelta(hours=1))
        attendance.note(people.owner)
        assert told(people).is_empty

    def test_the_cost_is_that_of_usage_to_the_cent(self, people: People) -> None:
        left(people, hours=8)
        costs = [Decimal("0.1"), Decimal("0.2"), Decimal("1.000001"), None]
        for state, cost in zip(("succeeded", "failed", "cancelled", "succeeded"), costs, strict=True):
            source = None if cost is None else "reported"
            run = ended(people, state, cost_usd=cost, cost_source=source, output_tokens=9, model="unheard-of")
            ledger.record(run)
        attendance.note(people.owner)
        found = told(people)
        micro = UsageByModel.objects.filter(run__in=found.runs).aggregate(sum=Sum("cost_micro"))["sum"]
        assert found.cost == Decimal(micro) / 1_000_000 == Decimal("1.300001")
        assert found.unpriced == 1

    def test_many_are_counted_and_the_last_ones_named(self, people: People) -> None:
        left(people, hours=20)
        runs = [ended(people, hours_ago=hours) for hours in range(1, 10)]
        attendance.note(people.owner)
        found = told(people).finished
        assert found.count == 9
        assert [task.pk for task in found.named] == [run.task_id for run in runs[: attendance.NAMED]]

    def test_its_statements_do_not_grow(self, people: People) -> None:
        def statements() -> int:
            left(people, hours=20)
            attendance.note(people.owner)
            with CaptureQueriesContext(connection) as made:
                people.browser("owner").get("/inbox/since")
            return len(made)

        ended(people)
        few = statements()
        for _ in range(8):
            ended(people)
        assert statements() == few


class TestLinks:
    def test_a_lost_link_is_told_from_when_to_when(self, people: People) -> None:
        left(people, hours=2)
        host = people.workspace.host
        note_up(host)
        note_down(host, AWAY)
        note_down(host, HostError("Still down.", code="unreachable"))
        note_up(host)
        note_up(host)
        attendance.note(people.owner)
        (gap,) = told(people).gaps
        assert gap.end is not None
        assert gap.start < gap.end
        assert "No link" in people.browser("owner").get("/inbox").content.decode()

    def test_a_link_that_is_still_lost_has_no_end(self, people: People) -> None:
        left(people, hours=2)
        note_up(people.workspace.host)
        note_down(people.workspace.host, AWAY)
        attendance.note(people.owner)
        assert [gap.end for gap in told(people).gaps] == [None]

    def test_a_host_that_never_answered_has_lost_no_link(self) -> None:
        note_down(Host.objects.create(key="ssh:new", kind="ssh"), AWAY)
        assert not LinkGap.objects.exists()

    def test_hosts_of_others_and_gaps_of_before_are_left_out(self, people: People) -> None:
        now, other = timezone.now(), Host.objects.create(key="ssh:other", kind="ssh")
        LinkGap.objects.create(host=other, lost_at=now - timedelta(hours=1))
        before = now - timedelta(hours=5)
        LinkGap.objects.create(host=people.workspace.host, lost_at=before, back_at=before)
        left(people, hours=2)
        attendance.note(people.owner)
        assert told(people).gaps == []

    def test_only_the_newest_gaps_of_a_host_are_kept(self) -> None:
        host = Host.objects.create(key="ssh:shaky", kind="ssh")
        start = timezone.now() - timedelta(days=1)
        LinkGap.objects.bulk_create(
            LinkGap(host=host, lost_at=start, back_at=start) for _ in range(LinkGap.KEPT)
        )
        note_up(host)
        note_down(host, AWAY)
        assert LinkGap.objects.count() == LinkGap.KEPT
        assert LinkGap.objects.filter(back_at=None).count() == 1

    def test_the_sleep_of_this_machine_is_told(self, people: People) -> None:
        left(people, hours=3)
        slept = timezone.now() - timedelta(hours=2)
        StartReport.objects.create(runs=[1], asleep_since=slept, at=slept + timedelta(hours=1))
        attendance.note(people.owner)
        assert [gap.host for gap in told(people).gaps] == [""]
        assert "this machine was asleep" in people.browser("owner").get("/inbox").content.decode()

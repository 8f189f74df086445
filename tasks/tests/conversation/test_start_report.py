"""What people read after a start of the app."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.board import queries
from tasks.models import Run, StartReport
from tasks.runs import restart_report
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send
from workspaces.models import Host

pytestmark = pytest.mark.django_db


class TestReport:
    def test_it_tells_what_went_on_ended_and_is_gone(self, people: People) -> None:
        made = {
            state: make_run(task=make_task(workspace=people.workspace, title=f"the {state} one"), state=state)
            for state in ("running", "waiting", "starting")
        }
        restart_report.note_start()
        before = StartReport.objects.get().at
        Run.objects.filter(pk=made["waiting"].pk).update(state="succeeded", finished_at=before)
        Run.objects.filter(pk=made["starting"].pk).update(state="lost", finished_at=before)
        browser = people.browser("member")
        page = browser.get("/").content.decode()
        assert "1 run kept running" in page
        assert "1 run ended" in page
        assert "1 run lost" in page
        send(browser, f"/reports/{StartReport.objects.get().pk}/dismiss")
        assert "The app was restarted" not in browser.get("/").content.decode()

    def test_nothing_is_said_when_nothing_was_going_on(self, people: People) -> None:
        restart_report.note_start()
        assert not StartReport.objects.exists()

    def test_many_runs_are_counted_and_the_first_ones_named(self, people: People) -> None:
        for number in range(7):
            make_run(task=make_task(workspace=people.workspace, title=f"number {number}"), state="running")
        restart_report.note_start()
        page = people.browser("owner").get("/").content.decode()
        assert "7 runs kept running" in page
        assert "and 3 more" in page

    @pytest.mark.parametrize(
        ("owner", "told"), [("", 1), ("elsewhere:1", 0), (f"{socket.gethostname()[:40]}:999999999", 1)]
    )
    def test_a_follower_tells_of_its_start_unless_another_one_is_at_work(
        self, people: People, run: Run, owner: str, told: int
    ) -> None:
        until = timezone.now() + timedelta(seconds=5)
        Host.objects.create(key="ssh:cloud", kind="ssh", lease_owner=owner, lease_until=until)
        restart_report.note_follower()
        assert StartReport.objects.count() == told

    def test_an_open_board_hears_of_it(self, people: People, run: Run) -> None:
        before = queries.board(people.owner).version, queries.notices()
        restart_report.note_start()
        assert before[0] != queries.board(people.owner).version
        assert before[1] != queries.notices()

    def test_strangers_read_nothing_of_it(self, people: People, run: Run) -> None:
        restart_report.note_start()
        assert "was restarted" not in people.browser("stranger").get("/").content.decode()

"""What a page is told of that has happened since it last heard of something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tasks.conversation import notifications
from tasks.conversation.consumers import AttentionConsumer
from tasks.models import Attention, Run
from tasks.runs import cli_holds
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People
from workspaces.models import InstalledCli
from workspaces.trials import services

pytestmark = pytest.mark.django_db


def news(user: User, after: int | None) -> list[str]:
    """The kinds of what a page is told that heard of `after` last."""
    consumer: Any = AttentionConsumer()
    consumer.user, consumer.seen, consumer.count = user, after, -1
    return [each["kind"] for each in consumer.read()[1]]


def test_a_new_page_is_told_nothing_and_one_that_was_cut_off_what_it_missed(people: People, run: Run) -> None:
    heard = Attention.objects.create(run=run, kind="finished")
    Attention.objects.create(run=run, kind="failed")
    Attention.objects.create(run=run, kind="needs_you", subject="r1")
    assert news(people.owner, None) == []
    assert news(people.owner, heard.pk) == ["failed", "needs_you"]


def test_what_was_answered_meanwhile_or_is_long_ago_is_no_news(people: People, run: Run) -> None:
    Attention.objects.create(run=run, kind="needs_you", subject="answered")
    Attention.objects.create(run=run, kind="failed", at=timezone.now() - timedelta(hours=2))
    assert news(people.owner, 0) == []


def test_a_page_that_heard_more_in_another_installation_begins_anew(people: People, run: Run) -> None:
    consumer: Any = AttentionConsumer()
    consumer.user, consumer.seen, consumer.count = people.owner, 10**9, -1
    consumer.read()
    Attention.objects.create(run=run, kind="failed")
    assert [each["kind"] for each in consumer.read()[1]] == ["failed"]


class TestHeldClis:
    def test_runs_that_wait_for_a_held_cli_are_told_once_per_workspace(self, people: People) -> None:
        runs = [make_run(task=make_task(workspace=people.task.workspace), state="queued") for _ in range(2)]
        hold(people)
        for _ in range(2):
            cli_holds.repair()
        told = Attention.objects.get()
        assert (told.run, told.kind) == (runs[0], "needs_you")
        message = notifications.as_message(told)
        assert message["title"].startswith("A CLI is on hold: ")
        assert (message["body"], message["url"]) == ("Held: It hangs.", "/inbox")

    def test_it_is_over_when_the_run_no_longer_waits(self, people: People) -> None:
        run = make_run(task=make_task(workspace=people.task.workspace), state="queued")
        hold(people)
        cli_holds.repair()
        assert not notifications.is_over(Attention.objects.get())
        Run.objects.filter(pk=run.pk).update(state="running")
        assert notifications.is_over(Attention.objects.get())


def hold(people: People) -> None:
    row = services.row_for(people.task.workspace, "claude_code")
    InstalledCli.objects.filter(pk=row.pk).update(
        state="held", reason="It hangs.", fingerprint="f1", looked_at=timezone.now()
    )

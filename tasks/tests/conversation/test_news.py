"""What a page is told of that has happened since it last heard of something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tasks.conversation.consumers import AttentionConsumer
from tasks.models import Attention, Run
from tasks.tests.people import People

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

"""The admin shows what was recorded; it changes nothing that would then be a lie, and shows no secret."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks.models import Attention, ByHand, Outgoing, PushKey, PushSubscription
from tasks.tests.factories import make_event, make_run, make_task, make_user

pytestmark = pytest.mark.django_db
RECORDS = ("run", "event", "outgoing", "attention", "byhand", "pushkey")
SECRET = "never-to-be-shown"


@pytest.fixture
def client() -> Client:
    browser = Client()
    browser.force_login(make_user("root", is_staff=True, is_superuser=True))
    return browser


@pytest.fixture
def rows() -> dict[str, int]:
    """One row of each model, by its name."""
    run = make_run(task=make_task(title="Paint it"), state="succeeded")
    made = (
        run,
        make_event(run, "text", text="Hello"),
        Outgoing.objects.create(run=run, kind="message", payload={"text": "Say this"}),
        Attention.objects.create(run=run, kind="failed"),
        ByHand.objects.create(task=run.task, run=run, window="by-hand-1"),
        PushKey.objects.create(private=SECRET),
        PushSubscription.objects.create(
            user=make_user(), endpoint=f"https://push.example.org/{SECRET}", p256dh=SECRET, auth=SECRET
        ),
    )
    return {row._meta.model_name or "": row.pk for row in made}


@pytest.mark.parametrize("name", [*RECORDS, "pushsubscription"])
def test_each_is_listed_and_shown_without_secrets(client: Client, rows: dict[str, int], name: str) -> None:
    for path in ("", f"{rows[name]}/change/"):
        page = client.get(f"/admin/tasks/{name}/{path}")
        assert page.status_code == 200
        assert SECRET.encode() not in page.content
        assert b'name="_save"' not in page.content


@pytest.mark.parametrize("name", RECORDS)
def test_none_of_them_is_made_changed_or_removed_there(
    client: Client, rows: dict[str, int], name: str
) -> None:
    pk = rows[name]
    for path in ("add/", f"{pk}/change/", f"{pk}/delete/"):
        assert client.post(f"/admin/tasks/{name}/{path}", {"post": "yes"}).status_code == 403


def test_a_browsers_subscription_is_taken_back(client: Client, rows: dict[str, int]) -> None:
    client.post(f"/admin/tasks/pushsubscription/{rows['pushsubscription']}/delete/", {"post": "yes"})
    assert not PushSubscription.objects.exists()

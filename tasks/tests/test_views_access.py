"""Who may open and do what: owner and member, never a stranger, nobody without a login."""

from __future__ import annotations

import pytest

from tasks.models import Task
from tasks.tests.factories import make_event, make_run, make_user
from tasks.tests.people import People, browser_of, send

pytestmark = pytest.mark.django_db

PAGES = ["", "/attempts", "/events", "/side", "/edit", "/run", "/agent-settings", "/find", "/outline"]
VERBS = ["keep", "run", "cancel", "unqueue", "move", "delete", "edit", "agent-settings/allow", "spotlight"]


@pytest.mark.parametrize("path", ["/", "/board/columns", "/tasks/new", "/tasks/new/fields", "/plan"])
def test_the_board_needs_a_login(path: str) -> None:
    response = browser_of(None).get(path)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("member", 200), ("stranger", 404), ("nobody", 302)]
)
def test_a_task_is_shown_to_those_of_its_workspace(people: People, page: str, who: str, status: int) -> None:
    assert people.browser(who).get(f"/tasks/{people.task.pk}{page}").status_code == status


def test_a_superuser_sees_every_task(people: People) -> None:
    root = browser_of(make_user("root", is_superuser=True))
    assert root.get(f"/tasks/{people.task.pk}").status_code == 200
    assert people.task.title in root.get("/").content.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_a_stranger_can_do_nothing_with_a_task(people: People, verb: str) -> None:
    before = Task.objects.values().get(pk=people.task.pk)
    assert (
        send(people.browser("stranger"), f"/tasks/{people.task.pk}/{verb}", status="done").status_code == 404
    )
    assert Task.objects.values().get(pk=people.task.pk) == before
    assert not people.task.runs.exists()


@pytest.mark.parametrize("verb", ["cancel", "unqueue", "move", "delete"])
def test_verbs_are_not_done_by_following_a_link(people: People, verb: str) -> None:
    assert people.browser("owner").get(f"/tasks/{people.task.pk}/{verb}").status_code == 405
    assert Task.objects.filter(pk=people.task.pk).exists()


def test_the_board_shows_no_card_of_others(people: People) -> None:
    assert people.task.title not in people.browser("stranger").get("/").content.decode()


def test_a_stranger_can_not_choose_the_workspace_of_others(people: People) -> None:
    data = {"text": "Mine", "workspace": people.workspace.pk, "backend": "codex"}
    response = send(people.browser("stranger"), "/tasks/new", **data)
    assert response.status_code == 422
    assert Task.objects.count() == 1


def test_a_whole_event_is_plain_text_for_those_of_the_workspace(people: People) -> None:
    event = make_event(make_run(task=people.task), text="<script>alert(1)</script>")
    path = f"/tasks/{people.task.pk}/events/1.{event.seq}"
    response = people.browser("member").get(path)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.content.decode() == "<script>alert(1)</script>"
    assert people.browser("stranger").get(path).status_code == 404

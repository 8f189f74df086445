"""Several attempts at one prompt, of which one is kept."""

from __future__ import annotations

import pytest
from django.test import Client

from aitask.lib.errors import Refused
from tasks import attempts
from tasks.models import Run, Task, Verdict
from tasks.tests.factories import make_event, make_run, make_task
from tasks.tests.people import People, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


def create(client: Client, people: People, text: str = "Paint the door", **more: object) -> list[Task]:
    data = {"text": text, "workspace": people.workspace.pk, "backend": "claude_code", **more}
    before = set(Task.objects.values_list("pk", flat=True))
    response = send(client, "/tasks/new", **data)
    assert response.status_code == 204, response.content.decode()
    return list(Task.objects.exclude(pk__in=before).order_by("pk"))


def groups(tasks: list[Task]) -> list[tuple[str, int | None]]:
    return [(task.backend, task.attempt) for task in tasks]


def test_one_attempt_is_a_task_as_ever(client: Client, people: People) -> None:
    (task,) = create(client, people)
    assert task.attempt_group is None
    assert "attempt" not in client.get("/").content.decode()


def test_attempts_of_two_clis_share_their_prompt_and_a_group(client: Client, people: People) -> None:
    tasks = create(client, people, attempts=2, also_with="codex", model="opus")
    assert groups(tasks) == [("claude_code", 1), ("claude_code", 2), ("codex", 3), ("codex", 4)]
    assert len({task.attempt_group for task in tasks}) == 1
    assert [task.model for task in tasks] == ["opus", "opus", "", ""]


def test_the_same_cli_twice_makes_no_more_attempts(client: Client, people: People) -> None:
    assert len(create(client, people, attempts=2, also_with="claude_code")) == 2


def test_each_part_of_a_text_has_its_own_group(client: Client, people: People) -> None:
    tasks = create(client, people, "One\n---\nTwo", attempts=2)
    assert [(task.title, task.attempt) for task in tasks] == [("One", 1), ("One", 2), ("Two", 1), ("Two", 2)]
    assert len({task.attempt_group for task in tasks}) == 2


@pytest.mark.parametrize("more", [{"attempts": 6}, {"attempts": 0}, {"attempts": "x"}, {"also_with": "vim"}])
def test_nonsense_is_refused_and_creates_nothing(
    client: Client, people: People, more: dict[str, object]
) -> None:
    data = {"text": "Paint", "workspace": people.workspace.pk, "backend": "claude_code", **more}
    assert send(client, "/tasks/new", **data).status_code == 422
    assert Task.objects.count() == 1


def test_too_many_tasks_are_refused_as_a_whole(client: Client, people: People) -> None:
    text = "\n---\n".join(f"Task {number}" for number in range(21))
    data = {"text": text, "workspace": people.workspace.pk, "backend": "claude_code", "attempts": 5}
    response = send(client, "/tasks/new", **data)
    assert "These are 105 tasks. At most 100" in response.content.decode()
    assert Task.objects.count() == 1


def test_the_page_compares_what_each_attempt_has_come_to(client: Client, people: People) -> None:
    first, second = create(client, people, attempts=2)
    run = make_run(task=first, state="succeeded")
    make_event(run, text="I have painted it <b>green</b>.")
    make_event(run, text="A sub-agent speaks.", parent="toolu_1")
    page = client.get(f"/tasks/{second.pk}/attempts").content.decode()
    assert page.index("Attempt 1") < page.index("Attempt 2")
    assert "I have painted it &lt;b&gt;green&lt;/b&gt;." in page
    assert "A sub-agent speaks." not in page
    assert "not started" in page
    assert "Compare attempts" in client.get(f"/tasks/{first.pk}").content.decode()


def test_a_task_without_others_is_a_comparison_of_one(client: Client, people: People) -> None:
    page = client.get(f"/tasks/{people.task.pk}/attempts").content.decode()
    assert page.count("<article") == 1


def test_keeping_one_closes_those_that_have_ended(
    client: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, ended, working = create(client, people, attempts=3)
    for task, state in ((kept, "succeeded"), (ended, "succeeded"), (working, "running")):
        make_run(task=task, state=state)
    Task.objects.filter(pk__in=[kept.pk, ended.pk]).update(status="review")
    Task.objects.filter(pk=working.pk).update(status="running")
    accepted = []
    monkeypatch.setattr("tasks.review.verdicts.accept", lambda task, user: accepted.append((task.pk, user)))
    result = attempts.keep(kept, user=people.owner)
    assert accepted == [(kept.pk, people.owner)]
    assert [task.pk for task in result.closed] == [ended.pk]
    assert [task.pk for task, _ in result.left] == [working.pk]
    assert f"#{working.pk} stays open" in str(result)
    assert list(Task.objects.order_by("pk").values_list("status", flat=True))[1:] == [
        "review",
        "done",
        "running",
    ]
    assert Run.objects.get(task=working).state == "running"


def test_nothing_is_closed_if_the_attempt_can_not_be_accepted(client: Client, people: People) -> None:
    kept, other = create(client, people, attempts=2)
    make_run(task=other, state="succeeded")
    Task.objects.filter(pk=other.pk).update(status="review")
    with pytest.raises(Refused):
        attempts.keep(kept, user=people.owner)
    other.refresh_from_db()
    assert other.status == "review"
    assert not Verdict.objects.exists()


def test_attempts_in_another_workspace_are_never_shown(client: Client, people: People) -> None:
    first, second = create(client, people, attempts=2)
    elsewhere = make_task(title="A secret", attempt_group=first.attempt_group, attempt=9)
    page = client.get(f"/tasks/{second.pk}/attempts").content.decode()
    assert f"#{elsewhere.pk}" not in page

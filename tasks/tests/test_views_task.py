"""The page of one task: its events in windows, its verbs, its forms."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tasks.models import Event, Run, Task
from tasks.task_views import PAGE_EVENTS
from tasks.tests.factories import make_event, make_run
from tasks.tests.people import HTMX, People, send
from tasks.tests.sample_board import write

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("member")


def places(html: str) -> list[str]:
    return re.findall(r'data-place="([\d.]+)"', html)


def page(people: People, rest: str = "") -> str:
    return f"/tasks/{people.task.pk}{rest}"


def test_a_task_without_a_run_shows_what_it_should_do(client: Client, people: People) -> None:
    html = client.get(page(people)).content.decode()
    assert "By colour." in html
    assert f'hx-post="/tasks/{people.task.pk}/run"' in html


def test_the_page_begins_with_the_newest_events(client: Client, people: People) -> None:
    run = make_run(task=people.task, state="running")
    write(run, [{"kind": "text", "text": f"line {number}"} for number in range(PAGE_EVENTS + 50)])
    html = client.get(page(people)).content.decode()
    assert places(html)[0] == "1.51"
    assert places(html)[-1] == f"1.{PAGE_EVENTS + 50}"
    assert f'data-first="1.51" data-last="1.{PAGE_EVENTS + 50}"' in html


def test_older_events_come_in_windows_over_all_runs(client: Client, people: People) -> None:
    write(make_run(task=people.task, state="failed"), [{"kind": "text", "text": "a"}] * 3)
    write(make_run(task=people.task, state="running"), [{"kind": "text", "text": "b"}] * 2)
    response = client.get(page(people, "/events?before=2.2"))
    assert places(response.content.decode()) == ["1.1", "1.2", "1.3", "2.1"]
    assert (response.headers["X-First"], response.headers["X-Last"]) == ("1.1", "2.1")
    assert response.headers["X-More"] == ""


def test_newer_events_come_after_a_place(client: Client, people: People) -> None:
    write(make_run(task=people.task, state="running"), [{"kind": "text", "text": "a"}] * 4)
    assert places(client.get(page(people, "/events?after=1.2")).content.decode()) == ["1.3", "1.4"]


@pytest.mark.parametrize("query", ["before=x.y", "after=", "before=1", "after=-1.2", "before=1.2.3"])
def test_a_place_that_is_none_brings_the_newest(client: Client, people: People, query: str) -> None:
    make_event(make_run(task=people.task))
    assert places(client.get(page(people, f"/events?{query}")).content.decode()) == ["1.1"]


def test_each_run_begins_with_a_head(client: Client, people: People) -> None:
    for state in ("failed", "succeeded"):
        make_event(make_run(task=people.task, state=state, model="opus"))
    html = client.get(page(people)).content.decode()
    assert re.findall(r'id="run-(\d)"', html) == ["1", "2"]


def test_a_run_that_failed_before_its_first_event_says_why(client: Client, people: People) -> None:
    make_run(task=people.task, state="failed", reason="There is no branch main.")
    assert "There is no branch main." in client.get(page(people)).content.decode()


def test_a_lost_link_is_told_with_the_time_of_the_last_word(client: Client, people: People) -> None:
    host = people.workspace.host
    host.link = "down"
    host.save()
    make_run(task=people.task, state="running", last_heard_at="2026-01-01T14:02:00Z")
    html = client.get(page(people)).content.decode()
    assert "Link to this machine lost" in html
    assert ", last contact <time" in html
    assert "1 Jan, 14:02 UTC" in html


def test_the_ways_to_look_by_hand_can_be_copied(client: Client, people: People) -> None:
    workspace = people.workspace
    workspace.kind, workspace.ssh_host = "ssh", "cloud"
    workspace.save()
    Task.objects.update(worktree_path="/srv/it's here", base_commit="abcdef0123456789", branch="aitask/1-x")
    make_run(task=people.task, state="running", tmux_session="aitask-1")
    html = client.get(page(people)).content.decode()
    assert "ssh -t cloud &#x27;tmux attach -t =aitask-1&#x27;" in html
    assert "git -C" in html


def test_the_parts_beside_the_conversation_can_be_asked_for_alone(client: Client, people: People) -> None:
    html = client.get(page(people, "/side")).content.decode()
    assert re.findall(r'hx-target="(#\w+)"', html)[:1] == ["#siblings"]
    assert {"#siblings", "#taskhead", "#facts"} <= set(re.findall(r'<hx-partial hx-target="(#\w+)"', html))


def test_a_queued_run_can_be_taken_back(client: Client, people: People) -> None:
    make_run(task=people.task, state="queued")
    Task.objects.update(status="queued")
    assert send(client, page(people, "/unqueue")).status_code == 204
    people.task.refresh_from_db()
    assert people.task.status == "backlog"


def test_a_second_run_is_refused_while_one_is_going(client: Client, people: People) -> None:
    make_run(task=people.task, state="running")
    assert send(client, page(people, "/run")).status_code == 409
    assert Run.objects.count() == 1


def test_running_again_may_say_other_words_and_another_model(client: Client, people: People) -> None:
    make_run(task=people.task, state="failed")
    response = send(client, page(people, "/run"), prompt="By size.", model="haiku", reasoning_effort="low")
    assert response.headers["HX-Redirect"] == page(people)
    run = people.task.runs.get(number=2)
    assert (run.prompt, run.model, run.reasoning_effort, run.resumes) == ("By size.", "haiku", "low", "")


def test_running_again_can_go_on_with_the_same_conversation(client: Client, people: People) -> None:
    make_run(task=people.task, state="succeeded", cli_session="s-1")
    assert 'name="resume"' in client.get(page(people, "/run"), headers=HTMX).content.decode()
    send(client, page(people, "/run"), prompt="Now the books.", resume="on")
    assert people.task.runs.get(number=2).resumes == "s-1"


def test_there_is_nothing_to_go_on_with_before_the_first_session(client: Client, people: People) -> None:
    assert 'name="resume"' not in client.get(page(people, "/run"), headers=HTMX).content.decode()


@pytest.mark.parametrize(("path", "field"), [("/run", "prompt"), ("/edit", "title")])
def test_an_empty_form_comes_back_with_its_error(
    client: Client, people: People, path: str, field: str
) -> None:
    response = send(client, page(people, path), **{field: " ", "model": "kept-model", "backend": "codex"})
    assert response.status_code == 422
    assert "kept-model" in response.content.decode()
    assert not Run.objects.exists()


def test_a_task_can_be_changed(client: Client, people: People) -> None:
    data = {
        "title": "Sort them",
        "prompt": "By weight.",
        "backend": "codex",
        "model": "gpt",
        "reasoning_effort": "",
    }
    assert send(client, page(people, "/edit"), **data).status_code == 204
    assert Task.objects.filter(**data).exists()


def test_a_task_that_runs_is_not_deleted(client: Client, people: People) -> None:
    make_run(task=people.task, state="running")
    assert send(client, page(people, "/delete")).status_code == 409
    assert Event.objects.count() == 0
    assert Task.objects.exists()


def test_deleting_leads_back_to_the_board(client: Client, people: People) -> None:
    assert send(client, page(people, "/delete")).headers["HX-Redirect"] == "/"

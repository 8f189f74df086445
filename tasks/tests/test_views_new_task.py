"""The panel for new tasks."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tasks.models import Run, Task
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import HTMX, People, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


def entry(people: People, text: str, **more: str) -> dict[str, str]:
    return {"text": text, "workspace": str(people.workspace.pk), "backend": "claude_code", **more}


def test_the_first_line_is_the_title(client: Client, people: People) -> None:
    response = send(client, "/tasks/new", **entry(people, "Paint the door\n\nIn green.", model="opus"))
    assert response.status_code == 204
    task = Task.objects.latest("pk")
    assert (task.title, task.model, task.status) == ("Paint the door", "opus", "backlog")
    assert "In green." in task.prompt
    assert task.created_by == people.owner
    assert not Run.objects.exists()


def test_create_and_run_queues_it_at_once(client: Client, people: People) -> None:
    send(client, "/tasks/new", **entry(people, "Paint", run="1"))
    assert Run.objects.get().task.title == "Paint"


def test_lines_of_three_dashes_make_several_tasks(client: Client, people: People) -> None:
    response = send(client, "/tasks/new", **entry(people, "One\n--- \nTwo\r\nmore\r\n---\r\nThree\n---"))
    assert list(Task.objects.order_by("pk").values_list("title", flat=True))[1:] == ["One", "Two", "Three"]
    assert "3 tasks" in json.loads(response.headers["HX-Trigger"])["toast"]["text"]


def test_the_panel_stays_open_for_more_when_asked_to(client: Client, people: People) -> None:
    response = send(client, "/tasks/new", **entry(people, "One", more="on"))
    assert json.loads(response.headers["HX-Trigger"])["created"] == {"more": True}


@pytest.mark.parametrize(
    ("field", "value"), [("text", "  \n "), ("model", "--dangerous"), ("model", "a b"), ("backend", "gemini")]
)
def test_a_wrong_entry_comes_back_with_all_that_was_typed(
    client: Client, people: People, field: str, value: str
) -> None:
    typed = entry(people, "Keep <me> & my 'words'") | {field: value}
    response = send(client, "/tasks/new", **typed)
    html = response.content.decode()
    assert response.status_code == 422
    assert "<html" not in html
    if field != "text":
        assert "Keep &lt;me&gt; &amp; my &#x27;words&#x27;" in html
    assert Task.objects.count() == 1


def test_the_fields_start_with_what_the_workspace_prefers(client: Client, people: People) -> None:
    workspace = make_workspace(
        owner=people.owner, default_backend="codex", default_model="gpt-9", default_reasoning_effort="high"
    )
    html = client.get("/tasks/new", {"workspace": workspace.pk}, headers=HTMX).content.decode()
    assert 'value="codex" selected' in " ".join(html.split())
    assert 'value="gpt-9"' in html


def test_another_workspace_brings_its_own_preset(client: Client, people: People) -> None:
    workspace = make_workspace(owner=people.owner, default_backend="codex", default_model="gpt-9")
    chosen = {"workspace": str(workspace.pk), "backend": "claude_code", "changed": "workspace"}
    html = client.get("/tasks/new/fields", chosen).content.decode()
    assert 'value="codex" selected' in " ".join(html.split())
    assert 'value="gpt-9"' in html


def test_another_cli_does_not_get_the_model_of_the_preset(client: Client, people: People) -> None:
    workspace = make_workspace(owner=people.owner, default_backend="codex", default_model="gpt-9")
    chosen = {"workspace": str(workspace.pk), "backend": "claude_code", "changed": "backend"}
    html = client.get("/tasks/new/fields", chosen).content.decode()
    assert 'value="gpt-9"' not in html


def test_models_that_were_used_there_are_suggested(client: Client, people: People) -> None:
    make_run(task=make_task(workspace=people.workspace), state="succeeded", model="opus-that-was-used")
    html = client.get("/tasks/new", {"workspace": people.workspace.pk}, headers=HTMX).content.decode()
    assert '<option value="opus-that-was-used">' in html


def test_the_panel_is_also_a_page_of_its_own(client: Client) -> None:
    assert "<html" in client.get("/tasks/new").content.decode()


def test_the_fields_of_a_workspace_of_others_are_not_shown(people: People) -> None:
    response = people.browser("stranger").get("/tasks/new/fields", {"workspace": people.workspace.pk})
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("title", "prompt", "text"),
    [
        ("Paint the door", "# Paint the door\n\nIn green.", "# Paint the door\n\nIn green."),
        ("Paint", "In green.\nTwice.", "Paint\n\nIn green.\nTwice."),
        ("Paint", "", "Paint"),
    ],
)
def test_a_duplicate_begins_with_the_fields_of_the_task(
    client: Client, people: People, title: str, prompt: str, text: str
) -> None:
    old = make_task(
        workspace=people.workspace,
        title=title,
        prompt=prompt,
        backend="codex",
        model="gpt-6-sol",
        labels=["ui"],
    )
    page = client.get(f"/tasks/new?like={old.pk}")
    assert page.context["form"].initial["text"] == text
    assert (page.context["c"].backend, page.context["c"].model) == ("codex", "gpt-6-sol")
    assert page.context["form"]["labels"].value() == "ui"
    send(client, "/tasks/new", **entry(people, text, backend="codex"))
    assert Task.objects.latest("pk").title == title


def test_the_task_of_others_can_not_be_duplicated(people: People) -> None:
    assert people.browser("stranger").get(f"/tasks/new?like={people.task.pk}").status_code == 404

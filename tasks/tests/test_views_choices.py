"""CLI, model and effort in the forms for tasks, runs and workspaces."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from tasks.models import Run, Task
from tasks.rendering import render_head
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import HTMX, People, send
from workspaces.models import Host, ModelList
from workspaces.tests.catalog.conftest import keep, model

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


@pytest.fixture(autouse=True)
def lists() -> dict[str, ModelList]:
    host = Host.objects.get_or_create(key="local", defaults={"kind": "local"})[0]
    claude = (model("default", "low", "high", default=True), model("haiku"))
    return {
        "claude_code": keep(host, "claude_code", *claude),
        "codex": keep(host, "codex", model("gpt-a", "medium", default=True)),
    }


class Part(HTMLParser):
    """The fields and the text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.options: dict[str, list[str]] = {}
        self.selected: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.disabled: set[str] = set()
        self.text = ""
        self._name = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._name = given["name"]
            self.options[self._name] = []
            if "disabled" in given:
                self.disabled.add(self._name)
        elif tag == "option" and self._name:
            self.options[self._name].append(given["value"])
            if "selected" in given:
                self.selected[self._name] = given["value"]
        elif tag == "input" and "name" in given:
            self.values[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._name = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def html_of(client: Client, path: str, **data: Any) -> str:
    response = client.get(path, data, headers=HTMX)
    assert response.status_code == 200
    return response.content.decode()


def part(client: Client, path: str, **data: Any) -> Part:
    return Part(html_of(client, path, **data))


class TestNewTask:
    def test_it_offers_the_models_of_the_host_and_begins_with_the_recommended_one(
        self, client: Client
    ) -> None:
        soup = part(client, "/tasks/new")
        assert soup.options["model"] == ["", "default", "haiku", "*"]
        assert soup.selected.get("model") == "default"
        assert soup.options["reasoning_effort"] == ["", "low", "high"]

    def test_another_cli_draws_model_and_effort_anew(self, client: Client, people: People) -> None:
        said = {"workspace": people.workspace.pk, "backend": "codex", "changed": "backend"}
        soup = part(client, "/tasks/new/fields", **said)
        assert "backend" not in soup.options
        assert (soup.selected.get("model"), soup.selected.get("reasoning_effort")) == ("gpt-a", "medium")

    def test_another_model_draws_the_effort_alone(self, client: Client, people: People) -> None:
        said = {"workspace": people.workspace.pk, "backend": "claude_code", "changed": "model"}
        soup = part(client, "/tasks/new/fields", **said, model="haiku", reasoning_effort="high")
        assert "model" not in soup.options
        assert soup.options["reasoning_effort"] == [""]
        assert "reasoning_effort" in soup.disabled

    @pytest.mark.parametrize(("takes", "is_said"), [(False, True), (True, False), (None, False)])
    def test_a_model_that_takes_no_pictures_is_said_beside_a_picture(
        self,
        client: Client,
        people: People,
        lists: dict[str, ModelList],
        takes: bool | None,
        is_said: bool,
    ) -> None:
        models = [{**model("gpt-a", "medium", default=True), "takes_pictures": takes}]
        ModelList.objects.filter(pk=lists["codex"].pk).update(models=models)
        said = {"workspace": people.workspace.pk, "backend": "codex", "changed": "backend"}
        soup = part(client, "/tasks/new/fields", **said)
        assert ("takes no pictures" in soup.text) == is_said

    def test_a_typed_model_is_taken(self, client: Client, people: People) -> None:
        said = {"text": "Typed", "workspace": people.workspace.pk, "backend": "claude_code"}
        assert send(client, "/tasks/new", **said, model="*", model_typed="fable").status_code == 204
        assert Task.objects.latest("pk").model == "fable"

    def test_another_model_without_a_name_comes_back(self, client: Client, people: People) -> None:
        said = {"text": "Typed", "workspace": people.workspace.pk, "backend": "claude_code"}
        response = send(client, "/tasks/new", **said, model="*", model_typed="")
        assert response.status_code == 422
        assert b"Enter the model" in response.content

    def test_the_clis_own_choice_is_not_replaced_by_the_workspaces(
        self, client: Client, people: People
    ) -> None:
        type(people.workspace).objects.update(default_model="haiku")
        said = {"text": "Own", "workspace": people.workspace.pk, "backend": "claude_code", "model": ""}
        send(client, "/tasks/new", **said)
        assert Task.objects.latest("pk").model == ""

    def test_a_level_that_the_model_lacks_comes_back_with_the_levels(
        self, client: Client, people: People
    ) -> None:
        said = {"text": "x", "workspace": people.workspace.pk, "backend": "claude_code", "model": "default"}
        response = send(client, "/tasks/new", **said, reasoning_effort="ultra")
        assert response.status_code == 422
        assert b"default has the effort levels low, high." in response.content

    @pytest.mark.parametrize("model", ["", "fable"])
    def test_a_level_that_no_model_has_is_refused_where_the_model_is_not_listed(
        self, client: Client, people: People, model: str
    ) -> None:
        said = {"text": "x", "workspace": people.workspace.pk, "backend": "claude_code", "model": model}
        response = send(client, "/tasks/new", **said, reasoning_effort="bananas")
        assert response.status_code == 422
        assert b"Claude Code has the effort levels low, high." in response.content

    def test_while_the_clis_are_asked_the_form_looks_again_by_itself(self, client: Client) -> None:
        ModelList.objects.update(asked_at=None, fetched_at=None, models=[], due_at="2026-01-01T00:00:00Z")
        html = html_of(client, "/tasks/new")
        assert 'hx-trigger="load delay:1s"' in html
        assert "Loading the models" in html


class TestRunAgain:
    def test_it_offers_the_models_of_the_tasks_cli(self, client: Client, people: People) -> None:
        make_run(task=people.task, state="succeeded")
        soup = part(client, f"/tasks/{people.task.pk}/run")
        assert soup.options["model"] == ["", "default", "haiku", "*"]

    def test_another_model_is_frozen_into_the_next_run_and_kept(self, client: Client, people: People) -> None:
        first = make_run(task=people.task, state="succeeded", model="haiku")
        said = {"prompt": "Again", "model": "default", "reasoning_effort": "high"}
        assert send(client, f"/tasks/{people.task.pk}/run", **said).status_code == 204
        run = Run.objects.latest("pk")
        first.refresh_from_db()
        assert (run.model, run.reasoning_effort, first.model) == ("default", "high", "haiku")

    def test_a_model_that_has_gone_stays_chosen_with_a_warning(self, client: Client, people: People) -> None:
        task = make_task(workspace=people.workspace, model="opus-3")
        make_run(task=task, state="succeeded")
        soup = part(client, f"/tasks/{task.pk}/run")
        assert soup.selected.get("model") == "*"
        assert soup.values["model_typed"] == "opus-3"
        assert "opus-3 is not in the model list" in soup.text


class TestWarnings:
    @pytest.fixture
    def task(self, people: People) -> Task:
        return make_task(workspace=people.workspace, model="opus-3")

    def test_the_card_warns_before_the_run(self, client: Client, task: Task) -> None:
        assert "opus-3 is not in the model list" in part(client, "/board/columns").text

    def test_the_task_page_warns_beside_the_button(self, client: Client, task: Task) -> None:
        assert "opus-3 is not in the model list" in render_head(task, None)

    def test_done_work_is_not_warned_of(self, client: Client, task: Task) -> None:
        Task.objects.filter(pk=task.pk).update(status="done")
        assert "is not in the model list" not in part(client, "/board/columns").text

    def test_a_model_that_is_listed_is_not_warned_of(self, client: Client, task: Task) -> None:
        Task.objects.filter(pk=task.pk).update(model="haiku")
        assert "is not in the model list" not in part(client, "/board/columns").text


class TestWorkspaceForm:
    def test_its_defaults_are_chosen_from_the_list(self, client: Client, people: People) -> None:
        soup = part(client, f"/workspaces/{people.workspace.pk}/edit")
        assert soup.options["default_model"] == ["", "default", "haiku", "*"]

    def test_a_host_that_was_never_asked_has_no_invented_list(self, client: Client) -> None:
        said = {"kind": "ssh", "ssh_host": "cloud", "changed": "workspace"}
        soup = part(client, "/workspaces/choices", **said)
        assert soup.options["default_model"] == ["", "*"]
        assert "are not loaded yet" in soup.text

    def test_another_cli_draws_its_models(self, client: Client) -> None:
        said = {"kind": "local", "default_backend": "codex", "changed": "backend"}
        assert part(client, "/workspaces/choices", **said).options["default_model"] == ["", "gpt-a", "*"]

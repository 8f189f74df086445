"""The API's own description, its page, and what every call in it answers to odd input."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from aitask.api.urls import api
from tasks.conversation import services as conversation
from tasks.runs import control
from tasks.tests.api_client import Script
from tasks.tests.factories import make_event, make_owner, make_run, make_task, make_user, make_workspace
from workspaces.hosts import HostError

pytestmark = pytest.mark.django_db

PINNED = {
    "GET /api/workspaces",
    "POST /api/workspaces",
    "GET /api/workspaces/{workspace_id}",
    "PATCH /api/workspaces/{workspace_id}",
    "POST /api/workspaces/{workspace_id}/check",
    "GET /api/tasks",
    "POST /api/tasks",
    "GET /api/tasks/{task_id}",
    "PATCH /api/tasks/{task_id}",
    "DELETE /api/tasks/{task_id}",
    "POST /api/tasks/{task_id}/run",
    "POST /api/tasks/{task_id}/cancel",
    "GET /api/runs/{run_id}",
    "GET /api/runs/{run_id}/events",
    "GET /api/search",
    "POST /api/runs/{run_id}/message",
    "POST /api/runs/{run_id}/settings",
    "POST /api/runs/{run_id}/interrupt",
    "POST /api/runs/{run_id}/stop",
    "POST /api/runs/{run_id}/requests/{request_id}",
}


def calls() -> list[str]:
    """Every call of the document, as METHOD path."""
    paths = api.get_openapi_schema(path_prefix="/api/")["paths"]
    return sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)


def test_every_pinned_call_is_in_the_document() -> None:
    assert set(calls()) >= PINNED


def test_every_call_says_who_may_call_and_which_errors_there_are() -> None:
    for methods in api.get_openapi_schema(path_prefix="/api/")["paths"].values():
        for operation in methods.values():
            assert operation["security"]
            assert {401, 404, 409, 422, 503} <= set(operation["responses"])


def test_a_token_reads_the_document() -> None:
    document = Script(make_user()).get("/openapi.json")
    assert document["info"]["title"] == "AI Task Manager"


class TestPage:
    def test_it_asks_for_a_login(self) -> None:
        response = Client().get("/api/docs")
        assert (response.status_code, response["Location"]) == (302, "/login?next=/api/docs")

    def test_it_has_no_inline_script_and_nothing_from_elsewhere(self) -> None:
        client = Client()
        client.force_login(make_user())
        page = client.get("/api/docs").content.decode()
        scripts = re.findall(r"<script([^>]*)>", page)
        assert all('src="/static/' in script or "application/json" in script for script in scripts)
        assert len(scripts) >= 3
        assert "//" not in re.sub(r"<!--.*?-->", "", page)

    def test_its_scripts_and_styles_are_served(self) -> None:
        client = Client()
        client.force_login(make_user())
        page = client.get("/api/docs").content.decode()
        files = re.findall(rf'(?:src|href)="(/{settings.STATIC_URL.strip("/")}/[^"]+)"', page)
        assert files
        assert {client.get(file).status_code for file in files} == {200}


def test_an_unknown_address_is_404_in_json() -> None:
    script = Script(make_user())
    assert "GET /api/task/" in script.get("/task/")["detail"]
    assert script.status == 404


def test_a_method_that_is_not_there_is_405_in_json() -> None:
    script = Script(make_user())
    assert script.call("PUT", "/tasks", {}) == {"detail": "PUT is not allowed here."}
    assert script.status == 405


ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        2**31,
        2**63,
        10**40,
        0.5,
        -1e308,
        "",
        " ",
        "\0",
        "\ud800",
        "-x",
        "../..",
        "x" * 5000,
    ),
    *(
        "\u202e🎉",
        "'; DROP TABLE tasks_task; --",
        "$(id)",
        [],
        {},
        [[]],
        {"": None},
        {"\0": "\0"},
        {"A": "\ud800"},
    ),
]
EXPECTED = {200, 201, 204, 400, 404, 409, 422, 503}
ODD_IDS = ["0", "-1", "x", "1.5", "%00", "%ff", "9" * 19, "9" * 40, "1%0a", "%2e%2e", "٣"]
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/workspaces": {"name": "new", "repo_path": "/srv/new"},
    "PATCH /api/workspaces/{workspace_id}": {
        **{"kind": "ssh", "ssh_host": "cloud", "environment": {"A": "x"}, "copy_files": [".env"]},
        **{"max_parallel_runs": 2, "commit_leftovers": True, "git_email": "", "default_model": None},
    },
    "POST /api/tasks": {"workspace": 1, "title": "x", "prompt": "y", "backend": "codex", "model": None},
    "PATCH /api/tasks/{task_id}": {
        "title": "x",
        "prompt": "y",
        "backend": "codex",
        "reasoning_effort": "low",
    },
    "POST /api/tasks/{task_id}/run": {"prompt": "x", "model": "y", "reasoning_effort": "z", "resume": True},
    "POST /api/runs/{run_id}/message": {"text": "x", "when": "now"},
    "POST /api/runs/{run_id}/settings": {"model": "haiku"},
    "POST /api/runs/{run_id}/requests/{request_id}": {
        **{"decision": "allow", "text": "x", "input": {"a": 1}, "answers": {"q": ["a"]}},
    },
}


class Rows:
    """A task with a live run that belong to the caller, for the calls to work on."""

    def __init__(self, script: Script) -> None:
        self.workspace = make_workspace(owner=script.user, name="old")
        self.task = make_task(workspace=self.workspace)
        self.run = make_run(task=self.task, state="running", run_dir="/state/runs/k-1", open_requests=[{}])
        make_event(self.run)

    def path(self, call: str, odd_id: str = "") -> str:
        ids = {"workspace_id": self.workspace.pk, "task_id": self.task.pk, "run_id": self.run.pk}
        path = call.split()[1].removeprefix("/api")
        return re.sub(r"\{(\w+)\}", lambda found: odd_id or str(ids.get(found[1], "r1")), path)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    def away(workspace: Any) -> None:
        raise HostError("cloud does not answer.", code="timeout")

    monkeypatch.setattr(control, "site_of", away)
    monkeypatch.setattr(conversation, "PATIENCE", 0)  # no worker will hand anything over
    return Script(make_owner())


def odd_bodies(good: dict[str, Any]) -> Iterator[Any]:
    """The whole body odd, each field odd, fields odd together; the last with a fixed seed."""
    dice = random.Random(2)
    yield from ODD
    for name in [*good, "unknown"]:
        yield from ({**copy.deepcopy(good), name: value} for value in ODD)
    for _ in range(50):
        yield {name: dice.choice([value, *ODD]) for name, value in good.items()}


@pytest.mark.fuzz
@pytest.mark.parametrize("call", [call for call in calls() if not call.endswith("/check")])
def test_odd_input_is_refused_or_done_but_never_a_crash(script: Script, call: str) -> None:
    method, rows = call.split()[0], Rows(script)
    if call in BODIES:
        for body in odd_bodies(BODIES[call]):
            script.call(method, rows.path(call), json.dumps(body).encode())
            assert script.status in EXPECTED, body
    for odd_id in ODD_IDS:
        script.call(method, rows.path(call, odd_id), BODIES.get(call))
        assert script.status in EXPECTED, odd_id


@pytest.mark.parametrize(
    "path", ["/tasks?workspace={}", "/tasks?status={}", "/runs/{run}/events?after={}&limit={}"]
)
def test_odd_filters_are_refused_or_done_but_never_a_crash(script: Script, path: str) -> None:
    rows = Rows(script)
    for odd in [*ODD_IDS, "", "1&status=", "%f0%28%8c%28"]:
        script.get(path.replace("{run}", str(rows.run.pk)).format(odd, odd))
        assert script.status in EXPECTED, odd

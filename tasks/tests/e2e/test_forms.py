"""What an MCP server asks reaches the task's page, the inbox and the API, with both real CLIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import mcp_server
from aitask.tests.lab.client import ApiError
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.test_talk import answer, ended, request_of
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import World

pytestmark = pytest.mark.cli
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "title": "To which city?", "minLength": 2},
        "nights": {"type": "integer", "minimum": 1, "maximum": 5},
        "token": {"type": "string"},
    },
    "required": ["city"],
}
FORM = {"mode": "form", "message": "Book a room", "requestedSchema": SCHEMA}
LINK = {"mode": "url", "message": "Log in", "url": "https://login.example.com/x", "elicitationId": "e1"}


@pytest.fixture(scope="module")
def web(world: World) -> WebSession:
    return WebSession(world.app)


@pytest.fixture(scope="module")
def with_server(world: World) -> dict[str, int]:
    """A workspace without limits, whose CLIs have an MCP server."""
    environment = world.environment()
    mcp_server.add_to_home(Path(environment["CODEX_HOME"]).parent)
    made = world.add_workspace("with a server", environment=environment, permission_mode="full")
    return {"workspace": made["id"]}


def asks(*elicitations: dict[str, Any]) -> str:
    calls = [f"@tool mcp__demo__ask {json.dumps({'params': each})}" for each in elicitations]
    return "\n".join([*calls, "@text fine"])


def test_a_form_is_filled_in_on_the_page_and_a_link_accepted_in_the_inbox(
    world: World, web: WebSession, with_server: Any, backend: str
) -> None:
    run = world.start(asks(FORM, LINK), backend, **with_server)
    form = request_of(world, run)
    page = web.get(f"/tasks/{run['task']}")
    assert "Book a room" in page
    assert "To which city?" in page
    names = {name: f"field-{at}" for at, name in enumerate(form["order"])}
    wrong = {"decision": "submit", names["city"]: "X", names["nights"]: "9"}
    assert answer(web, run, form, **wrong)[0] == 409
    filled = {names["city"]: "Rome", names["nights"]: "2", names["token"]: "hunter2"}
    assert answer(web, run, form, decision="submit", **filled)[0] == 204
    wait_for(lambda: link_of(world, run), 40, "the link")
    assert LINK["url"] in web.get("/inbox")
    key = f"{run['id']}-{link_of(world, run)[0]['id']}"
    assert web.post("/inbox/answer", {"decision": "allow", "ask": key})[0] == 204
    over = ended(world, run)
    heard = " ".join(str(event["output"]) for event in world.events(over, "tool_result"))
    assert "Rome" in heard
    assert "accept" in heard
    closed = world.events(over, "request_closed")[0]
    assert closed["content"] == {"city": "Rome", "nights": 2, "token": "(not recorded)"}


def link_of(world: World, run: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in world.api.run(run["id"])["open_requests"] if each["kind"] == "link"]


def test_a_script_answers_a_form_and_is_told_what_does_not_fit(
    world: World, with_server: Any, backend: str
) -> None:
    run = world.start(asks(FORM, FORM), backend, **with_server)
    where = f"/api/runs/{run['id']}/requests/"
    form = request_of(world, run)
    with pytest.raises(ApiError) as refused:
        world.api.post(f"{where}{form['id']}", {"content": {"nights": 2}})
    assert refused.value.status == 422
    world.api.post(f"{where}{form['id']}", {"content": {"city": "Oslo"}})
    wait_for(lambda: len(world.events(run, "request")) == 2, 40, "the second form")
    second = request_of(world, run)
    world.api.post(f"{where}{second['id']}", {"decision": "cancel"})
    over = ended(world, run)
    assert [event["decision"] for event in world.events(over, "request_closed")] == ["submit", "cancel"]

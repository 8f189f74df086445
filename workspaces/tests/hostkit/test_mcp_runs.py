"""Tools, forms and links of a real MCP server, through both real CLIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import mcp_server
from aitask.tests.lab.cli_home import CliHome
from aitask.tests.lab.wait import wait_for

from .client import Bench, Run

pytestmark = pytest.mark.cli
BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])
FORM: dict[str, Any] = {
    "mode": "form",
    "message": "Where to?",
    "requestedSchema": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2},
            "nights": {"type": "integer", "minimum": 1, "maximum": 5, "default": 3},
            "room": {"type": "string", "enum": ["single", "double"]},
        },
        "required": ["city"],
    },
}
MANY_FIELDS: dict[str, Any] = {
    "mode": "form",
    "message": "Where to?",
    "requestedSchema": {
        "type": "object",
        "properties": {f"city{number}": {"type": "string", "minLength": 2} for number in range(61)},
        "required": ["city60"],
    },
}
LINK = {"mode": "url", "message": "Log in", "url": "https://login.example/x", "elicitationId": "e1"}


@pytest.fixture
def bench_with_server(bench: Bench, cli_home: CliHome) -> Bench:
    mcp_server.add_to_home(cli_home.folder)
    return bench


def asks(*elicitations: dict[str, Any]) -> str:
    """A prompt that lets the server ask these."""
    return "\n".join(f"@tool mcp__demo__ask {json.dumps({'params': each})}" for each in elicitations)


def notes(path: Path) -> str:
    return f"@tool mcp__demo__note {json.dumps({'path': str(path), 'text': 'noted'})}"


def allow_until(run: Run, kind: str) -> dict[str, Any]:
    """Allow what is asked before the first request of this kind, and return that one."""

    def find() -> dict[str, Any] | None:
        for request in run.control("status")["requests"]:
            if request["request_kind"] == kind:
                return dict(request)
            run.control("approve", request=request["id"])
        return None

    wait_for(lambda: run.events("request"), 40, "a request")
    found = wait_for(find, 40, f"a request of kind {kind}, after {run.kinds()}")
    assert found
    return found


def heard(run: Run) -> str:
    """What the server has heard of the user's answers."""
    return " ".join(str(event["output"]) for event in run.events("tool_result"))


@pytest.mark.oldest_cli
@BACKENDS
def test_a_tool_that_writes_is_asked_about_and_a_form_is_checked_and_sent(
    bench_with_server: Bench, tmp_path: Path, backend: str
) -> None:
    note = tmp_path / "note.txt"
    run = bench_with_server.start(backend, f"{notes(note)}\n{asks(FORM)}", permission_mode="ask")
    tool = run.wait_event("request")
    assert (tool["request_kind"], tool["input"]) == ("approval", {"path": str(note), "text": "noted"})
    assert tool["server"].startswith("demo")
    assert not note.exists()
    form = allow_until(run, "form")
    assert note.read_text() == "noted\n"
    assert set(form["order"]) == {"city", "nights", "room"}
    bad = run.control("submit", request=form["id"], content={"city": "X"})
    assert (bad["ok"], "at least 2" in bad["error"]) == (False, True)
    assert run.control("submit", request=form["id"], content={"city": "Rome", "nights": 2})["ok"]
    assert run.outcome()["state"] == "succeeded"
    assert "Rome" in heard(run)


@BACKENDS
def test_a_link_is_accepted_or_declined(bench_with_server: Bench, backend: str) -> None:
    run = bench_with_server.start(backend, asks(LINK, LINK), permission_mode="ask")
    link = allow_until(run, "link")
    assert link["url"] == LINK["url"]
    assert run.control("approve", request=link["id"], digest=link["digest"])["ok"]
    wait_for(lambda: "accept" in heard(run), 30, "what the server hears")
    assert run.control("deny", request=allow_until(run, "link")["id"])["ok"]
    assert run.outcome()["state"] == "succeeded"
    assert "decline" in heard(run)


@BACKENDS
def test_a_form_is_filled_in_at_the_keyboard_also_in_full_mode(
    bench_with_server: Bench, tmp_path: Path, backend: str
) -> None:
    note = tmp_path / "note.txt"
    run = bench_with_server.start(backend, f"{notes(note)}\n{asks(FORM)}", permission_mode="full")
    assert run.wait_event("request")["request_kind"] == "form"
    assert note.exists()
    wait_for(lambda: "/y fills it in" in run.screen())
    run.type("/y")
    lines = {"city (required)": ["X", "Rome"], "nights (": [""], "room (": ["2"]}
    for _ in lines:
        due = wait_for(lambda: due_field(run, lines), 20, "the next field")
        for typed in lines[due]:
            run.type(typed)
        lines[due] = []
    closed = run.wait_event("request_closed")
    assert (closed["decision"], closed["by"]) == ("submit", "keyboard")
    assert closed["content"] == {"city": "Rome", "nights": 3, "room": "double"}
    assert "Enter at least 2 characters" in run.screen()
    assert run.outcome()["state"] == "succeeded"
    assert "double" in heard(run)


def due_field(run: Run, lines: dict[str, list[str]]) -> str:
    """The field that was asked for last, if it has not been filled in."""
    screen = run.screen()
    asked = max(lines, key=screen.rfind)
    return asked if asked in screen and lines[asked] else ""


@BACKENDS
def test_a_form_that_is_not_shown_as_fields_is_answered_as_json_at_the_keyboard(
    bench_with_server: Bench, backend: str
) -> None:
    run = bench_with_server.start(backend, asks(MANY_FIELDS), permission_mode="full")
    assert "61 fields" in run.wait_event("request")["reason"]
    wait_for(lambda: "/y JSON answers" in run.screen())
    run.type('/y {"city60": "R"}')
    wait_for(lambda: "city60: It must have at least 2 characters" in run.screen())
    run.type('/y {"city60": "Rome"}')
    assert run.wait_event("request_closed")["content"] == {"city60": "Rome"}
    assert run.outcome()["state"] == "succeeded"
    assert "Rome" in heard(run)


@BACKENDS
def test_an_interrupt_withdraws_a_form(bench_with_server: Bench, backend: str) -> None:
    run = bench_with_server.start(backend, asks(FORM), permission_mode="full")
    run.wait_event("request")
    run.control("interrupt")
    assert run.wait_event("request_closed")["decision"] == "withdrawn"
    assert run.outcome()["state"] == "cancelled"
    assert "accept" not in heard(run)

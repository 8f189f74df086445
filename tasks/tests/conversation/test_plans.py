"""A plan is shown, edited in place, approved into permissions, or sent back."""

from __future__ import annotations

from typing import Any

import pytest

from aitask.lib.errors import NotAllowed, Refused
from tasks.conversation import services as conversation
from tasks.conversation.rendering import render_request
from tasks.conversation.requests import asks_of
from tasks.models import Run
from tasks.rendering import render_rows
from tasks.tests.api_client import Script
from tasks.tests.conversation.hosts import FakeHost
from tasks.tests.factories import make_event, make_run
from tasks.tests.people import People, send
from workspaces.hostkit.base.consent import digest_of
from workspaces.hostkit.base.plans import plan_event
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db
PLAN = "# Steps\n\n1. Write *a.txt*\n2. Test it <script>alert(1)</script>\n"
ASKED: Any = plan_event("p1", "ExitPlanMode", {"plan": PLAN, "planFilePath": "/home/a/plan.md"})


@pytest.fixture
def run(people: People) -> Run:
    request = {**ASKED, "kind": "plan", "digest": digest_of(ASKED)}
    del request["request_kind"]
    given = {"state": "waiting", "permission_mode": "plan", "task_mode": "plan", "open_requests": [request]}
    return make_run(task=people.task, run_dir="/state/runs/k-1", **given)


def approve(people: People, run: Run, **fields: str) -> int:
    path = f"/runs/{run.pk}/requests/p1"
    return send(people.browser("owner"), path, decision="allow", **fields).status_code


def test_it_is_shown_as_markdown_with_what_can_come_next(run: Run) -> None:
    html = render_request(asks_of(run))
    assert "<h1" in html
    assert "<em>a.txt</em>" in html
    assert "<script>alert" not in html
    first, second = (html.index(f'data-mode="{mode}"') for mode in ("edits", "ask"))
    assert first < second
    assert 'data-mode="full"' not in html
    assert 'data-mode="plan"' not in html
    assert "Send back" in html


@pytest.mark.parametrize(
    ("own", "most", "meant", "offered"),
    [("edits", "", "edits", 2), ("plan", "", "ask", 1), ("plan", "full", "ask", 3), ("full", "", "full", 3)],
)
def test_it_is_approved_into_the_workspaces_mode_unless_another_is_picked(
    people: People, run: Run, host: FakeHost, own: str, most: str, meant: str, offered: int
) -> None:
    Workspace.objects.update(permission_mode=own, max_permission_mode=most)
    run.task.workspace.refresh_from_db()
    assert render_request(asks_of(run)).count("data-mode=") == offered
    assert approve(people, run) < 400
    [command] = host.commands
    assert (command["mode"], command["digest"], "input" in command) == (meant, digest_of(ASKED), False)


def test_a_mode_that_is_picked_counts_up_to_the_ceiling(people: People, run: Run, host: FakeHost) -> None:
    for mode in ("full", "plan"):
        with pytest.raises(Refused):
            conversation.answer(run, "p1", {"command": "approve", "mode": mode}, user=people.owner)
    assert host.commands == []
    assert approve(people, run, mode="ask") < 400
    assert host.commands[0]["mode"] == "ask"


def test_the_edited_plan_is_what_the_user_wrote(people: People, run: Run, host: FakeHost) -> None:
    assert approve(people, run, field="plan", input="# Mine\r\n<b>&amp;\r\n") < 400
    assert host.commands[0]["input"] == {"plan": "# Mine\n<b>&amp;\n", "planFilePath": "/home/a/plan.md"}


def test_an_editor_that_was_only_opened_changes_nothing(people: People, run: Run, host: FakeHost) -> None:
    assert approve(people, run, field="plan", input=asks_of(run)[0].editable) < 400
    assert "input" not in host.commands[0]


def test_an_empty_plan_is_refused(people: People, run: Run, host: FakeHost) -> None:
    approve(people, run, field="plan", input=" \n ")
    assert host.commands == []


def test_a_member_edits_it_and_approves_it_up_to_the_workspaces_mode(
    people: People, run: Run, host: FakeHost
) -> None:
    Workspace.objects.update(permission_mode="ask", max_permission_mode="full")
    run.task.workspace.refresh_from_db()
    assert 'class="button of-plan is-wider"' in render_request(asks_of(run), is_limited=True)
    edited = {"command": "approve", "input": {"plan": "mine"}}
    with pytest.raises(NotAllowed):
        conversation.answer(run, "p1", {**edited, "mode": "edits"}, user=people.member)
    conversation.answer(run, "p1", edited, user=people.member)
    assert (host.commands[0]["mode"], host.commands[0]["input"]["plan"]) == ("ask", "mine")


def test_another_plan_than_the_one_that_was_shown_is_not_approved(
    people: People, run: Run, host: FakeHost
) -> None:
    approve(people, run, digest=f"{run.pk}-p1=0000")
    assert host.commands == []


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"decision": "allow"}, {"mode": "edits"}),
        ({"decision": "allow", "permission_mode": "ask"}, {"mode": "ask"}),
        (
            {"decision": "allow", "input": {"plan": "mine"}},
            {"mode": "edits", "input": {"plan": "mine", "planFilePath": "/home/a/plan.md"}},
        ),
    ],
    ids=str,
)
def test_the_api_approves_it_too(
    people: People, run: Run, host: FakeHost, body: dict[str, Any], command: dict[str, Any]
) -> None:
    Script(people.owner).post(f"/runs/{run.pk}/requests/p1", body)
    sent = host.commands[0]
    assert {name: sent.get(name) for name in ("mode", "input")} == {"input": None, **command}


def test_the_api_sends_it_back_with_words(people: People, run: Run, host: FakeHost) -> None:
    Script(people.owner).post(f"/runs/{run.pk}/requests/p1", {"decision": "deny", "text": "add tests"})
    assert (host.commands[0]["command"], host.commands[0]["text"]) == ("deny", "add tests")


def test_the_conversation_shows_the_plan_as_approved(run: Run) -> None:
    closed = {"id": "p1", "decision": "allow", "by": "web", "request_kind": "plan"}
    rows = [
        make_event(run, "request", **{name: value for name, value in ASKED.items() if name != "kind"}),
        make_event(run, "request_closed", **closed, permission_mode="ask", edited_plan="# Mine\n<img src=x>"),
    ]
    html = render_rows([(run, row) for row in rows])
    assert "Plan approved with changes" in html
    assert "then: Ask before changes" in html
    assert "The plan as approved (edited)" in html
    assert "<img" not in html
    assert html.count("<details") >= 2
    assert "<details open" not in html


@pytest.mark.parametrize(
    "odd",
    [
        {"permission_mode": ["x"]},
        {"edited_plan": {"a": 1}},
        {"edited_plan": 3},
        {"permission_mode": "\u202e"},
    ],
    ids=str,
)
def test_an_odd_closing_event_harms_nothing(run: Run, odd: dict[str, Any]) -> None:
    closed = {"id": "p1", "decision": "allow", "by": "web", "request_kind": "plan"}
    assert "Plan approved" in render_rows([(run, make_event(run, "request_closed", **closed, **odd))])

"""Runs, their events, and words to their agents by the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tasks.models import Run
from tasks.runs import control
from tasks.tests.api_client import Script
from tasks.tests.factories import make_event, make_run, make_task, make_user, make_workspace
from workspaces.hosts import HostError

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return Script(make_user("olga"))


@pytest.fixture
def run(script: Script) -> Run:
    task = make_task(workspace=make_workspace(owner=script.user))
    return make_run(task=task, state="running", run_dir="/state/runs/k-1")


class FakeHost:
    """The boundary: notes what the host is asked, and answers as the runner would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer: Any = {"ok": True}

    def call(self, verb: str, params: Any, timeout: float = 30) -> Any:
        self.asked.append((verb, params))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def commands(self) -> list[Any]:
        """Without the key by which the runner knows a command that comes twice."""
        said = [params["command"] for _, params in self.asked]
        return [{name: value for name, value in command.items() if name != "id"} for command in said]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    site = type("Site", (), {"host": fake})()
    monkeypatch.setattr(control, "site_of", lambda workspace: site)
    return fake


class TestReading:
    def test_it_has_the_pinned_fields(self, script: Script, run: Run) -> None:
        fields = {
            *("id", "task", "number", "state", "reason", "backend", "model", "reasoning_effort"),
            *("tmux_session", "cli_session", "queued_at", "started_at", "finished_at", "last_heard_at"),
            *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
            *("cost_usd", "cost_source", "open_requests"),
        }
        read = script.get(f"/runs/{run.pk}")
        assert set(read) >= fields
        assert (read["task"], read["number"], read["state"]) == (run.task_id, 1, "running")

    def test_the_cost_is_a_number_or_null(self, script: Script, run: Run) -> None:
        assert script.get(f"/runs/{run.pk}")["cost_usd"] is None
        Run.objects.update(cost_usd=Decimal("0.123456"), cost_source="reported")
        assert script.get(f"/runs/{run.pk}")["cost_usd"] == 0.123456

    def test_times_have_a_zone(self, script: Script, run: Run) -> None:
        assert script.get(f"/runs/{run.pk}")["queued_at"].endswith("Z")

    def test_it_takes_three_queries_at_most(
        self, script: Script, run: Run, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(3):
            script.get(f"/runs/{run.pk}")


class TestEvents:
    def seqs(self, script: Script, run: Run, query: str = "") -> list[int]:
        return [event["seq"] for event in script.get(f"/runs/{run.pk}/events{query}")]

    def test_they_come_in_order_with_what_they_say(self, script: Script, run: Run) -> None:
        make_event(run, "text", text="Hello")
        make_event(run, "tool", id="t1", input={"command": "ls"})
        first, second = script.get(f"/runs/{run.pk}/events")
        assert (first["seq"], first["kind"], first["text"]) == (1, "text", "Hello")
        assert (second["seq"], second["input"]) == (2, {"command": "ls"})

    def test_they_go_on_after_a_place(self, script: Script, run: Run) -> None:
        for _ in range(5):
            make_event(run)
        assert self.seqs(script, run, "?after=2&limit=2") == [3, 4]
        assert self.seqs(script, run, "?after=5") == []

    def test_data_can_not_pose_as_the_number(self, script: Script, run: Run) -> None:
        event = make_event(run)
        event.data = {"seq": 99, "kind": "fake"}
        event.save()
        [read] = script.get(f"/runs/{run.pk}/events")
        assert (read["seq"], read["kind"]) == (1, "text")

    @pytest.mark.parametrize("query", ["limit=1001", "limit=0", "after=-1", "after=x", f"after={10**30}"])
    def test_a_wrong_place_is_422(self, script: Script, run: Run, query: str) -> None:
        script.get(f"/runs/{run.pk}/events?{query}")
        assert script.status == 422

    def test_it_takes_four_queries_at_most(
        self, script: Script, run: Run, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(50):
            make_event(run)
        with django_assert_max_num_queries(4):
            assert len(self.seqs(script, run)) == 50


class TestTalking:
    def test_a_message_reaches_the_runner_of_this_run(self, script: Script, run: Run, host: FakeHost) -> None:
        assert script.post(f"/runs/{run.pk}/message", {"text": "Stop that", "when": "after_turn"}) == {
            "ok": True,
            "run": run.pk,
        }
        command = {"command": "message", "text": "Stop that", "when": "after_turn"}
        assert host.commands == [command]
        assert [params["dir"] for _, params in host.asked] == ["/state/runs/k-1"]

    def test_its_model_effort_and_permissions_can_be_changed(
        self, script: Script, run: Run, host: FakeHost
    ) -> None:
        body = {"model": "haiku", "reasoning_effort": "low", "permission_mode": "ask"}
        assert script.post(f"/runs/{run.pk}/settings", body) == {"ok": True}
        assert host.commands == [
            {"command": "set_model", "model": "haiku", "reasoning_effort": "low"},
            {"command": "set_mode", "permission_mode": "ask"},
        ]

    @pytest.mark.parametrize(
        "body", [{}, {"permission_mode": "root"}, {"model": 1}, {"model": ""}, {"effort": "low"}]
    )
    def test_wrong_settings_never_reach_the_host(
        self, script: Script, run: Run, host: FakeHost, body: Any
    ) -> None:
        script.post(f"/runs/{run.pk}/settings", body)
        assert (script.status, host.asked) == (422, [])

    def test_it_can_be_interrupted(self, script: Script, run: Run, host: FakeHost) -> None:
        script.post(f"/runs/{run.pk}/interrupt")
        assert (script.status, host.commands) == (200, [{"command": "interrupt"}])

    @pytest.mark.parametrize(
        ("body", "command"),
        [
            ({"decision": "allow"}, {"command": "approve", "scope": "once"}),
            (
                {"decision": "allow", "input": {"command": "ls"}},
                {"command": "approve", "scope": "once", "input": {"command": "ls"}},
            ),
            ({"decision": "allow_for_run"}, {"command": "approve", "scope": "run"}),
            ({"decision": "deny", "text": "No"}, {"command": "deny", "text": "No"}),
            ({"decision": "deny"}, {"command": "deny"}),
            ({"answers": {"Colour?": "Blue"}}, {"command": "answer", "answers": {"Colour?": "Blue"}}),
            (
                {"decision": "allow", "answers": {"Which?": ["A", "B"]}},
                {"command": "answer", "answers": {"Which?": ["A", "B"]}},
            ),
        ],
    )
    def test_a_decision_becomes_the_runners_word(
        self, script: Script, run: Run, host: FakeHost, body: Any, command: Any
    ) -> None:
        script.post(f"/runs/{run.pk}/requests/req-7", body)
        assert (script.status, host.commands) == (200, [{**command, "request": "req-7"}])

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"decision": "maybe"},
            {"decision": "deny", "input": {}},
            {"decision": "allow_for_run", "answers": {}},
            {"decision": "allow", "input": "ls"},
            {"answers": {"q": 1}},
            {"decision": "allow", "scope": "run"},
        ],
    )
    def test_a_wrong_decision_never_reaches_the_host(
        self, script: Script, run: Run, host: FakeHost, body: Any
    ) -> None:
        script.post(f"/runs/{run.pk}/requests/req-7", body)
        assert (script.status, host.asked) == (422, [])

    @pytest.mark.parametrize("body", [{"text": ""}, {"text": "x", "when": "later"}, {}, {"text": "a\0b"}])
    def test_a_wrong_message_never_reaches_the_host(
        self, script: Script, run: Run, host: FakeHost, body: Any
    ) -> None:
        script.post(f"/runs/{run.pk}/message", body)
        assert (script.status, host.asked) == (422, [])

    def test_what_the_runner_refuses_is_409_with_its_words(
        self, script: Script, run: Run, host: FakeHost
    ) -> None:
        host.answer = {"ok": False, "error": "there is no open request req-7"}
        answer = script.post(f"/runs/{run.pk}/requests/req-7", {"decision": "allow"})
        assert (script.status, answer["detail"]) == (409, "there is no open request req-7")

    def test_to_an_ended_run_it_starts_one_that_goes_on(
        self, script: Script, run: Run, host: FakeHost
    ) -> None:
        Run.objects.update(state="succeeded", cli_session="s-1")
        answer = script.post(f"/runs/{run.pk}/message", {"text": "And the tests?"})
        following = Run.objects.get(pk=answer["run"])
        assert (following.number, following.prompt, following.state) == (2, "And the tests?", "queued")
        assert (following.resumes, host.asked) == ("s-1", [])

    def test_a_queued_run_hears_nothing_yet(self, script: Script, run: Run, host: FakeHost) -> None:
        Run.objects.update(state="queued", run_dir="")
        assert "not started" in script.post(f"/runs/{run.pk}/interrupt")["detail"]
        assert (script.status, host.asked) == (409, [])

    def test_a_runner_that_is_gone_is_409(self, script: Script, run: Run, host: FakeHost) -> None:
        host.answer = HostError("no runner listens", code="not_found")
        script.post(f"/runs/{run.pk}/interrupt")
        assert script.status == 409

    def test_a_host_that_is_away_is_503_with_a_hint(self, script: Script, run: Run, host: FakeHost) -> None:
        host.answer = HostError("cloud does not answer.", "Is it on?", code="timeout", retryable=True)
        answer = script.post(f"/runs/{run.pk}/interrupt")
        assert (script.status, answer) == (503, {"detail": "cloud does not answer.", "hint": "Is it on?"})


class TestStopping:
    def test_the_runner_is_asked_to(self, script: Script, run: Run, host: FakeHost) -> None:
        assert script.post(f"/runs/{run.pk}/stop")["id"] == run.pk
        assert (script.status, host.commands) == (200, [{"command": "stop"}])

    def test_a_queued_run_is_cancelled(self, script: Script, run: Run, host: FakeHost) -> None:
        Run.objects.update(state="queued", run_dir="")
        assert script.post(f"/runs/{run.pk}/stop")["state"] == "cancelled"
        assert host.asked == []

    def test_one_that_is_just_starting_is_cancelled(self, script: Script, run: Run, host: FakeHost) -> None:
        host.answer = HostError("no runner listens", code="not_found")
        script.post(f"/runs/{run.pk}/stop")
        run.refresh_from_db()
        assert (script.status, run.cancel_requested_at is not None) == (200, True)

    def test_an_ended_one_is_409(self, script: Script, run: Run, host: FakeHost) -> None:
        Run.objects.update(state="failed")
        script.post(f"/runs/{run.pk}/stop")
        assert (script.status, host.asked) == (409, [])


CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("GET", "/events", None),
    ("POST", "/stop", None),
    ("POST", "/interrupt", None),
    ("POST", "/message", {"text": "x"}),
    ("POST", "/settings", {"model": "haiku"}),
    ("POST", "/requests/r1", {"decision": "allow"}),
]


@pytest.mark.parametrize(("method", "rest", "body"), CALLS)
def test_for_a_stranger_a_run_is_404(run: Run, host: FakeHost, method: str, rest: str, body: Any) -> None:
    stranger = Script(make_user())
    stranger.call(method, f"/runs/{run.pk}{rest}", body)
    assert (stranger.status, host.asked) == (404, [])


@pytest.mark.parametrize(("method", "rest", "body"), CALLS)
def test_a_member_may_do_all_of_it(run: Run, host: FakeHost, method: str, rest: str, body: Any) -> None:
    member = Script(make_user())
    run.task.workspace.members.add(member.user)
    member.call(method, f"/runs/{run.pk}{rest}", body)
    assert member.status == 200

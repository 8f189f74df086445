"""Model, effort and permissions of a live run, from its next turn on."""

from __future__ import annotations

import pytest
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks.conversation import delivery
from tasks.conversation import services as conversation
from tasks.models import Outgoing, Run, Task
from tasks.runs.follower.store import save_events
from tasks.tests.conversation.hosts import AWAY, FakeHost, states
from tasks.tests.people import People

pytestmark = pytest.mark.django_db


class TestSettings:
    """Model, effort and permissions of a live run, from its next turn on."""

    def change(self, run: Run, **given: str) -> list[Outgoing]:
        return conversation.change(run, **{"user": None, **given})  # type: ignore[arg-type]

    def test_they_wait_for_the_host_in_line_and_are_sent_once(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY, AWAY, AWAY]
        conversation.send_message(run, "one", when="after_turn", user=None)
        self.change(run, model="haiku", mode="ask")
        assert states(run) == ["waiting"] * 3
        delivery.deliver(run.pk)
        delivery.deliver(run.pk)
        assert [command["command"] for command in host.commands] == ["message", "set_model", "set_mode"]
        assert host.commands[1]["model"] == "haiku"
        assert states(run) == ["sent", "taken", "taken"]

    def test_while_they_wait_the_page_says_so_and_they_can_be_taken_back(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        Outgoing.objects.create(run=run, kind="setting", payload={"command": "set_model", "model": "haiku"})
        page = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
        assert "From the next turn: model haiku" in page
        conversation.withdraw(Outgoing.objects.get())
        delivery.deliver(run.pk)
        assert (states(run), host.commands) == (["withdrawn"], [])

    def test_what_holds_already_is_not_sent(self, run: Run, host: FakeHost) -> None:
        with pytest.raises(Refused, match="Nothing was changed"):
            self.change(run, mode="edits")
        assert host.commands == []

    def test_an_older_wish_that_waits_can_be_undone(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        self.change(run, mode="ask")
        self.change(run, mode="edits")
        delivery.deliver(run.pk)
        assert [command["permission_mode"] for command in host.commands] == ["ask", "edits"]

    def test_what_the_runner_refuses_is_told_at_once(self, run: Run, host: FakeHost) -> None:
        host.answers = [{"ok": False, "error": "no such model"}]
        with pytest.raises(Refused, match="no such model"):
            self.change(run, model="nonsense")
        assert states(run) == []

    @pytest.mark.parametrize("model", ["-x", "a b", "a\n"])
    def test_what_no_cli_can_take_never_reaches_the_host(self, run: Run, host: FakeHost, model: str) -> None:
        with pytest.raises(Refused):
            self.change(run, model=model)
        assert (host.commands, states(run)) == ([], [])

    def test_a_run_that_goes_on_has_the_model_that_still_waited(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY, AWAY]
        self.change(run, model="haiku", effort="low")
        conversation.send_message(run, "and then", when="after_turn", user=None)
        Run.objects.filter(pk=run.pk).update(state="succeeded", cli_session="s-1", finished_at=timezone.now())
        delivery.repair()
        newest = run.task.runs.order_by("-number").first()
        assert newest is not None
        assert (newest.prompt, newest.model, newest.reasoning_effort) == ("and then", "haiku", "low")
        assert states(run) == ["taken", "taken"]

    def test_the_task_keeps_the_model_that_its_live_run_was_given(self, run: Run) -> None:
        event = {"v": 1, "seq": 1, "at": "2026-11-22T08:00:00Z", "kind": "settings", "model": "haiku"}
        save_events(run.pk, [event], start=0, end=9)
        assert Task.objects.get(pk=run.task_id).model == "haiku"

"""What people say, as rows: who was first, what waits, what is sent again, and who may say it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks.conversation import delivery, interactive
from tasks.conversation import services as conversation
from tasks.conversation.requests import Ask, groups
from tasks.models import ByHand, Outgoing, Run
from tasks.runs import control
from tasks.tests.conversation.hosts import ASKED, AWAY, FakeHost, states
from tasks.tests.factories import make_run, make_task, make_user
from tasks.tests.people import People, send
from workspaces.models import Host

pytestmark = pytest.mark.django_db


class TestMessages:
    def test_one_that_the_host_did_not_hear_is_sent_again_before_the_next(
        self, run: Run, host: FakeHost
    ) -> None:
        host.answers = [AWAY, AWAY]
        conversation.send_message(run, "one", when="now", user=None)
        conversation.send_message(run, "two", when="now", user=None)
        assert states(run) == ["waiting", "waiting"]
        delivery.deliver(run.pk)
        assert (host.texts, states(run)) == (["one", "two"], ["sent", "sent"])

    def test_it_keeps_its_key_when_it_is_sent_again(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        row = conversation.send_message(run, "one", when="now", user=None)
        delivery.deliver(run.pk)
        assert host.commands[0]["id"] == str(row.key)

    def test_the_event_tells_that_it_was_taken(self, run: Run, host: FakeHost) -> None:
        row = conversation.send_message(run, "one", when="now", user=None)
        delivery.note_events(run, [{"kind": "message", "id": str(row.key), "text": "one", "by": "web"}])
        assert states(run) == ["taken"]
        with pytest.raises(Refused, match="already received"):
            conversation.withdraw(Outgoing.objects.get(pk=row.pk))

    def test_one_that_never_left_is_withdrawn_without_the_host(self, run: Run, host: FakeHost) -> None:
        Outgoing.objects.create(run=run, kind="message", payload={"command": "message", "text": "x"})
        conversation.withdraw(Outgoing.objects.get())
        delivery.deliver(run.pk)
        assert (states(run), host.commands) == (["withdrawn"], [])

    def test_one_that_never_left_is_changed_in_its_place(self, run: Run, host: FakeHost) -> None:
        for text in ("one", "two"):
            said = {"command": "message", "text": text, "when": "now"}
            Outgoing.objects.create(run=run, kind="message", payload=said)
        conversation.edit(Outgoing.objects.earliest("pk"), "first", user=make_user())
        delivery.deliver(run.pk)
        assert host.texts == ["first", "two"]

    def test_one_whose_host_was_not_reached_is_withdrawn_without_it(
        self, run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(workspace: object) -> None:
            raise AWAY

        monkeypatch.setattr(control, "site_of", away)
        conversation.withdraw(conversation.send_message(run, "one", when="now", user=None))
        assert (states(run), host.commands) == (["withdrawn"], [])

    def test_one_that_the_agent_knows_is_taken_back_and_said_anew(self, run: Run, host: FakeHost) -> None:
        row = conversation.send_message(run, "one", when="after_turn", user=None)
        conversation.edit(row, "first", user=make_user())
        assert [command["command"] for command in host.commands] == ["message", "withdraw", "message"]
        assert (host.commands[-1]["text"], host.commands[-1]["when"]) == ("first", "after_turn")

    def test_no_words_in_their_place_leave_it_as_it_was(self, run: Run, host: FakeHost) -> None:
        row = conversation.send_message(run, "one", when="now", user=None)
        with pytest.raises(Refused, match="empty"):
            conversation.edit(row, " \n", user=make_user())
        assert (host.texts, states(run)) == (["one"], ["sent"])

    def test_one_to_an_ended_run_goes_to_the_live_one_of_its_task(self, run: Run, host: FakeHost) -> None:
        conversation.send_to_task(run.task, "one", when="now", user=make_user(), model="m-2")
        assert [command["command"] for command in host.commands] == ["set_model", "message"]

    def test_one_that_the_host_may_know_is_not_withdrawn_behind_its_back(
        self, run: Run, host: FakeHost
    ) -> None:
        host.answers = [AWAY, AWAY]
        row = conversation.send_message(run, "one", when="now", user=None)
        with pytest.raises(Refused, match="may already have"):
            conversation.withdraw(row)
        assert states(run) == ["waiting"]

    def test_what_a_run_did_not_take_starts_one_that_goes_on(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        conversation.send_message(run, "and then", when="after_turn", user=None)
        Run.objects.filter(pk=run.pk).update(state="succeeded", cli_session="s-1", finished_at=timezone.now())
        delivery.repair()
        newest = run.task.runs.order_by("-number").first()
        assert newest is not None
        assert (newest.prompt, newest.resumes, states(run)) == ("and then", "s-1", ["taken"])

    def test_after_a_cancel_it_is_told_that_it_was_not_taken(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        conversation.send_message(run, "and then", when="after_turn", user=None)
        Run.objects.filter(pk=run.pk).update(state="cancelled", cli_session="s-1")
        delivery.repair()
        assert (run.task.runs.count(), states(run)) == (1, ["failed"])


class TestAnswers:
    def test_the_second_person_is_told_who_was_faster(self, run: Run, host: FakeHost) -> None:
        ada = make_user("ada")
        conversation.answer(run, "r1", {"command": "approve"}, user=ada)
        with pytest.raises(Refused, match="ada has already answered"):
            conversation.answer(run, "r1", {"command": "deny"}, user=make_user())
        assert [command["command"] for command in host.commands] == ["approve"]

    def test_also_while_the_link_is_lost(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        conversation.answer(run, "r1", {"command": "approve"}, user=None)
        with pytest.raises(Refused, match="already answered this"):
            conversation.answer(run, "r1", {"command": "deny"}, user=None)
        assert states(run) == ["waiting"]

    def test_what_the_runner_refuses_may_be_answered_again(self, run: Run, host: FakeHost) -> None:
        host.answers = [{"ok": False, "error": "no such"}]
        with pytest.raises(Refused, match="no such"):
            conversation.answer(run, "r1", {"command": "approve"}, user=None)
        conversation.answer(run, "r1", {"command": "approve"}, user=None)
        assert states(run) == ["taken"]

    def test_the_terminal_was_faster(self, run: Run, host: FakeHost) -> None:
        host.answers = [AWAY]
        conversation.answer(run, "r1", {"command": "approve"}, user=None)
        delivery.note_events(
            run, [{"kind": "request_closed", "id": "r1", "decision": "allow", "by": "keyboard"}]
        )
        row = Outgoing.objects.get()
        assert (row.state, row.reason) == ("failed", "It was answered in the terminal.")

    def test_what_is_on_its_way_waits_for_nobody(self, run: Run, host: FakeHost, people: People) -> None:
        host.answers = [AWAY]
        conversation.answer(run, "r1", {"command": "approve"}, user=None)
        page = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
        assert "waiting for the host to confirm" in page
        assert "Allow once" not in page

    @pytest.mark.parametrize(
        ("values", "command"),
        [
            ({"decision": "allow"}, {"command": "approve", "scope": "once"}),
            ({"decision": "allow_for_run"}, {"command": "approve", "scope": "run"}),
            (
                {"decision": "allow", "mode": "edits"},
                {"command": "approve", "scope": "once", "mode": "edits"},
            ),
            ({"decision": "deny", "text": "No"}, {"command": "deny", "text": "No"}),
            (
                {"decision": "allow", "field": "command", "input": "ls -l"},
                {"command": "approve", "scope": "once", "input": {"command": "ls -l"}},
            ),
            (
                {"decision": "allow", "input": '{"command": "pwd"}'},
                {"command": "approve", "scope": "once", "input": {"command": "pwd"}},
            ),
            (
                {"decision": "answer", "question": ["A?", "B?"], "answer-0": ["x", "y"], "other-1": "z"},
                {"command": "answer", "answers": {"A?": ["x", "y"], "B?": "z"}},
            ),
        ],
    )
    def test_the_form_becomes_the_runners_word(
        self, run: Run, host: FakeHost, people: People, values: Any, command: Any
    ) -> None:
        answer = people.browser("owner").post(
            f"/runs/{run.pk}/requests/r1", values, headers={"HX-Request": "true"}
        )
        assert answer.status_code == 204
        said = {name: value for name, value in host.commands[0].items() if name not in ("id", "request")}
        assert said == command

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"decision": "allow", "input": "{"},
            {"decision": "allow", "input": "[]"},
            {"decision": "answer", "question": "A?"},
        ],
    )
    def test_what_can_not_be_understood_never_reaches_the_host(
        self, run: Run, host: FakeHost, people: People, values: Any
    ) -> None:
        assert send(people.browser("owner"), f"/runs/{run.pk}/requests/r1", **values).status_code == 409
        assert host.commands == []


class TestGroups:
    def test_the_same_command_of_the_same_cli_is_one_group(self, run: Run) -> None:
        other = make_run(task=make_task(workspace=run.task.workspace), open_requests=[{**ASKED, "id": "r9"}])
        different = {**ASKED, "id": "r2", "input": {"command": "rm -rf /"}}
        asks = [Ask(run, ASKED), Ask(other, other.open_requests[0]), Ask(run, different)]
        assert [[ask.request["id"] for ask in group.asks] for group in groups(asks)] == [["r1", "r9"], ["r2"]]


class TestEnding:
    def test_the_page_offers_to_interrupt_to_stop_and_as_the_last_resort_to_cancel(
        self, run: Run, people: People
    ) -> None:
        page = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
        assert 'id="interrupt"' in page
        assert f'hx-post="/runs/{run.pk}/stop"' in page
        assert f'hx-post="/tasks/{run.task_id}/cancel"' in page

    def test_stop_reaches_the_runner(self, run: Run, host: FakeHost, people: People) -> None:
        assert send(people.browser("member"), f"/runs/{run.pk}/stop").status_code == 204
        assert host.commands == [{"command": "stop"}]


class TestByHand:
    def test_a_run_does_not_start_while_somebody_works_by_hand(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = make_run(task=people.task, state="succeeded", run_dir="/r", cli_session="s")
        ByHand.objects.create(task=people.task, run=run, window="by-hand-1", tmux_session="aitask-1")
        monkeypatch.setattr(interactive, "is_open", lambda task: True)
        answer = send(people.browser("owner"), f"/tasks/{people.task.pk}/say", text="go on")
        assert (answer.status_code, people.task.runs.count()) == (409, 1)

    def test_it_does_not_open_beside_a_live_run(self, people: People, run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(cli_session="s")
        with pytest.raises(Refused, match="in progress"):
            interactive._claim(people.task, run, None)
        assert not ByHand.objects.exists()


PATHS = (
    "/runs/{run}/interrupt",
    "/runs/{run}/stop",
    "/runs/{run}/settings",
    "/runs/{run}/requests/r1",
    "/tasks/{task}/say",
    "/tasks/{task}/go-on",
)


@pytest.mark.parametrize("path", [*PATHS, "/tasks/{task}/by-hand", "/messages/{message}/withdraw"])
def test_strangers_can_do_none_of_it(people: People, run: Run, host: FakeHost, path: str) -> None:
    row = Outgoing.objects.create(run=run, kind="message", payload={"text": "x"})
    where = path.format(run=run.pk, task=run.task_id, message=row.pk)
    assert send(people.browser("stranger"), where, text="x", decision="allow").status_code == 404
    assert people.browser("owner").get(where).status_code == 405
    assert host.commands == []


def test_the_inbox_shows_strangers_nothing(people: People, run: Run) -> None:
    assert "Allow once" in people.browser("member").get("/inbox").content.decode()
    assert "All caught up" in people.browser("stranger").get("/inbox").content.decode()
    assert (
        send(people.browser("stranger"), "/inbox/answer", ask=f"{run.pk}-r1", decision="allow").status_code
        == 404
    )


def test_nobody_is_sent_to_the_login(client: Client) -> None:
    assert client.get("/inbox").status_code == 302


def test_a_host_that_is_away_is_not_nudged(run: Run, host: FakeHost, people: People) -> None:
    host.answers = [AWAY]
    conversation.send_message(run, "one", when="now", user=None)
    Outgoing.objects.update(retry_at=None)
    Host.objects.update_or_create(key=people.workspace.address.key, defaults={"link": Host.Link.DOWN})
    delivery.repair()
    assert Outgoing.objects.get().retry_at is None

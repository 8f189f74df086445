"""The agent's list, background work, compactions and unknown lines in rows, on pages and in the API."""

from __future__ import annotations

from typing import Any

import pytest

from aitask.lib.errors import Refused
from tasks import queries, rendering
from tasks.board import queries as board_queries
from tasks.board.cards import card_of
from tasks.conversation import rendering as talk
from tasks.conversation import services as conversation
from tasks.models import Outgoing, Run
from tasks.runs import control
from tasks.runs import services as run_services
from tasks.tests import work_scene
from tasks.tests.api_client import Script
from tasks.tests.conversation.hosts import FakeHost, states
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.tests.people import People, send
from tasks.tests.work_scene import progress, save, work

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>\u202e\"'&"


@pytest.fixture
def run() -> Run:
    task = make_task(workspace=make_workspace(owner=make_user("olga")), status="running")
    return make_run(task=task, state="running", run_dir="/state/runs/k-1")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()

    class Site:
        host = fake

    monkeypatch.setattr(control, "site_of", lambda workspace: Site)
    return fake


def begun(run: Run) -> Run:
    save(run, {"kind": "started", "cli_session": "s1"}, work_scene.usage(16_100))
    return run


def page(run: Run) -> str:
    return str(rendering.render_rows(queries.events(run.task, limit=500)))


class TestTheList:
    def test_the_row_has_the_newest_whole_list(self, run: Run) -> None:
        save(run, progress(0), progress(3))
        assert (run.steps_done, run.step_now, len(run.progress)) == (3, "Write the tests", 6)
        assert run.progress[0] == {"text": "Read the code", "state": "done"}

    def test_a_hostile_list_is_bounded_and_shown_as_text(self, run: Run) -> None:
        items: list[Any] = [{"text": HOSTILE * 99, "state": "pending"}] * 999
        save(run, {"kind": "progress", "items": [*items, 5, None, {"text": ["x"]}, {"state": {}}]})
        assert len(run.progress) == 100
        assert all(len(item["text"]) <= 200 for item in run.progress)
        assert "<script" not in talk.render_work(run)
        save(run, {"kind": "progress", "items": "x"}, {"kind": "progress"})
        assert (run.progress, run.step_now) == ([], "")

    def test_a_follow_up_goes_on_with_a_list_that_is_not_done(self, run: Run) -> None:
        save(begun(run), progress(3))
        Run.objects.filter(pk=run.pk).update(state="succeeded")
        follow_up = run_services.queue_run(run.task, user=None, prompt="Go on", resume=True)
        assert follow_up.progress == run.progress

    def test_a_new_conversation_and_a_list_that_is_done_begin_with_none(self, run: Run) -> None:
        done = {"kind": "progress", "items": [{"text": "A", "state": "done"}]}
        save(begun(run), progress(1), done)
        Run.objects.filter(pk=run.pk).update(state="succeeded")
        assert run_services.queue_run(run.task, user=None, prompt="Go on", resume=True).progress == []

    def test_the_card_shows_it_while_there_is_something_to_do(self, run: Run) -> None:
        save(run, progress(3))
        card = card_of(run.task, set())
        assert card.steps == 6
        before = board_queries.board(run.task.workspace.owner).version
        save(run, progress(4))
        assert board_queries.board(run.task.workspace.owner).version != before
        save(run, {"kind": "progress", "items": [{"text": "A", "state": "done"}]})
        Run.objects.filter(pk=run.pk).update(state="succeeded")
        run.task.refresh_from_db()
        assert card_of(run.task, set()).steps == 0


class TestBackground:
    def test_the_row_has_what_runs_now(self, run: Run) -> None:
        save(run, work("b1", "command", "make"), work("a1", "agent", "child", tokens=5))
        save(run, work("a1", "agent", "child", tokens=9), work("b1", "command", "make", "completed"))
        assert [(each["id"], each["tokens"]) for each in run.background] == [("a1", 9)]
        save(run, {"kind": "finished", "state": "succeeded"})
        assert run.background == []

    def test_what_the_agent_waits_for_is_not_listed(self, run: Run) -> None:
        save(run, work("a1", "agent", "child", waited=True))
        assert (len(run.background), run.in_background) == (1, [])

    def test_hostile_works_are_bounded_and_shown_as_text(self, run: Run) -> None:
        many = [work(f"b{n}", "command", HOSTILE * 99, doing=HOSTILE, since=HOSTILE) for n in range(99)]
        save(run, *many, {"kind": "background", "tokens": "many", "since": 5, "work": {}, "state": "x"})
        assert len(run.background) <= 50
        html = talk.render_work(run) + page(run)
        assert "<script" not in html
        assert "\u202e" not in html

    def test_it_can_be_stopped(self, run: Run, host: FakeHost) -> None:
        save(begun(run), work("b1", "command", "make"))
        conversation.stop_background(run, "b1")
        assert host.commands == [{"command": "stop_background", "work": "b1"}]

    def test_what_has_ended_can_not_be_stopped(self, run: Run, host: FakeHost) -> None:
        with pytest.raises(Refused, match="Nothing runs"):
            conversation.stop_background(run, "b1")
        save(begun(run), work("b1", "command", "make"))
        with pytest.raises(Refused, match="ended already"):
            conversation.stop_background(run, "b2")
        Run.objects.filter(pk=run.pk).update(state="succeeded")
        with pytest.raises(Refused):
            conversation.stop_background(Run.objects.get(), "b1")
        assert host.commands == []


class TestCompacting:
    def test_it_is_asked_of_the_runner(self, run: Run, host: FakeHost) -> None:
        conversation.compact(begun(run))
        assert host.commands == [{"command": "compact"}]

    def test_it_is_refused_before_there_is_a_conversation_and_while_it_goes_on(
        self, run: Run, host: FakeHost
    ) -> None:
        with pytest.raises(Refused, match="no conversation"):
            conversation.compact(run)
        save(begun(run), {"kind": "compaction", "phase": "started"})
        with pytest.raises(Refused, match="being compacted"):
            conversation.compact(run)
        save(run, {"kind": "compaction", "phase": "failed", "text": HOSTILE})
        conversation.compact(run)
        assert len(host.commands) == 1
        assert "<script" not in page(run)

    def test_the_page_has_the_context_as_numbers_and_the_button_while_the_run_is_live(self, run: Run) -> None:
        head = str(rendering.render_head(begun(run).task, run))
        assert "context 16.1k of 200k" in " ".join(head.split())
        assert "184k left" in head
        assert "Compact now" in head
        save(run, {"kind": "compaction", "phase": "started"})
        assert "Compacting…" in str(rendering.render_head(run.task, run))
        Run.objects.filter(pk=run.pk).update(state="succeeded", compacting=False)
        run.refresh_from_db()
        assert "Compact now" not in str(rendering.render_head(run.task, run))


class TestMessages:
    def test_one_that_was_returned_can_be_sent_again_and_is_not_delivered_twice(
        self, run: Run, host: FakeHost
    ) -> None:
        row = conversation.send_message(run, "Also Firefox", when="now", user=None)
        back = {"kind": "message_returned", "id": str(row.key), "text": "Also Firefox", "reason": "It ended."}
        save(run, back)
        assert states(run) == ["failed"]
        assert Outgoing.objects.get().reason == "It ended."
        assert "Use again" in talk.render_talk(run.task, run)["sent"]
        assert "Not taken" in page(run)

    def test_one_that_was_taken_stays_taken(self, run: Run, host: FakeHost) -> None:
        row = conversation.send_message(run, "one", when="now", user=None)
        about = {"id": str(row.key), "text": "one"}
        save(run, {"kind": "message", "by": "web", **about}, {"kind": "message_returned", **about})
        save(run, {"kind": "message_returned", "id": "no key", "text": "x"})
        assert states(run) == ["taken"]


class TestTheSession:
    def test_the_title_of_the_cli_is_a_hint_beside_the_persons(self, run: Run) -> None:
        title = run.task.title
        save(run, {"kind": "title", "text": f"{HOSTILE}\n" * 99})
        run.task.refresh_from_db()
        assert run.task.title == title
        assert len(run.session_title) <= 200
        assert "<script" not in page(run)

    def test_clear_moves_the_run_to_the_new_session(self, run: Run) -> None:
        save(begun(run), {"kind": "session", "cli_session": "s2"}, {"kind": "session", "cli_session": ""})
        assert run.cli_session == "s2"

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (
                {"kind": "compaction", "phase": "finished", "before": 16100, "after": 2600},
                "16.1k → 2.6k tokens",
            ),
            ({"kind": "model_change", "why": "refusal", "before": "a", "model": "b"}, "a → b"),
            ({"kind": "limit", "status": "ok", "windows": [], "extra_usage": True}, "extra usage"),
            ({"kind": "local_command", "name": "usage", "output": "Cost: $1"}, "/usage"),
            (
                {"kind": "background", "id": "x", "work": "command", "state": "failed"},
                "Background command has",
            ),
        ],
    )
    def test_each_kind_is_shown_as_what_it_is(self, run: Run, event: dict[str, Any], words: str) -> None:
        save(run, event)
        assert words in page(run)

    @pytest.mark.parametrize("kind", ["compaction", "model_change", "local_command", "background", "raw"])
    @pytest.mark.parametrize("value", [HOSTILE, 5, [HOSTILE], {"a": HOSTILE}, None, True])
    def test_fields_of_other_types_break_no_page(self, run: Run, kind: str, value: object) -> None:
        names = (
            "phase",
            "why",
            "name",
            "output",
            "state",
            "work",
            "title",
            "before",
            "after",
            "type",
            "line",
        )
        save(run, {"kind": kind, **dict.fromkeys(names, value), "tokens": value, "seconds": value})
        assert "<script" not in page(run)


class TestUnknownLines:
    def test_they_are_one_entry_counted_by_type(self, run: Run) -> None:
        raws = [{"kind": "raw", "line": {"n": n}, "type": "a" if n % 4 else "b"} for n in range(12)]
        save(run, *raws, {"kind": "raw", "type": "a", "count": 1000})
        assert run.raw_lines == {"a": 1009, "b": 3}
        html = page(run)
        assert html.count("data-raw=") == 1
        assert "1012 lines of raw output:" in html
        assert "1009 a, 3 b" in html

    def test_many_types_are_bounded(self, run: Run) -> None:
        save(run, *({"kind": "raw", "line": 1, "type": f"{HOSTILE}{n}" * 9} for n in range(300)))
        assert len(run.raw_lines) <= 61
        assert sum(run.raw_lines.values()) == 300
        assert "<script" not in page(run)

    def test_the_lines_are_plain_text_for_those_of_the_workspace(self, people: People) -> None:
        run = make_run(task=people.task)
        save(run, {"kind": "raw", "line": {"t": HOSTILE}, "type": "a"}, {"kind": "raw", "line": "x" * 9999})
        response = people.browser("member").get(f"/tasks/{people.task.pk}/raw/1")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert len(response.content) < 6000
        assert people.browser("stranger").get(f"/tasks/{people.task.pk}/raw/1").status_code == 404
        assert people.browser("member").get(f"/tasks/{people.task.pk}/raw/2").status_code == 404


@pytest.mark.parametrize("verb", ["compact", "background/stop"])
def test_only_those_of_the_workspace_may_do_it(people: People, host: FakeHost, verb: str) -> None:
    run = make_run(task=people.task, state="running", run_dir="/runs/1")
    save(begun(run), work("b1", "command", "make"))
    path = f"/runs/{run.pk}/{verb}"
    assert send(people.browser("stranger"), path, work="b1").status_code == 404
    assert people.browser("nobody").post(path).status_code == 302
    assert people.browser("member").get(path).status_code == 405
    assert host.commands == []
    assert send(people.browser("member"), path, work="b1").status_code in (200, 204)
    assert len(host.commands) == 1


def test_the_api_has_all_of_it(run: Run, host: FakeHost) -> None:
    script = Script(run.task.workspace.owner)
    save(begun(run), progress(3), work("b1", "command", "make"))
    found = script.get(f"/runs/{run.pk}")
    assert found["progress"][3] == {"text": "Write the tests", "state": "active"}
    assert (found["context_used"], found["context_window"]) == (16_100, 200_000)
    assert found["background"][0]["title"] == "make"
    assert script.post(f"/runs/{run.pk}/compact") == {"ok": True}
    assert script.post(f"/runs/{run.pk}/background/b1/stop") == {"ok": True}
    assert [command["command"] for command in host.commands] == ["compact", "stop_background"]
    script.post(f"/runs/{run.pk}/background/b2/stop")
    assert script.status == 409
    stranger = Script(make_user("stranger"))
    for verb in ("compact", "background/b1/stop"):
        stranger.post(f"/runs/{run.pk}/{verb}")
        assert stranger.status == 404

"""Talking to running agents from the web, with both real CLIs."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.client import ApiError
from aitask.tests.lab.tools import require_tool
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import World, embedded

pytestmark = pytest.mark.cli
Run = dict[str, Any]
MODELS = {"claude_code": ("claude-opus-4-5", "claude-sonnet-5"), "codex": ("gpt-6-sol", "gpt-5.6-sol")}


@pytest.fixture(scope="module")
def asking(world: World) -> dict[str, int]:
    """A workspace where agents ask before they do anything."""
    return {
        "workspace": world.add_workspace("asking", permission_mode="ask", max_permission_mode="full")["id"]
    }


@pytest.fixture(scope="module")
def web(world: World) -> WebSession:
    return WebSession(world.app)


def request_of(world: World, run: Run) -> dict[str, Any]:
    """The request that the run has open, as soon as it has one."""
    waiting = world.api.wait_for_run(run["id"], {"waiting", "failed", "succeeded", "cancelled"})
    assert waiting["state"] == "waiting", waiting["reason"]
    request: dict[str, Any] = waiting["open_requests"][0]
    return request


def answer(web: WebSession, run: Run, request: dict[str, Any], **values: Any) -> tuple[int, dict[str, Any]]:
    return web.post(f"/runs/{run['id']}/requests/{request['id']}", values)


def ended(world: World, run: Run, state: str = "succeeded") -> Run:
    over: Run = world.api.wait_for_run(run["id"])
    assert over["state"] == state, over["reason"]
    return over


def said(world: World, run: Run) -> list[str]:
    """What the agent has taken, in its order, without the prompt."""
    return [event["text"] for event in world.events(run, "message") if event["by"] != "prompt"]


def wait_for_event(world: World, run: Run, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = wait_for(lambda: world.events(run, kind), 40, f"an event {kind}")
    return found[0]


class TestAnswers:
    def test_what_is_allowed_is_done(self, world: World, web: WebSession, asking: Any, backend: str) -> None:
        run = world.start("@bash touch yes.txt\n@text fine", backend, **asking)
        request = request_of(world, run)
        page = web.get(f"/tasks/{run['task']}")
        assert "touch yes.txt" in page
        assert "Allow once" in page
        assert answer(web, run, request, decision="allow")[0] == 204
        ended(world, run)
        assert (world.worktree(run) / "yes.txt").exists()

    def test_for_the_run_means_that_the_same_is_not_asked_again(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        run = world.start("@bash touch a.txt\n@bash touch a.txt\n@text fine", backend, **asking)
        answer(web, run, request_of(world, run), decision="allow_for_run")
        ended(world, run)
        assert len(world.events(run, "request")) == 1
        assert not (world.worktree(run) / ".claude").exists()

    def test_a_denial_reaches_the_agent_with_its_word(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        run = world.start("@bash touch no.txt\n@bash true\n@text fine", backend, **asking)
        answer(web, run, request_of(world, run), decision="deny", text="Take the other way")
        wait_for_event(world, run, "request_closed")
        answer_all(world, web, run)
        over = ended(world, run)
        assert not (world.worktree(run) / "no.txt").exists()
        closed = world.events(run, "request_closed")[0]
        assert (closed["decision"], closed["by"], closed["text"]) == ("deny", "web", "Take the other way")
        heard = [event["output"] for event in world.events(over, "tool_result")]
        assert any("Take the other way" in str(text) for text in heard) or "Take the other way" in said(
            world, run
        )

    def test_a_changed_input_is_what_runs(self, world: World, web: WebSession, asking: Any) -> None:
        run = world.start("@bash touch first.txt\n@text fine", "claude_code", **asking)
        request = request_of(world, run)
        answer(web, run, request, decision="allow", field="command", input="touch second.txt")
        ended(world, run)
        assert (world.worktree(run) / "second.txt").exists()
        assert not (world.worktree(run) / "first.txt").exists()

    def test_a_question_gets_its_answer(self, world: World, web: WebSession, asking: Any) -> None:
        run = world.start("@ask Which colour? | Red | Blue\n@text fine", "claude_code", **asking)
        request = request_of(world, run)
        values = {"decision": "answer", "question": "Which colour?", "answer-0": "Blue"}
        assert answer(web, run, request, **values)[0] == 204
        ended(world, run)
        assert "Blue" in str(world.events(run, "tool_result")[0]["output"])

    def test_a_question_is_answered_in_own_words(self, world: World, web: WebSession, asking: Any) -> None:
        run = world.start("@ask Which colour? | Red | Blue\n@text fine", "claude_code", **asking)
        values = {"decision": "answer", "question": "Which colour?", "other-0": "a warm grey"}
        answer(web, run, request_of(world, run), **values)
        ended(world, run)
        assert "a warm grey" in str(world.events(run, "tool_result")[0]["output"])

    def test_a_plan_is_shown_revised_and_approved(self, world: World, web: WebSession, asking: Any) -> None:
        script = "@tool EnterPlanMode {}\n@plan # Steps\\n\\n- one\n@plan # Better\n@text fine"
        run = world.start(script, "claude_code", **asking)
        request = request_of(world, run)
        if request["tool"] == "EnterPlanMode":
            answer(web, run, request, decision="allow")
            wait_for(lambda: len(world.events(run, "request")) == 2, 30, "the plan")
            request = request_of(world, run)
        assert request["kind"] == "plan"
        assert "<h1>Steps</h1>" in web.get(f"/tasks/{run['task']}")
        answer(web, run, request, decision="deny", text="Shorter")
        wait_for(lambda: "Better" in str(world.events(run, "request")[-1]), 30, "the better plan")
        second = world.api.run(run["id"])["open_requests"][0]
        answer(web, run, second, decision="allow", mode="edits")
        ended(world, run)
        assert wait_for_event(world, run, "settings")["permission_mode"] == "edits"

    def test_of_two_answers_at_once_the_first_counts_and_the_other_is_told(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        run = world.start("@bash touch once.txt\n@text fine", backend, **asking)
        request = request_of(world, run)
        with ThreadPoolExecutor(4) as people:
            tries = [people.submit(answer, web, run, request, decision="allow") for _ in range(4)]
            answers = [each.result() for each in tries]
        assert sorted(status for status, _ in answers) == [204, 409, 409, 409]
        assert all(toast["text"] for status, toast in answers if status == 409)
        ended(world, run)
        assert len(world.events(run, "request_closed")) == 1

    def test_a_request_that_is_withdrawn_disappears(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        run = world.start("@bash touch gone.txt\n@text fine", backend, **asking)
        request = request_of(world, run)
        web.post(f"/runs/{run['id']}/interrupt")
        over = ended(world, run, "cancelled")
        assert over["open_requests"] == []
        assert world.events(run, "request_closed")[0]["decision"] == "withdrawn"
        assert answer(web, run, request, decision="allow")[0] == 409

    def test_identical_requests_are_answered_together(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        runs = [world.start("@bash touch same.txt\n@text fine", backend, **asking) for _ in range(3)]
        requests = [request_of(world, run) for run in runs]
        keys = [f"{run['id']}-{request['id']}" for run, request in zip(runs, requests, strict=True)]
        assert "3 runs" in web.get("/inbox")
        assert web.post("/inbox/answer", {"decision": "allow", "ask": keys})[0] == 204
        for run in runs:
            ended(world, run)
            assert (world.worktree(run) / "same.txt").exists()


def answer_all(world: World, web: WebSession, run: Run) -> None:
    """Allow whatever is still asked until the run is over."""

    def over() -> bool:
        now = world.api.run(run["id"])
        for request in now["open_requests"]:
            answer(web, run, request, decision="allow")
        return now["finished_at"] is not None

    wait_for(over, 60, "the end of the run", every=0.2)


class TestMessages:
    def test_now_and_after_this_turn(self, world: World, web: WebSession, backend: str) -> None:
        workspace = world.add_workspace(f"talk {backend}", permission_mode="full")["id"]
        run = world.start("@bash sleep 3\n@text fine", backend, workspace=workspace)
        wait_for_event(world, run, "tool")
        later = {"text": "@bash touch later.txt\n@text two", "when": "after_turn"}
        assert web.post(f"/tasks/{run['task']}/say", later)[0] == 204
        assert web.post(f"/tasks/{run['task']}/say", {"text": "a word", "when": "now"})[0] == 204
        assert "After this turn" in web.get(f"/tasks/{run['task']}")
        ended(world, run)
        assert sorted(said(world, run)) == sorted(["a word", later["text"]])
        assert (world.worktree(run) / "later.txt").exists()
        assert "Withdraw" not in web.get(f"/tasks/{run['task']}")

    def test_what_was_not_taken_is_edited_or_withdrawn(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        workspace = world.add_workspace(f"edit {backend}", permission_mode="full")["id"]
        run = world.start("@bash sleep 4\n@text fine", backend, workspace=workspace)
        wait_for_event(world, run, "tool")
        for text in ("@text never", "@text before"):
            web.post(f"/tasks/{run['task']}/say", {"text": text, "when": "after_turn"})
        never, before = waiting_messages(web, run)
        assert web.post(f"/messages/{never}/withdraw")[0] == 204
        assert web.post(f"/messages/{before}/edit", {"text": "@text afterwards"})[0] == 204
        ended(world, run)
        assert said(world, run) == ["@text afterwards"]
        assert web.post(f"/messages/{never}/withdraw")[0] == 409

    def test_to_an_ended_run_a_message_starts_one_that_goes_on(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        first = world.succeed("@text one", backend)
        model = {"claude_code": "claude-sonnet-5", "codex": "gpt-5.5"}[backend]
        status, toast = web.post(f"/tasks/{first['task']}/say", {"text": "@text two", "model": model})
        assert (status, toast["text"]) == (204, "Run 2 continues the conversation.")
        second = world.api.wait_for_run(world.task_of(first)["runs"][-1])
        assert (second["state"], second["cli_session"]) == ("succeeded", first["cli_session"])
        assert world.endpoint.ledger.turns(first["cli_session"])[-1].model == model


def waiting_messages(web: WebSession, run: Run) -> list[int]:
    """The ids of the messages that the page shows as not taken."""
    return [int(pk) for pk in re.findall(r"/messages/(\d+)/withdraw", web.get(f"/tasks/{run['task']}"))]


class TestSteering:
    def test_interrupting_while_it_writes(self, world: World, web: WebSession, backend: str) -> None:
        run = world.start("@stream 200 0.1\n@bash touch never.txt", backend)
        world.api.wait_for_run(run["id"], {"running"})
        wait_for_event(world, run, "message")
        assert web.post(f"/runs/{run['id']}/interrupt")[0] == 204
        over = ended(world, run, "cancelled")
        assert over["reason_code"] == "interrupted"
        assert not (world.worktree(run) / "never.txt").exists()

    def test_interrupting_while_a_command_runs_ends_the_command(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        workspace = world.add_workspace(f"stop {backend}", permission_mode="full")["id"]
        run = world.start("@bash env sleep 6161.5\n@text fine", backend, workspace=workspace)
        wait_for(lambda: sleepers("6161.5"), 40, "the command")
        web.post(f"/runs/{run['id']}/interrupt")
        assert ended(world, run, "cancelled")["reason_code"] == "interrupted"
        assert not sleepers("6161.5")

    def test_a_message_goes_on_after_an_interrupt(self, world: World, web: WebSession, backend: str) -> None:
        run = world.start("@stream 200 0.1", backend)
        wait_for_event(world, run, "message")
        web.post(f"/runs/{run['id']}/interrupt")
        over = ended(world, run, "cancelled")
        web.post(f"/tasks/{run['task']}/say", {"text": "@text again"})
        second = world.api.wait_for_run(world.task_of(run)["runs"][-1])
        assert (second["state"], second["cli_session"]) == ("succeeded", over["cli_session"])

    def test_stopping_ends_the_run_in_an_orderly_way(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        run = world.start("@steps 60 1", backend)
        wait_for_event(world, run, "message")
        assert web.post(f"/runs/{run['id']}/stop")[0] == 204
        assert ended(world, run, "cancelled")["reason"] == "Stopped."

    def test_model_effort_and_permissions_change_with_the_next_turn_by_page_and_by_api(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        workspace = world.add_workspace(f"model {backend}", permission_mode="full")["id"]
        run = world.start("@bash sleep 2\n@text fine", backend, workspace=workspace)
        wait_for_event(world, run, "tool")
        first, second = MODELS[backend]
        assert web.post(f"/runs/{run['id']}/settings", {"model": first, "reasoning_effort": "high"})[0] == 204
        say = {"text": "@bash sleep 2\n@text two", "when": "after_turn"}
        web.post(f"/tasks/{run['task']}/say", say)
        wait_for(lambda: said(world, run), 30, "the second turn")
        wait_for(lambda: len(world.events(run, "tool")) == 2, 30, "its command")
        changed = {"model": second, "reasoning_effort": "low", "permission_mode": "ask"}
        world.api.post(f"/api/runs/{run['id']}/settings", changed)
        world.api.post(
            f"/api/runs/{run['id']}/message", {"text": "@bash touch asked.txt", "when": "after_turn"}
        )
        answer(web, run, request_of(world, run), decision="allow")
        over = ended(world, run)
        assert {name: over[name] for name in changed} == changed
        assert (world.worktree(run) / "asked.txt").exists()
        turns = world.endpoint.ledger.turns(over["cli_session"])
        seen = [(turn.model, turn.effort, turn.prompt) for turn in turns]
        assert next(each for each in seen if "@text two" in each[2])[:2] == (first, "high"), seen
        assert {each[:2] for each in seen if "asked.txt" in each[2]} == {(second, "low")}, seen
        assert world.task_of(run)["model"] == second


def sleepers(mark: str) -> list[int]:
    return [pid for pid in processes.pids() if mark in processes.command_of(pid) and processes.is_alive(pid)]


class TestTwoFaces:
    """The keyboard in the pane and the page are one conversation."""

    def test_what_is_answered_in_the_pane_is_closed_on_the_page(
        self, world: World, web: WebSession, asking: Any, backend: str
    ) -> None:
        run = world.start("@bash touch typed.txt\n@text fine", backend, **asking)
        request = request_of(world, run)
        world.app.tmux.run("send-keys", "-t", f"=aitask-{run['task']}:", "/y", "Enter")
        ended(world, run)
        assert world.events(run, "request_closed")[0]["by"] == "keyboard"
        assert answer(web, run, request, decision="deny")[0] == 409

    def test_what_is_typed_in_the_pane_is_read_on_the_page(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        workspace = world.add_workspace(f"typed {backend}", permission_mode="full")["id"]
        run = world.start("@bash sleep 3\n@text fine", backend, workspace=workspace)
        wait_for_event(world, run, "tool")
        world.app.tmux.run("send-keys", "-t", f"=aitask-{run['task']}:", "words from the pane", "Enter")
        ended(world, run)
        assert [event["by"] for event in world.events(run, "message")] == ["prompt", "keyboard"]
        assert "words from the pane" in web.get(f"/tasks/{run['task']}")


class TestByHand:
    def screen(self, world: World, session: str) -> str:
        return world.app.tmux.run("capture-pane", "-p", "-S", "-", "-t", f"{session}:=by-hand-1")

    def shows(self, world: World, session: str, words: str) -> bool:
        """Before the conversation may stand what the CLIs ask a person once per repository, nothing else."""
        screen, pane = self.screen(world, session), f"{session}:=by-hand-1"
        trust = ("1. Yes, I trust this folder", "❯ Yes, I trust this folder", "1. Trust and continue")
        if "❯ No, exit" in screen:
            world.app.tmux.run("send-keys", "-t", pane, "Down")
        elif any(each in screen for each in trust):
            world.app.tmux.run("send-keys", "-t", pane, "Enter")
        return words in screen

    def test_the_clis_own_interface_opens_and_keeps_runs_away(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        run = world.succeed("@text words to see again", backend)
        assert web.post(f"/tasks/{run['task']}/by-hand")[0] == 204
        session = f"={run['tmux_session']}"
        assert "by-hand-1" in world.app.tmux.run("list-windows", "-t", session, "-F", "#{window_name}")
        words, notice = "words to see again", "No run of this task starts while this window is open."
        screen = partial(self.screen, world, session)
        if backend == "claude_code":  # it clears the screen later; Codex takes the whole screen at once
            wait_for(lambda: notice in screen(), 20, screen)
        wait_for(lambda: self.shows(world, session, words), 30, screen, every=0.5)
        status, toast = web.post(f"/tasks/{run['task']}/say", {"text": "@text no"})
        assert (status, toast["text"]) == (409, "This task's session is open in the CLI.")
        assert web.post(f"/tasks/{run['task']}/by-hand")[0] == 409
        world.app.tmux.run("kill-window", "-t", f"{session}:=by-hand-1")
        wait_for(lambda: not sleepers(run["cli_session"]), 30, "the end of the CLI")
        assert web.post(f"/tasks/{run['task']}/say", {"text": "@text yes"})[0] == 204
        second = world.api.wait_for_run(world.task_of(run)["runs"][-1])
        assert second["cli_session"] == run["cli_session"]

    def test_no_run_starts_beside_a_cli_in_the_shell_that_the_last_one_left(
        self, world: World, web: WebSession, backend: str
    ) -> None:
        run = world.succeed("@text words", backend)
        program, word = {"claude_code": ("claude", "--resume"), "codex": ("codex", "resume")}[backend]
        command = f"{require_tool(program)} {word} {run['cli_session']}"
        pane = f"=aitask-{run['task']}:"
        wait_for(
            lambda: "bash" in world.app.tmux.run("list-panes", "-t", pane, "-F", "#{pane_current_command}")
        )
        world.app.tmux.run("send-keys", "-t", pane, command, "Enter")
        wait_for(lambda: sleepers(command.partition(" ")[2]), 30, "the CLI")
        web.post(f"/tasks/{run['task']}/say", {"text": "@text no"})
        refused = world.api.wait_for_run(world.task_of(run)["runs"][-1])
        assert refused["reason"].startswith("This task's session is open in a shell on its host.")
        assert web.post(f"/tasks/{run['task']}/by-hand")[0] == 409
        for pid in sleepers(command.partition(" ")[2]):
            processes.send(pid, signal.SIGKILL)
        web.post(f"/tasks/{run['task']}/say", {"text": "@text yes"})
        last = world.api.wait_for_run(world.task_of(run)["runs"][-1])
        assert (last["state"], last["cli_session"]) == ("succeeded", run["cli_session"]), last["reason"]


@embedded
class TestSurvival:
    @pytest.mark.parametrize("role", ["web", "worker", "follower"])
    def test_a_request_is_open_and_answerable_after_a_kill(
        self, world: World, asking: Any, backend: str, role: str
    ) -> None:
        run = world.start("@bash touch lived.txt\n@text fine", backend, **asking)
        request = request_of(world, run)
        world.app.wait_for_restart(role, world.app.kill(role))
        world.app.wait_until_it_answers()
        assert world.api.run(run["id"])["open_requests"][0]["id"] == request["id"]
        world.api.post(f"/api/runs/{run['id']}/requests/{request['id']}", {"decision": "allow"})
        ended(world, run)
        assert (world.worktree(run) / "lived.txt").exists()
        with pytest.raises(ApiError, match="409"):
            world.api.post(f"/api/runs/{run['id']}/requests/{request['id']}", {"decision": "allow"})

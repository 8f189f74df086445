"""The guard, whatever happens below it. The CLI is a stand-in; the real ones are driven in test_cli_runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.repos import git, make_repo
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit.folder import RunFolder

from .client import Json, Serve
from .test_sweep import alive_with
from .test_tail import follow

pytestmark = pytest.mark.server

Prepare = Callable[..., "Guarded"]


class Guarded:
    """A run whose guard is a child of the test, without a terminal."""

    def __init__(self, serve: Serve, pyz: Path, environment: dict[str, str], spec: Json) -> None:
        self.serve = serve
        self.pyz = pyz
        self.environment = environment
        self.spec = spec
        self.folder = Path(serve.hello["state_dir"]) / "runs" / spec["key"]
        self.worktree = Path(spec["worktree"])

    def prepare(self, prompt: str) -> None:
        self.serve.call("prepare_run", dir=str(self.folder), spec=self.spec, prompt=prompt)

    def start(self) -> subprocess.Popen[str]:
        # the login shell at the end reads an empty input, and ends
        return subprocess.Popen(
            [sys.executable, str(self.pyz), "run", str(self.folder)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, prompt: str) -> Json:
        self.prepare(prompt)
        self.start().communicate(timeout=60)
        return self.outcome()

    def outcome(self) -> Json:
        path = self.folder / "outcome.json"
        wait_for(path.exists, 40, "the outcome")
        return json.loads(path.read_text())  # type: ignore[no-any-return]

    def events(self) -> list[Json]:
        path = self.folder / "events.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_for_text(self, text: str) -> None:
        wait_for(lambda: any(event.get("text") == text for event in self.events()), 40, text)

    def ask_to_cancel(self) -> Json:
        return dict(self.serve.call("cancel", dir=str(self.folder), reason="Not wanted", patience=0))

    def cancel(self) -> Json | None:
        answer: Json | None = self.serve.call("cancel", dir=str(self.folder), reason="Not wanted")["outcome"]
        return answer

    def state(self) -> Json:
        return dict(self.serve.call("run_state", dir=str(self.folder)))


@pytest.fixture
def guarded(tmp_path: Path, serve: Serve, pyz: Path, host_environment: dict[str, str]) -> Prepare:
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "claude"
    program.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "fake_claude.py").read_text())
    program.chmod(0o755)
    repo = make_repo(tmp_path / "repo")
    worktree = tmp_path / "tree"
    git(repo, "worktree", "add", "-q", "-b", "aitask/1-x", str(worktree))

    def prepare(**changes: Any) -> Guarded:
        spec: Json = {
            "key": "aaaa0000-1",
            "title": "A task",
            "backend": "claude_code",
            "permission_mode": "full",
            "worktree": str(worktree),
            "branch": "aitask/1-x",
            "base_commit": git(repo, "rev-parse", "main"),
            "environment": {"PATH": f"{tools}:{os.environ['PATH']}"},
            "commit": {"enabled": True, "message": "Leftovers", "name": "Ada", "email": "ada@lab.invalid"},
        }
        spec.update(changes)
        return Guarded(serve, pyz, host_environment, spec)

    return prepare


def test_a_run_ends_with_its_outcome_and_leftovers_committed(guarded: Prepare) -> None:
    run = guarded()
    (run.worktree / "left.txt").write_text("left over\n")
    outcome = run.run("go")
    assert (outcome["state"], outcome["reason_code"], outcome["ended_by"]) == ("succeeded", "", "runner")
    assert (outcome["cli_session"], outcome["usage"]["output_tokens"]) == ("s-1", 5)
    assert git(run.worktree, "log", "-1", "--format=%H %s") == f"{outcome['commit']} Leftovers"
    events = run.events()
    assert [event["seq"] for event in events] == list(range(1, outcome["last_seq"] + 1))
    assert events[-1]["kind"] == "finished"


def test_a_second_guard_never_runs_the_agent(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    first = run.start()
    run.wait_for_text("working")
    second = run.start()
    assert "already been started" in second.communicate(timeout=20)[0]
    assert second.returncode == 3
    assert len([event for event in run.events() if event["kind"] == "started"]) == 1
    run.cancel()
    first.communicate(timeout=20)


def test_a_run_cancelled_before_its_start_never_starts(guarded: Prepare) -> None:
    run = guarded()
    run.cancel()
    outcome = run.run("hang")
    assert (outcome["state"], outcome["reason"]) == ("cancelled", "Not wanted")
    assert [event["kind"] for event in run.events()] == ["finished"]


def test_a_cancel_ends_everything_the_agent_started(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4721"
    run = guarded()
    run.prepare(f"spawn {mark}")
    guard = run.start()
    run.wait_for_text("working")
    wait_for(lambda: len(alive_with(mark)) >= 4)
    outcome = run.cancel()
    assert outcome is not None
    assert outcome["state"] == "cancelled"
    assert alive_with(mark) == []
    assert guard.wait(20) == 0
    assert run.cancel() == outcome


def test_a_cancel_without_patience_is_asked_again_until_the_end(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    assert run.ask_to_cancel() == {"outcome": None, "ending": True}
    wait_for(lambda: not run.ask_to_cancel()["ending"], 40, "the end of a CLI that ignores interrupts")
    assert run.ask_to_cancel() == {"outcome": run.outcome(), "ending": False}
    assert run.outcome()["state"] == "cancelled"
    guard.communicate(timeout=20)


def test_nobody_waits_for_a_frozen_runner_that_is_to_be_cancelled(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    runner = runner_of(guard)
    os.kill(runner, signal.SIGSTOP)
    began = time.monotonic()
    assert run.ask_to_cancel()["ending"]
    assert time.monotonic() - began < 15  # less than the time for which a runner's answer is waited for
    os.kill(runner, signal.SIGCONT)
    assert run.cancel()
    guard.communicate(timeout=20)


def test_a_closed_terminal_ends_the_run_orderly(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4722"
    run = guarded()
    run.prepare(f"spawn {mark}")
    guard = run.start()
    run.wait_for_text("working")
    wait_for(lambda: len(alive_with(mark)) >= 4)
    os.killpg(guard.pid, signal.SIGHUP)
    outcome = run.outcome()
    assert (outcome["state"], outcome["reason_code"]) == ("cancelled", "hangup")
    assert alive_with(mark) == []
    guard.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_in_the_moment_of_the_claim_leaves_an_outcome(
    guarded: Prepare, number: signal.Signals
) -> None:
    """The moment lasts as long as the imports that follow the claim."""
    run = guarded()
    run.prepare("hello")
    guard = run.start()
    claim = RunFolder(run.folder).guard
    while not claim.exists():
        assert guard.poll() is None
    os.killpg(guard.pid, number)
    guard.communicate(timeout=30)
    assert run.outcome()["state"] in ("cancelled", "failed", "succeeded")


def runner_of(guard: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
    return int(children[0])


def test_a_killed_runner_still_gives_an_outcome_and_leaves_nothing(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4723"
    run = guarded()
    run.prepare(f"spawn {mark}")
    guard = run.start()
    run.wait_for_text("working")
    wait_for(lambda: len(alive_with(mark)) >= 4)
    os.kill(runner_of(guard), signal.SIGKILL)
    guard.communicate(timeout=30)
    outcome = run.outcome()
    assert (outcome["reason_code"], outcome["ended_by"]) == ("runner_died", "guard")
    assert outcome["cli_session"] == "s-1"
    assert outcome["swept"] >= 4
    assert alive_with(mark) == []


def test_a_killed_guard_lets_the_runner_finish_the_run(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4724"
    run = guarded()
    run.prepare(f"spawn {mark}")
    guard = run.start()
    run.wait_for_text("working")
    wait_for(lambda: len(alive_with(mark)) >= 4)
    guard.kill()
    outcome = run.outcome()
    assert (outcome["reason_code"], outcome["ended_by"]) == ("hangup", "runner")
    wait_for(lambda: alive_with(mark) == [])


def test_a_run_without_guard_and_runner_is_buried_by_a_cancel(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4725"
    run = guarded()
    run.prepare(f"spawn {mark}")
    guard = run.start()
    run.wait_for_text("working")
    wait_for(lambda: len(alive_with(mark)) >= 4)
    runner = runner_of(guard)
    guard.kill()
    os.kill(runner, signal.SIGKILL)
    guard.wait(10)
    assert run.state()["alive"] is False
    outcome = run.cancel()
    assert outcome is not None
    assert (outcome["state"], outcome["ended_by"]) == ("cancelled", "serve")
    for pid in alive_with(mark):  # an empty environment and a double fork leave no trace to find it by
        os.kill(pid, signal.SIGKILL)


def test_a_run_without_guard_and_runner_is_committed_by_whoever_follows_it(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    (run.worktree / "left.txt").write_text("left over\n")
    follow(run.serve, run.folder)
    runner = runner_of(guard)
    os.kill(guard.pid, signal.SIGSTOP)  # so that it does not see the runner's end
    os.kill(runner, signal.SIGKILL)
    guard.kill()
    guard.wait(10)
    outcome = run.outcome()
    assert (outcome["state"], outcome["committed"], outcome["cli_session"]) == ("lost", True, "s-1")
    assert git(run.worktree, "show", f"{outcome['commit']}:left.txt") == "left over"
    assert run.events()[-1]["kind"] == "finished"


def test_a_stopped_runner_whose_guard_was_killed_is_waited_for(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    tail = follow(run.serve, run.folder)
    runner = runner_of(guard)
    os.kill(runner, signal.SIGSTOP)
    guard.kill()
    guard.wait(10)
    tail.until(lambda item: any(line.get("text") == "working" for line in item.get("lines", [])))
    os.kill(runner, signal.SIGCONT)
    assert run.outcome()["ended_by"] == "runner"


def test_a_run_outlives_the_deletion_of_its_folder(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    tail = follow(run.serve, run.folder)
    tail.until(lambda item: "lines" in item)
    before, began = run.events(), (run.folder / "prompt.md").stat().st_mtime
    shutil.rmtree(run.folder.parent)
    wait_for(lambda: (run.folder / "control").exists() and run.events() == before, 40, "the folder")
    assert json.loads((run.folder / "spec.json").read_text())["title"] == "A task"
    assert (run.folder / "prompt.md").stat().st_mtime == began
    (run.worktree / "left.txt").write_text("left over\n")
    outcome = run.cancel()
    assert outcome is not None
    assert (outcome["state"], outcome["committed"], outcome["ended_by"]) == ("cancelled", True, "runner")
    assert [event["seq"] for event in run.events()] == list(range(1, outcome["last_seq"] + 1))
    guard.communicate(timeout=20)
    tail.until(lambda item: "outcome" in item)
    assert not any("missing" in item or "gone" in item for item in tail.items)


def test_a_run_that_succeeds_without_its_worktree_has_failed(guarded: Prepare) -> None:
    run = guarded()
    (run.worktree.parent / "tools" / "claude").write_text(
        (run.worktree.parent / "tools" / "claude")
        .read_text()
        .replace(
            'text("an answer")', f'__import__("shutil").rmtree({str(run.worktree)!r}); text("an answer")'
        )
    )
    outcome = run.run("go")
    assert (outcome["state"], outcome["reason_code"]) == ("failed", "worktree_gone")
    assert str(run.worktree) in outcome["reason"]


def test_a_deleted_hostkit_is_there_again_for_the_next_start(guarded: Prepare) -> None:
    run = guarded()
    content = run.pyz.read_bytes()
    run.pyz.unlink()
    assert run.run("go")["state"] == "succeeded"
    assert run.pyz.read_bytes() == content


def test_a_cli_that_dies_is_named_with_its_last_words(guarded: Prepare) -> None:
    outcome = guarded().run("die")
    assert (outcome["state"], outcome["reason_code"]) == ("failed", "cli_died")
    assert outcome["reason"].startswith("claude ended unexpectedly (exit status 3): ")
    assert "fake claude fell over" in outcome["reason"]
    assert "\x1b" not in outcome["reason"]


def test_a_missing_cli_says_how_to_install_it(guarded: Prepare) -> None:
    outcome = guarded(environment={"PATH": "/usr/bin:/bin"}).run("go")
    assert (outcome["state"], outcome["reason_code"]) == ("failed", "cli_missing")
    assert "npm install" in outcome["reason"]


def test_a_missing_worktree_is_named(guarded: Prepare) -> None:
    outcome = guarded(worktree="/nonexistent/tree").run("go")
    assert outcome["state"] == "failed"
    assert "/nonexistent/tree" in outcome["reason"]


def test_the_setup_command_runs_once_per_worktree(guarded: Prepare, tmp_path: Path) -> None:
    marker = tmp_path / "marks" / "done"
    changes = {"setup_command": "echo setting up; echo x >> $PWD/log", "setup_marker": str(marker)}
    first = guarded(**changes)
    assert first.run("go")["state"] == "succeeded"
    assert marker.exists()
    told = next(event for event in first.events() if event["kind"] == "tool_result")
    assert (told["output"], told["exit_code"]) == ("setting up\n", 0)
    assert "setting up" in (first.folder / "terminal.raw").read_text()
    assert guarded(key="aaaa0000-2", **changes).run("go")["state"] == "succeeded"
    assert (first.worktree / "log").read_text() == "x\n"


def test_a_failed_setup_fails_the_run_before_the_agent(guarded: Prepare, tmp_path: Path) -> None:
    marker = tmp_path / "done"
    run = guarded(setup_command="echo one; echo two >&2; exit 4", setup_marker=str(marker))
    outcome = run.run("go")
    assert (outcome["reason_code"], outcome["state"]) == ("setup", "failed")
    assert "two" in outcome["reason"]
    assert not marker.exists()
    assert "started" not in [event["kind"] for event in run.events()]


def test_a_cancel_ends_a_setup_command(guarded: Prepare) -> None:
    mark = f"{os.getpid()}.4726"
    run = guarded(setup_command=f"sleep {mark}")
    run.prepare("go")
    guard = run.start()
    wait_for(lambda: alive_with(mark))
    outcome = run.cancel()
    assert outcome is not None
    assert outcome["state"] == "cancelled"
    assert alive_with(mark) == []
    guard.communicate(timeout=20)


def test_preparing_again_after_the_start_changes_nothing(guarded: Prepare) -> None:
    run = guarded()
    run.run("go")
    answer = run.serve.call("prepare_run", dir=str(run.folder), spec={}, prompt="other")
    assert answer == {"started": True}
    assert (run.folder / "prompt.md").read_text() == "go"


def test_the_run_folder_is_private(guarded: Prepare) -> None:
    run = guarded()
    run.run("go")
    assert run.folder.stat().st_mode & 0o777 == 0o700
    for path in run.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_state_of_a_run_is_told_at_every_stage(guarded: Prepare) -> None:
    run = guarded()
    assert run.state()["exists"] is False
    run.prepare("hang")
    assert (run.state()["exists"], run.state()["started"]) == (True, False)
    guard = run.start()
    run.wait_for_text("working")
    assert (run.state()["alive"], run.state()["finished"]) == (True, False)
    run.cancel()
    guard.communicate(timeout=20)
    state = run.state()
    assert (state["alive"], state["finished"]) == (False, True)
    assert state["last_seq"] == state["outcome"]["last_seq"]


def test_a_socket_path_that_is_too_long_is_reached_all_the_same(guarded: Prepare) -> None:
    run = guarded(key="k" * 120)
    run.prepare("hang")
    guard = run.start()
    run.wait_for_text("working")
    answer = run.serve.call("control", dir=str(run.folder), command={"command": "status"})
    assert answer["cli_session"] == "s-1"
    run.cancel()
    guard.communicate(timeout=20)


def test_the_shell_face_shows_the_saved_history(guarded: Prepare) -> None:
    run = guarded()
    run.prepare("go")
    (run.folder / "history.txt").write_text("what was seen\n")
    done = subprocess.run(
        [sys.executable, str(run.pyz), "shell", str(run.folder)],
        env=run.environment,
        input="pwd\n",
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == f"what was seen\n{run.worktree}\n"


def test_commands_that_the_end_of_a_run_ends_are_named(guarded: Prepare) -> None:
    run = guarded()
    assert run.run("background")["state"] == "succeeded"
    (text,) = [event["text"] for event in run.events() if event["kind"] == "notice"]
    assert "ended 1 background command: sleep t1." in text


def test_warnings_about_the_worktree_are_part_of_the_run(guarded: Prepare) -> None:
    run = guarded(notices=["A hook failed."])
    run.run("do it")
    assert run.events()[0]["text"] == "A hook failed."


def test_what_stays_out_of_the_commit_is_told_and_part_of_the_outcome(guarded: Prepare) -> None:
    run = guarded()
    git(run.worktree, "update-index", "--skip-worktree", "README.md")
    (run.worktree / "README.md").write_text("changed\n")
    outcome = run.run("do it")
    assert "README.md" in outcome["left_out"][0]
    assert outcome["left_out"] == [event["text"] for event in run.events() if event["kind"] == "notice"]

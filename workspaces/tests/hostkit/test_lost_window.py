"""A run whose tmux server ends goes on; a window or session that a person closes cancels it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tools import require_tool
from aitask.tests.lab.wait import wait_for

from .client import Bench, Json, Run

pytestmark = pytest.mark.server

EndServer = Callable[[Bench], None]


@pytest.fixture
def bench(tmp_path: Path, pyz: Path, host_environment: dict[str, str]) -> Iterator[Bench]:
    """A host with a stand-in for `claude`."""
    require_tool("tmux")
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "claude"
    program.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "fake_claude.py").read_text())
    program.chmod(0o755)
    environment = {**host_environment, "PATH": f"{tools}:{os.environ['PATH']}"}
    made = Bench(tmp_path / "host", pyz, environment, make_repo(tmp_path / "repo"))
    yield made
    made.close()


def kill(bench: Bench) -> None:
    os.kill(server_pid(bench), signal.SIGKILL)


def crash(bench: Bench) -> None:
    os.kill(server_pid(bench), signal.SIGSEGV)


def kill_server(bench: Bench) -> None:
    bench.tmux("kill-server")


def terminate(bench: Bench) -> None:
    os.kill(server_pid(bench), signal.SIGTERM)


def server_pid(bench: Bench) -> int:
    return int(bench.tmux("display-message", "-p", "#{pid}"))


def working(bench: Bench, gate: Path) -> Run:
    run = bench.start("claude_code", f"until {gate}")
    run.wait_event("text", text="working")
    return run


def lost_windows(run: Run) -> list[Json]:
    return [event for event in run.events("notice") if event.get("code") == "window_lost"]


@pytest.mark.parametrize("end_server", [kill, crash, kill_server, terminate])
def test_a_run_outlives_its_tmux_server(bench: Bench, tmp_path: Path, end_server: EndServer) -> None:
    gate = tmp_path / "gate"
    run = working(bench, gate)
    (run.worktree / "work.txt").write_text("of the agent\n")

    end_server(bench)
    wait_for(lambda: lost_windows(run), 20, "the notice that it has no window")
    gate.touch()

    outcome = run.outcome()
    assert (outcome["state"], outcome["ended_by"], outcome["committed"]) == ("succeeded", "runner", True)
    assert [event["seq"] for event in run.events()] == list(range(1, outcome["last_seq"] + 1))
    assert len(lost_windows(run)) == 1
    wait_for(lambda: run.bench.serve.call("run_state", dir=str(run.folder))["alive"] is False, 10)


@pytest.mark.parametrize("command", ["kill-session", "kill-window", "kill-pane"])
def test_what_a_person_closes_cancels_the_run(bench: Bench, tmp_path: Path, command: str) -> None:
    run = working(bench, tmp_path / "gate")

    bench.tmux(command, "-t", f"={run.session}" + ("" if command == "kill-session" else ":"))

    outcome = run.outcome()
    assert (outcome["state"], outcome["reason_code"]) == ("cancelled", "hangup")
    assert lost_windows(run) == []


def test_a_server_that_exits_slowly_has_ended_nevertheless(bench: Bench, tmp_path: Path) -> None:
    """tmux waits for its clients when it is told to exit; one that is stopped keeps the process alive."""
    gate = tmp_path / "gate"
    run = working(bench, gate)
    attach = ["tmux", "-C", "attach", "-t", f"={run.session}"]
    client = subprocess.Popen(
        attach,
        env=bench.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: bench.tmux("list-clients", check=False).strip(), 10, "the client")
        client.send_signal(signal.SIGSTOP)
        pid = server_pid(bench)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: lost_windows(run), 20, "the notice that it has no window")
    finally:
        client.kill()
        client.communicate()
    gate.touch()
    assert run.outcome()["state"] == "succeeded"


def test_a_new_window_shows_the_run_and_is_its_keyboard(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = working(bench, gate)
    kill(bench)
    wait_for(lambda: lost_windows(run), 20, "the notice that it has no window")

    run.join()
    wait_for(lambda: "working" in run.screen(), 20, lambda: f"what it had printed: {run.screen()}")
    run.type("/help")
    wait_for(lambda: "send a message to the agent" in run.screen(), 20, lambda: f"help: {run.screen()}")
    gate.touch()

    wait_for(lambda: "-- succeeded" in run.screen(), 20, lambda: f"the end: {run.screen()}")
    assert run.screen().count("working") == 1
    program = ("display-message", "-p", "-t", f"={run.session}:", "#{pane_current_command}")
    wait_for(lambda: bench.tmux(*program).strip() == "bash", 20, "the shell")
    run.type("echo a shell in $PWD")
    wait_for(lambda: f"a shell in {run.worktree}" in run.screen(), 20, lambda: f"a shell: {run.screen()}")


def test_a_person_who_closes_the_new_window_cancels_the_run(bench: Bench, tmp_path: Path) -> None:
    run = working(bench, tmp_path / "gate")
    kill(bench)
    wait_for(lambda: lost_windows(run), 20, "the notice that it has no window")
    run.join()
    wait_for(lambda: "working" in run.screen(), 20, "what it had printed")

    bench.tmux("kill-session", "-t", f"={run.session}")

    assert run.outcome()["reason_code"] == "hangup"


def test_a_run_outlives_the_server_of_its_second_window(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = working(bench, gate)
    for number in (1, 2):
        kill(bench)
        wait_for(lambda number=number: len(lost_windows(run)) == number, 20, "the notice")  # type: ignore[misc]
        run.join()
        wait_for(lambda: "working" in run.screen(), 20, "what it had printed")
    gate.touch()
    assert run.outcome()["state"] == "succeeded"


def test_ctrl_c_in_the_new_window_interrupts_the_turn(bench: Bench, tmp_path: Path) -> None:
    run = working(bench, tmp_path / "gate")
    kill(bench)
    wait_for(lambda: lost_windows(run), 20, "the notice that it has no window")
    run.join()
    wait_for(lambda: "working" in run.screen(), 20, "what it had printed")

    run.press("C-c")

    sent = run.folder / "raw.jsonl"
    wait_for(lambda: '"subtype":"interrupt"' in sent.read_text().replace(" ", ""), 20, "the interrupt")


@pytest.mark.parametrize("how", ["tmux kill-server", "tmux new-session -d -s mine; tmux kill-server"])
def test_a_tmux_command_of_an_agent_reaches_neither_our_server_nor_the_users(
    bench: Bench, tmp_path: Path, how: str
) -> None:
    bench.tmux("new-session", "-d", "-s", "private", "sleep", "60")
    spec = bench.spec("claude_code")
    del spec["environment"]["TMUX_TMPDIR"]
    run = bench.prepare(spec, f"run {how}; tmux ls")
    run.open()

    assert run.outcome()["state"] == "succeeded"

    assert "private" in bench.tmux("list-sessions")
    assert "private" not in json.dumps(run.events("text"))

"""The guards of a host are forked by one process, and behave as if each had been started in its window."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.tools import require_tool
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit.control_address import reachable

from .client import Bench, Run

pytestmark = pytest.mark.server


@pytest.fixture
def bench(tmp_path: Path, pyz: Path, host_environment: dict[str, str]) -> Iterator[Bench]:
    """A host with a stand-in for `claude`, and with a folder of hostkit that is its own."""
    require_tool("tmux")
    tools, kit = tmp_path / "tools", tmp_path / "kit" / pyz.name
    tools.mkdir()
    kit.parent.mkdir(mode=0o700)
    kit.write_bytes(pyz.read_bytes())
    program = tools / "claude"
    program.write_text(f"#!{sys.executable}\n" + (Path(__file__).parent / "fake_claude.py").read_text())
    program.chmod(0o755)
    environment = {**host_environment, "PATH": f"{tools}:{os.environ['PATH']}"}
    made = Bench(tmp_path / "host", kit, environment, make_repo(tmp_path / "repo"))
    yield made
    made.close()


def working(bench: Bench, gate: Path) -> Run:
    run = bench.start("claude_code", f"until {gate}")
    run.wait_event("text", text="working")
    return run


def guard_of(run: Run) -> int:
    return int(json.loads((run.folder / "guard.json").read_text())["pid"])


def fork_servers(bench: Bench) -> list[int]:
    found = processes.with_variable("HOME", bench.environment["HOME"])
    return [pid for pid in found if " fork-server " in processes.command_of(pid)]


def window_of(bench: Bench, run: Run) -> int:
    return int(bench.tmux("display-message", "-p", "-t", f"={run.session}:", "#{pane_pid}"))


def test_runs_that_start_at_once_have_guards_of_one_fork_server(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    runs = [bench.start("claude_code", f"until {gate}") for _ in range(6)]
    for run in runs:
        run.wait_event("text", text="working")
    (server,) = fork_servers(bench)
    assert {processes.parent_of(guard_of(run)) for run in runs} == {server}
    assert all(processes.name_of(window_of(bench, run)) == "sh" for run in runs)
    gate.touch()
    assert [run.outcome()["state"] for run in runs] == ["succeeded"] * 6


def test_runs_outlive_their_fork_server_and_the_next_run_starts_another(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = working(bench, gate)
    (killed,) = fork_servers(bench)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: fork_servers(bench) == [], 10, "the end of the fork server")

    second = working(bench, gate)
    assert processes.parent_of(guard_of(second)) == fork_servers(bench)[0] != killed
    gate.touch()
    assert [run.outcome()["state"] for run in (first, second)] == ["succeeded"] * 2
    wait_for(lambda: "-- succeeded" in first.screen(), 20, "what the guard prints at the end")


def test_a_fork_server_that_hangs_holds_up_no_run_for_long(bench: Bench, tmp_path: Path) -> None:
    working(bench, tmp_path / "gate")
    (hanging,) = fork_servers(bench)
    os.kill(hanging, signal.SIGSTOP)

    second = working(bench, tmp_path / "gate")
    assert guard_of(second) == window_of(bench, second)
    os.kill(hanging, signal.SIGCONT)
    (tmp_path / "gate").touch()
    assert second.outcome()["state"] == "succeeded"


def test_without_a_place_for_the_socket_the_window_is_the_guard(bench: Bench, tmp_path: Path) -> None:
    bench.pyz.parent.chmod(0o755)  # others could put a socket of their own there
    run = working(bench, tmp_path / "gate")
    assert guard_of(run) == window_of(bench, run)
    assert fork_servers(bench) == []
    (tmp_path / "gate").touch()
    assert run.outcome()["state"] == "succeeded"


def test_a_guard_has_the_environment_folder_and_arguments_of_its_window(bench: Bench, tmp_path: Path) -> None:
    working(bench, tmp_path / "gate")  # the fork server has been started without the variable
    run = bench.prepare(bench.spec("claude_code"), f"until {tmp_path / 'gate'}")
    bench.tmux("set-environment", "-g", "LC_MARK", "of the window")
    run.open()
    cli = int(run.wait_event("started")["pid"])
    assert processes.environment_of(cli)["LC_MARK"] == "of the window"
    shown = processes.command_of(guard_of(run))
    assert shown == f"{sys.executable} {bench.pyz} run {run.folder}"
    assert os.getpgid(guard_of(run)) == guard_of(run)


def test_ctrl_c_in_the_window_interrupts_the_turn(bench: Bench, tmp_path: Path) -> None:
    run = working(bench, tmp_path / "gate")
    run.press("C-c")
    sent = run.folder / "raw.jsonl"
    wait_for(lambda: '"subtype":"interrupt"' in sent.read_text().replace(" ", ""), 20, "the interrupt")
    assert processes.is_alive(window_of(bench, run))


def test_the_window_becomes_the_users_shell_also_when_hostkit_is_gone(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = working(bench, gate)
    bench.pyz.unlink()
    gate.touch()
    wait_for(lambda: "-- succeeded" in run.screen(), 20, "the end of the run")
    program = ("display-message", "-p", "-t", f"={run.session}:", "#{pane_current_command}")
    wait_for(lambda: bench.tmux(*program).strip() == "bash", 20, "the shell")
    run.type("echo a shell in $PWD; sleep 60")
    wait_for(lambda: f"a shell in {run.worktree}" in run.screen(), 20, lambda: f"a shell: {run.screen()}")
    wait_for(lambda: bench.tmux(*program).strip() == "sleep", 20, "a command in the foreground")
    run.press("C-c")
    run.type("trap; echo nothing ignored")
    wait_for(lambda: run.screen().count("nothing ignored") == 2, 20, "no signal is ignored in it")


def test_a_killed_window_is_a_closed_window(bench: Bench, tmp_path: Path) -> None:
    run = working(bench, tmp_path / "gate")
    os.kill(window_of(bench, run), signal.SIGKILL)
    assert run.outcome()["reason_code"] == "hangup"


def test_a_killed_guard_ends_the_run_and_its_window(bench: Bench, tmp_path: Path) -> None:
    run = working(bench, tmp_path / "gate")
    window = window_of(bench, run)
    os.kill(guard_of(run), signal.SIGKILL)
    assert run.outcome()["state"] == "failed"
    wait_for(lambda: not processes.is_alive(window), 20, "the end of the window")


def test_a_fork_server_serves_nobody_but_windows_of_its_tmux_server(bench: Bench, tmp_path: Path) -> None:
    working(bench, tmp_path / "gate")
    waiting = bench.prepare(bench.spec("claude_code"), "go")
    (address,) = bench.pyz.parent.glob("*.fork")
    with socket.socket(socket.AF_UNIX) as link, reachable(address) as short:
        link.settimeout(20)
        link.connect(short)
        request = b"\0".join([os.fsencode(waiting.folder), b"/", b"PATH=/bin"])
        try:
            socket.send_fds(link, [len(request).to_bytes(4, "big")], [0, 1, 2])
            link.sendall(request)
            answer = link.recv(64)
        except ConnectionError:
            answer = b""
    assert answer == b""
    assert not (waiting.folder / "guard.json").exists()
    assert address.stat().st_mode & 0o777 == 0o600


def test_a_fork_server_ends_with_its_tmux_server(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = working(bench, gate)
    bench.tmux("kill-server")
    wait_for(lambda: fork_servers(bench) == [], 30, "the end of the fork server")
    gate.touch()
    assert run.outcome()["state"] == "succeeded"
    assert list(bench.pyz.parent.glob("*.fork")) == []


def test_another_version_of_hostkit_has_a_fork_server_of_its_own(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    working(bench, gate)
    bench.pyz = Path(bench.pyz.rename(bench.pyz.with_name("hostkit-other.pyz")))
    second = working(bench, gate)
    assert len(fork_servers(bench)) == 2
    assert "hostkit-other.pyz" in processes.command_of(processes.parent_of(guard_of(second)))


def test_a_window_imports_next_to_nothing(pyz: Path) -> None:
    """Each start takes its time, while a guard's imports take a quarter of a second."""
    code = f"import sys; sys.path.insert(0, {str(pyz)!r}); import hostkit.run.start; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    large = {"typing", "socket", "signal", "json", "re", "pathlib", "subprocess", "asyncio", "enum"}
    assert large.isdisjoint(done.stdout.split())

"""This machine as a host: commands, files, many callers, and what happens when its helper dies."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from workspaces import hosts
from workspaces.hosts import HostError


def test_a_command_runs_without_a_shell(local: hosts.HostConnection) -> None:
    assert local.run(["echo", "$HOME; *", "a  b"]).out == "$HOME; * a  b\n"


def test_a_command_gets_its_folder_environment_and_input(local: hosts.HostConnection, tmp_path: Path) -> None:
    done = local.run(
        ["sh", "-c", 'pwd; echo "$GREETING"; cat'], cwd=str(tmp_path), env={"GREETING": "hi"}, stdin="in"
    )

    assert done.out == f"{tmp_path}\nhi\nin"


def test_a_failing_command_is_an_error_with_its_last_words(local: hosts.HostConnection) -> None:
    with pytest.raises(HostError, match="status 3: so bad") as caught:
        local.run(["sh", "-c", "echo so bad >&2; exit 3"])

    assert (caught.value.code, caught.value.data["rc"]) == ("remote_failed", 3)


def test_a_failing_command_may_be_no_error(local: hosts.HostConnection) -> None:
    assert local.run(["false"], check=False).rc == 1


def test_a_missing_program_says_so(local: hosts.HostConnection) -> None:
    with pytest.raises(HostError, match="no-such-program") as caught:
        local.run(["no-such-program"])

    assert caught.value.code == "not_found"


def test_a_command_that_takes_too_long_is_ended(local: hosts.HostConnection) -> None:
    with pytest.raises(HostError) as caught:
        local.run(["sleep", "60"], timeout=0.3)

    assert caught.value.code == "timeout_remote"


def test_output_that_is_no_utf8_comes_through(local: hosts.HostConnection) -> None:
    assert local.run(["printf", r"\377\0"]).out == "\udcff\0"


def test_secrets_and_git_variables_of_the_server_stay_here(
    local: hosts.HostConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    monkeypatch.setenv("PLAIN", "seen")

    names = {line.split("=")[0] for line in local.run(["env"]).out.splitlines()}

    assert "PLAIN" in names
    assert names.isdisjoint({"SECRET_KEY", "TMUX", "GIT_DIR"})


def test_hostkit_lies_there_for_its_owner_alone(local: hosts.HostConnection, home: Path) -> None:
    name = local.hello()["hostkit"]

    path = Path(local.hello()["state_dir"]) / "hostkit" / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_damaged_hostkit_is_put_there_anew(local: hosts.HostConnection, home: Path) -> None:
    path = Path(local.hello()["state_dir"]) / "hostkit" / local.hello()["hostkit"]
    local.close()
    path.write_bytes(b"damaged")

    assert local.run(["echo", "well"]).out == "well\n"


def test_all_callers_share_one_process(local: hosts.HostConnection) -> None:
    pids: set[int] = set()
    threads = [threading.Thread(target=lambda: pids.add(local.hello()["pid"])) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(pids) == 1


def test_a_slow_command_holds_up_no_other(local: hosts.HostConnection) -> None:
    slow = threading.Thread(target=lambda: local.run(["sleep", "2"]))
    slow.start()
    local.run(["true"])

    assert slow.is_alive()
    slow.join(10)


def test_a_killed_helper_ends_waiting_calls_and_the_next_call_starts_another(
    local: hosts.HostConnection,
) -> None:
    first = local.hello()["pid"]
    killer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
    killer.start()

    with pytest.raises(HostError) as caught:
        local.run(["sleep", "30"])

    assert (caught.value.code, caught.value.retryable) == ("link_lost", True)
    assert local.last_heard is not None
    assert local.hello()["pid"] != first


def test_a_lost_link_ends_a_stream(local: hosts.HostConnection) -> None:
    stream = local.stream("tail", {"runs": {}})
    os.kill(local.hello()["pid"], signal.SIGKILL)

    with pytest.raises(HostError) as caught:
        stream.get(10)

    assert caught.value.code == "link_lost"


def test_a_stream_tells_of_what_it_is_asked_to_follow_later(local: hosts.HostConnection, home: Path) -> None:
    stream = local.stream("tail", {"runs": {}})
    missing = str(home / "no-run")
    stream.send("tail_change", {"add": {missing: 0}, "remove": []})

    assert stream.get(30) == {"dir": missing, "missing": True}


def test_a_closed_stream_ends(local: hosts.HostConnection) -> None:
    stream = local.stream("tail", {"runs": {}})
    stream.close()

    assert list(stream) == []


def test_nothing_is_left_after_closing(local: hosts.HostConnection) -> None:
    pid = local.hello()["pid"]
    local.close()

    wait_for(lambda: not processes.is_alive(pid), 5, "the helper's end")


def test_a_helper_that_cannot_start_is_not_tried_again_at_once(
    local: hosts.HostConnection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(HostError) as first:
        local.hello()
    monkeypatch.undo()

    with pytest.raises(HostError) as second:
        local.call("stat", {"path": "/"})

    assert "next_try_in" not in first.value.data
    assert 0 < second.value.data["next_try_in"] <= 1.3


FORKED = """
import os
from workspaces import hosts

host = hosts.get(hosts.Address("local"))
parent = host.hello()["pid"]
child = os.fork()
if child == 0:
    own = host.hello()["pid"]
    print("same" if own == parent else "own", host.run(["echo", "works"]).out.strip(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(host.hello()["pid"] == parent)
"""


def test_a_forked_child_has_a_connection_of_its_own(local: hosts.HostConnection) -> None:
    assert python(FORKED) == "own works\nTrue\n"


ORPHANED = """
import os, sys, time
from workspaces import hosts

host = hosts.get(hosts.Address("local"))
print(host.hello()["pid"], flush=True)
if os.fork() == 0:
    sys.stdout.close()
    os.close(1); os.close(2)
    time.sleep(60)
os._exit(0)
"""


def test_a_forked_child_keeps_no_connection_of_its_parent_open(local: hosts.HostConnection) -> None:
    helper = int(python(ORPHANED))

    wait_for(lambda: not processes.is_alive(helper), 10, "the end of the parent's helper")


def python(script: str) -> str:
    """What a Python process with this application's settings prints."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "aitask.settings"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

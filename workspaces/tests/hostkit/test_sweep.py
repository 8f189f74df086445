"""Nothing stays behind: not what left its session, nor what was forked twice with an empty environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from aitask.tests.lab.wait import wait_for
from workspaces.hostkit import processes

SWEEPER = """
import json, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from hostkit import processes
processes.become_subreaper()
subprocess.Popen(["sh", "-c", sys.argv[2]])
wanted = int(sys.argv[3])
while sum(1 for p in processes.descendants(processes.os.getpid()) if p.state != "Z") < wanted:
    time.sleep(0.02)
began = time.monotonic()
swept = processes.sweep()
left = [p.pid for p in processes.descendants(processes.os.getpid())]
print(json.dumps({"swept": swept, "left": left, "seconds": time.monotonic() - began}))
"""


def alive_with(argument: str) -> list[int]:
    found = []
    for pid in processes.all_pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in words:
            found.append(pid)
    return found


def test_a_sweep_ends_sessions_daemons_and_stubborn_ones(pyz: Path) -> None:
    mark = f"{os.getpid()}.4711"
    script = f"""
    sleep {mark} &
    nohup sleep {mark} >/dev/null 2>&1 &
    setsid sleep {mark} &
    (env -i setsid sh -c 'sleep {mark} & sleep {mark}' &)
    trap '' TERM INT HUP
    while :; do sleep 0.05; done
    """
    done = subprocess.run(
        [sys.executable, "-c", SWEEPER, str(pyz), script, "7"], capture_output=True, text=True, timeout=30
    )
    told = json.loads(done.stdout)
    assert told["left"] == []
    assert told["swept"] >= 7
    assert told["seconds"] < 3
    assert alive_with(mark) == []


def test_an_identity_tells_a_process_from_a_later_one_with_its_pid() -> None:
    child = subprocess.Popen(["sleep", "60"])
    known = processes.identity(child.pid)
    assert processes.is_alive(known)
    assert not processes.is_alive({**known, "start_time": known["start_time"] + 1})
    assert not processes.is_alive({**known, "boot_id": "another"})
    child.kill()
    wait_for(lambda: not processes.is_alive(known))  # a zombie is not alive either
    child.wait()


def test_marked_processes_are_found_whoever_their_parent_is(tmp_path: Path) -> None:
    env = {**os.environ, processes.MARKER: str(tmp_path)}
    subprocess.run(["sh", "-c", "(setsid sleep 4712 >/dev/null 2>&1 &)"], env=env, check=True)
    assert wait_for(lambda: processes.marked(str(tmp_path)))
    assert processes.sweep_marked(str(tmp_path)) >= 1
    assert processes.marked(str(tmp_path)) == []


def test_an_open_file_is_known_to_be_open(tmp_path: Path) -> None:
    path = tmp_path / "index.lock"
    with path.open("w"):
        assert processes.is_open(path)
    assert not processes.is_open(path)

"""Children of `up` that are forked from a copy of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.installation import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked on Linux only")
CHILD = """
import json, os, signal, sys, threading
print(json.dumps({
    "argv": sys.argv[1:], "folder": os.getcwd(), "mark": os.environ.get("MARK"), "parent": os.getppid(),
    "group": os.getpgrp() == os.getpid(), "name": open("/proc/self/comm").read().strip(),
    "open": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "stop": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
}), flush=True)
print("to the log", file=sys.stderr, flush=True)
threading.Thread(target=lambda: print("of a thread")).start()
raise SystemExit(int(sys.argv[1]))
"""
PARENT = """
import json, os, sys, time
from pathlib import Path
from aitask.supervisor import groups, nursery
secret = open(os.devnull)
os.set_inheritable(secret.fileno(), True)
own = nursery.Nursery.open()
def run(*arguments):
    child = own.start("aitask-test", ["child", *arguments], folder=Path(sys.argv[1]),
                      environment={**os.environ, "MARK": "of the child"})
    text = child.stdout.read().decode().replace("\\0", "")
    while not groups.has_ended(child):
        time.sleep(0.01)
    return [child.pid, child.returncode, text]
told = {"me": os.getpid(), "runs": [run("3", "b c"), run("0")]}
orphan = own.start("aitask-orphan", ["orphan"], folder=Path(sys.argv[1]), environment=os.environ)
left = int(orphan.stdout.readline().replace(b"\\0", b""))
orphan.wait()
for _ in range(500):
    nursery.reap_adopted({own.pid})
    if not os.path.exists(f"/proc/{left}"):
        break
    time.sleep(0.01)
told["reaped"] = not os.path.exists(f"/proc/{left}")
os.kill(own.pid, 9)
try:
    run("0")
except OSError as error:
    told["error"] = str(error)
own.close()
print(json.dumps(told))
"""
ORPHAN = """
import os, time
pid = os.fork()
if pid:
    print(pid, flush=True)
    os._exit(0)
os.close(1)
os.close(2)
os.setsid()
os._exit(0)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with a nursery tells about its children."""
    folder = tmp_path_factory.mktemp("nursery")
    (folder / "child.py").write_text(CHILD)
    (folder / "orphan.py").write_text(ORPHAN)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{folder}",
        "DJANGO_SETTINGS_MODULE": "aitask.settings",
    }
    environment["DATA_DIR"] = str(folder)
    folder.chmod(0o700)
    code = "import django; django.setup()\n" + PARENT
    argv = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return {"folder": folder, **json.loads(done.stdout)}


def test_a_child_is_one_of_the_process_itself_with_arguments_folder_and_environment_of_its_own(
    told: dict[str, Any],
) -> None:
    (pid, status, text), _ = told["runs"]
    first, *rest = text.splitlines()
    found = json.loads(first)
    assert (found["argv"], found["mark"], found["name"]) == (["3", "b c"], "of the child", "aitask-test")
    assert (Path(found["folder"]), found["parent"], found["group"]) == (told["folder"], told["me"], True)
    assert found["stop"]
    assert status == 3
    assert sorted(rest) == ["of a thread", "to the log"]
    assert pid != told["me"]


def test_a_child_has_none_of_the_files_of_its_parent(told: dict[str, Any]) -> None:
    (_, _, text), _ = told["runs"]
    handles = json.loads(text.splitlines()[0])["open"]
    assert len(handles) <= 5  # the three of each process, the lifeline, and the folder that is listed


def test_one_child_after_the_other_is_forked(told: dict[str, Any]) -> None:
    first, second = told["runs"]
    assert first[0] != second[0]
    assert second[1] == 0


def test_orphans_of_children_leave_no_zombies(told: dict[str, Any]) -> None:
    assert told["reaped"]


def test_a_nursery_that_has_ended_is_an_error_that_up_can_handle(told: dict[str, Any]) -> None:
    assert told["error"]

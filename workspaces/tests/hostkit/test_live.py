"""serve and the runner: what the agent is writing reaches those who watch, and is not stored."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit.base.partial import KEPT, OpenParts
from workspaces.hostkit.control_address import reachable

from . import test_guard
from .client import Json, Serve
from .test_guard import Guarded, Prepare

pytestmark = pytest.mark.server
guarded = test_guard.guarded


class Watcher:
    """A stream `live` under way, with a copy of the parts of one run."""

    def __init__(self, serve: Serve, folder: Path, detail: str = "parts") -> None:
        self.serve = serve
        self.number = serve.begin("live", runs={str(folder): detail})
        self.parts = OpenParts()
        self.items: list[Json] = []

    def until(self, condition: Any, timeout: float = 30) -> Json:
        """Take items until one meets the condition."""
        while True:
            answer = self.serve.next(self.number, timeout)
            item: Json = answer.get("item") or answer
            self.items.append(item)
            message = item.get("live") or {}
            self.parts.replace(message.get("parts") or [], whole=bool(message.get("whole")))
            if condition(item):
                return item

    def until_text(self, text: str) -> None:
        self.until(lambda _: text in self.texts())

    def texts(self) -> list[str]:
        return [part.text for part in self.parts.parts.values()]


def run_of(guarded: Prepare, prompt: str) -> tuple[Guarded, subprocess.Popen[str]]:
    run = guarded()
    run.prepare(prompt)
    return run, run.start()


def test_a_watcher_sees_the_words_before_the_event_has_them(
    guarded: Prepare, serve: Serve, tmp_path: Path
) -> None:
    go, hold = tmp_path / "go", tmp_path / "go.hold"
    hold.touch()
    run, guard = run_of(guarded, f"write {go}")
    watcher = Watcher(serve, run.folder)
    watcher.until_text("one two ")
    late = Watcher(serve, run.folder)
    late.until_text("one two ")
    go.touch()
    ended = watcher.until(lambda item: any("seq" in part for part in item.get("live", {}).get("parts", [])))
    hold.unlink()
    (text,) = [event for event in run.events() if event["kind"] == "text"]
    (part,) = ended["live"]["parts"]
    assert (text["text"], text["part"], text["seq"]) == ("one two three", part["id"], part["seq"])
    watcher.until(lambda item: item.get("ended"))
    guard.communicate(timeout=40)
    assert b"stream_event" not in (run.folder / "raw.jsonl").read_bytes()
    assert {event["kind"] for event in run.events()} <= {
        *("state", "started", "message", "text", "usage", "notice", "finished")
    }


def test_a_card_gets_only_the_last_line(guarded: Prepare, serve: Serve, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run, guard = run_of(guarded, f"write {go}")
    watcher = Watcher(serve, run.folder, "line")
    assert watcher.until(lambda item: (item.get("live") or {}).get("line"))["live"] == {"line": "one two"}
    assert all("parts" not in (item.get("live") or {}) for item in watcher.items)
    go.touch()
    guard.communicate(timeout=40)


def test_who_does_not_read_gets_the_newest_and_the_agent_goes_on(guarded: Prepare) -> None:
    run, guard = run_of(guarded, "flood 1000")
    wait_for(lambda: (run.folder / "control").exists(), 30, "the control socket")
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(run.folder / "control") as address:
        link.connect(address)
    link.sendall(b'{"command": "live", "detail": "parts"}\n')
    other = Watcher(run.serve, run.folder)
    other.until(lambda _: any(text.endswith("the end") for text in other.texts()), 60)
    link.settimeout(20)
    got, parts = b"", OpenParts()
    while not any(part.text.endswith("the end") for part in parts.parts.values()):
        got += link.recv(1 << 20)
        *lines, rest = got.split(b"\n")
        for line in lines:
            parts.replace(json.loads(line)["parts"], whole=False)
        got = rest
    assert all(len(part.text) <= 2 * KEPT for part in parts.parts.values())
    assert sum(len(part.text) + part.skipped for part in parts.parts.values()) > 10_000_000
    link.close()
    run.cancel()
    guard.communicate(timeout=40)


def test_an_agent_killed_in_mid_answer_leaves_nothing_open(
    guarded: Prepare, serve: Serve, tmp_path: Path
) -> None:
    run, guard = run_of(guarded, f"write {tmp_path / 'never'}")
    watcher = Watcher(serve, run.folder)
    watcher.until_text("one two ")
    pid = run.serve.call("control", dir=str(run.folder), command={"command": "status"})["pid"]
    processes.send(pid, signal.SIGKILL)
    watcher.until(lambda item: item.get("ended"))
    guard.communicate(timeout=40)
    assert run.outcome()["state"] == "failed"
    assert not [event for event in run.events() if event["kind"] == "text"]


def test_the_followed_runs_can_be_changed(guarded: Prepare, serve: Serve, tmp_path: Path) -> None:
    go = tmp_path / "go"
    run, guard = run_of(guarded, f"write {go}")
    watcher = Watcher(serve, tmp_path / "nothing")
    add = {str(run.folder): "parts"}
    serve.call("live_change", live=watcher.number, add=add, remove=[str(tmp_path / "nothing")])
    watcher.until_text("one two ")
    serve.call("live_change", live=watcher.number, add={}, remove=[str(run.folder)])
    with pytest.raises(AssertionError, match="no such live"):
        serve.call("live_change", live=watcher.number + 999, add={}, remove=[])
    go.touch()
    guard.communicate(timeout=40)
    serve.send({"id": watcher.number, "cancel": True})
    assert watcher.until(lambda item: "ok" in item)["ok"] == {}


class Impostor:
    """A control socket that is not a runner's: an agent can put one into the folder of its run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable(folder / "control") as address:
            self.listener.bind(address)
        self.listener.listen()

    def answer(self, data: bytes) -> None:
        link, _ = self.listener.accept()
        link.recv(1000)
        link.sendall(data)
        os.sched_yield()


@pytest.mark.parametrize(
    "line",
    [
        b'{"ok": false, "error": "unknown command \'live\'"}\n',
        b"\n",
        b"[]\n",
        b"{" * 100_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_who_does_not_know_the_command_is_not_asked_again(serve: Serve, tmp_path: Path, line: bytes) -> None:
    impostor = Impostor(tmp_path / "run")
    watcher = Watcher(serve, tmp_path / "run")
    impostor.answer(line)
    assert watcher.until(lambda _: True) == {"dir": str(tmp_path / "run"), "ended": True}
    impostor.listener.close()


def test_a_message_without_an_end_is_not_collected_for_ever(serve: Serve, tmp_path: Path) -> None:
    impostor = Impostor(tmp_path / "run")
    watcher = Watcher(serve, tmp_path / "run")
    with pytest.raises(OSError, match=r"."):
        impostor.answer(b'{"parts": "' + b"x" * (8 << 20))
    assert watcher.until(lambda _: True) == {"dir": str(tmp_path / "run"), "lost": True}
    impostor.listener.close()

"""Talks to `serve` the way the door does, and lays out runs."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aitask.tests.lab import processes
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for

Json = dict[str, Any]
ADA = "ada@lab.invalid"


class Refused(AssertionError):
    """serve answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.kind = error["kind"]


class Serve:
    """`python3 X.pyz serve` as a child, with its answers sorted by request."""

    def __init__(self, pyz: Path, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(pyz), "serve"],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._answers: dict[int, queue.Queue[Json]] = {}
        self._number = 0
        self._lock = threading.Lock()
        self.hello = self._read_hello()
        threading.Thread(target=self._read, daemon=True).start()

    def _read_hello(self) -> Json:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())["hello"]  # type: ignore[no-any-return]

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            answer = json.loads(line)
            self._queue(answer["id"]).put(answer)

    def _queue(self, number: int) -> queue.Queue[Json]:
        with self._lock:
            return self._answers.setdefault(number, queue.Queue())

    def send(self, message: Json) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def begin(self, verb: str, **params: Any) -> int:
        """Send a request; its number."""
        self._number += 1
        self.send({"id": self._number, "verb": verb, "params": params})
        return self._number

    def next(self, number: int, timeout: float = 20.0) -> Json:
        return self._queue(number).get(timeout=timeout)

    def call(self, verb: str, *, wait: float = 40.0, **params: Any) -> Any:
        """One request and its answer. Raises Refused."""
        answer = self.next(self.begin(verb, **params), wait)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


class Bench:
    """A host: its serve, a tmux server of its own, a repository with worktrees."""

    def __init__(self, folder: Path, pyz: Path, environment: Mapping[str, str], repo: Path) -> None:
        self.folder = folder
        self.pyz = pyz
        self.environment = {**environment, "SHELL": "/bin/bash", "TMUX_TMPDIR": str(folder / "tmux")}
        (folder / "tmux").mkdir(parents=True)
        self.repo = repo
        self.serve = Serve(pyz, self.environment)

    def close(self) -> None:
        self.serve.close()
        processes.end_all_with_variable("HOME", self.environment["HOME"])  # also runs, which outlive tmux

    def tmux(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def worktree(self) -> tuple[Path, str]:
        """A new worktree on a branch of its own: the folder and the branch."""
        name = f"t-{uuid.uuid4().hex[:6]}"
        path = self.folder / "trees" / name
        git(self.repo, "worktree", "add", "-q", "-b", f"aitask/{name}", str(path))
        return path, f"aitask/{name}"

    def spec(self, backend: str, **changes: Any) -> Json:
        path, branch = self.worktree()
        spec: Json = {
            "v": 1,
            "key": f"aaaa0000-{uuid.uuid4().hex[:6]}",
            "run": 1,
            "task": 7,
            "number": 1,
            "title": "A task",
            "backend": backend,
            "model": None,
            "reasoning_effort": None,
            "permission_mode": "full",
            "worktree": str(path),
            "repo_git_dir": str(self.repo / ".git"),
            "git_dir": git(path, "rev-parse", "--absolute-git-dir"),
            "temporary": str(self.folder / "temporary"),
            "branch": branch,
            "base_commit": git(self.repo, "rev-parse", "main"),
            "resume": None,
            "thread_total": None,
            "environment": dict(self.environment),
            "setup_command": "",
            "setup_marker": "",
            "copied": [],
            "commit": {"enabled": True, "message": "Leftovers", "name": "Ada Lab", "email": ADA},
        }
        spec.update(changes)
        return spec

    def prepare(self, spec: Json, prompt: str) -> Run:
        folder = Path(self.serve.hello["state_dir"]) / "runs" / spec["key"]
        self.serve.call("prepare_run", dir=str(folder), spec=spec, prompt=prompt)
        return Run(self, folder, spec)

    def start(self, backend: str, prompt: str, **changes: Any) -> Run:
        """Prepare a run and start it in a tmux session."""
        run = self.prepare(self.spec(backend, **changes), prompt)
        run.open()
        return run


class Run:
    """A run on the bench."""

    def __init__(self, bench: Bench, folder: Path, spec: Json) -> None:
        self.bench = bench
        self.folder = folder
        self.spec = spec
        self.session = f"aitask-{spec['key']}"

    def open(self, subcommand: str = "run") -> None:
        command = [sys.executable, str(self.bench.pyz), subcommand, str(self.folder)]
        stay = ["set-option", "-s", "exit-empty", "off", ";"]
        self.bench.tmux(*stay, "new-session", "-d", "-s", self.session, "-x", "120", "-y", "50", *command)

    def join(self) -> None:
        """Open a new session for the run after the tmux server has ended."""
        self.open("join")

    @property
    def worktree(self) -> Path:
        return Path(self.spec["worktree"])

    def events(self, kind: str | None = None) -> list[Json]:
        path = self.folder / "events.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if kind in (None, event["kind"])]

    def wait_event(self, kind: str, timeout: float = 30, **fields: Any) -> Json:
        """The first event of this kind with these fields."""

        def find() -> Json | None:
            matching = (e for e in self.events(kind) if all(e.get(k) == v for k, v in fields.items()))
            return next(matching, None)

        found = wait_for(find, timeout, f"event {kind} {fields} of {self.kinds()}")
        assert found is not None
        return found

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]

    def outcome(self, timeout: float = 60) -> Json:
        path = self.folder / "outcome.json"
        wait_for(path.exists, timeout, f"the outcome, after {self.kinds()}")
        return json.loads(path.read_text())  # type: ignore[no-any-return]

    def control(self, command: str, **fields: Any) -> Json:
        words = {"command": command, **fields}
        return dict(self.bench.serve.call("control", dir=str(self.folder), command=words))

    def cancel(self) -> Json:
        return dict(self.bench.serve.call("cancel", dir=str(self.folder), reason="No longer wanted"))

    def screen(self) -> str:
        return self.bench.tmux("capture-pane", "-p", "-J", "-S", "-", "-t", f"={self.session}:")

    def type(self, text: str) -> None:
        self.bench.tmux("send-keys", "-t", f"={self.session}:", "-l", text)
        self.bench.tmux("send-keys", "-t", f"={self.session}:", "Enter")

    def press(self, key: str) -> None:
        self.bench.tmux("send-keys", "-t", f"={self.session}:", key)

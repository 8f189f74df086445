"""The check command, which runs in the merge worktree. Its tmux window outlives the worker."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import join

from workspaces import tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError

HAND_OVER_SECONDS = 0.5
START_SECONDS = 15.0
"A window that has not started its check after this time counts as lost."
SHOWN_OUTPUT = 64 * 1024
TERMINAL = re.compile(r"\x1b\[[0-9;:<-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Z]")
CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f]")


class CheckLost(Exception):
    """The check ended without a result: its window was closed or its host restarted."""


@dataclass(frozen=True)
class CheckResult:
    """The result of a check; `output` is the end of what it printed."""

    passed: bool
    status: int
    seconds: float
    output: str


@dataclass(frozen=True)
class Check:
    """One check, identified by its folder on the host. Starting it twice runs it once."""

    host: HostConnection
    folder: str
    session: str
    owner: str
    window: str

    def start(
        self,
        command: str,
        worktree: str,
        environment: Mapping[str, str],
        *,
        ssh_agent: bool = False,
        after: Check | None = None,
    ) -> None:
        """Run the command in the worktree, unless it is running or has run already.

        `ssh_agent` lends it the login's ssh agent. `after` is a check that has just ended: its process runs
        this one too, if it still exists.
        """
        spec: wire.CheckSpec = {
            "v": wire.PROTOCOL,
            "command": command,
            "worktree": worktree,
            "environment": dict(environment),
            "ssh_agent": ssh_agent,
        }
        prepared = self.host.call("prepare_run", {"dir": self.folder, "spec": spec, "prompt": command})
        if prepared.get("started") or (after and after.hand_over(self)):
            return
        hello = self.host.hello()
        kit = join(hello["state_dir"], "hostkit", hello["hostkit"])
        tmux.ensure_window(
            self.host,
            session=self.session,
            owner=self.owner,
            window=self.window,
            argv=[hello["executable"], "-ES", kit, "check", self.folder],
            cwd=worktree,
        )

    def is_started(self) -> bool:
        """Return whether a process has started it; it may have ended."""
        return self.host.call("run_state", {"dir": self.folder})["started"]

    def hand_over(self, following: Check) -> bool:
        """Ask the process of this check to run another one; return whether it has started."""
        try:
            self.host.call("write", {"path": join(self.folder, "next"), "data": following.folder})
        except HostError as error:
            if error.retryable:
                raise
            return False
        deadline = time.monotonic() + HAND_OVER_SECONDS
        while time.monotonic() < deadline:
            if self.host.call("run_state", {"dir": following.folder})["started"]:
                return True
            time.sleep(0.01)
        return False

    def look(self, started_ago: float) -> CheckResult | None:
        """Return the result; None while it runs. Raises CheckLost."""
        state = self.host.call("run_state", {"dir": self.folder})
        if state["outcome"] is not None:
            return self._result(state["outcome"])
        if state["started"] and not state["alive"]:
            again = self.host.call("run_state", {"dir": self.folder})
            if again["outcome"] is not None:
                return self._result(again["outcome"])
            raise CheckLost
        if not state["started"] and started_ago > START_SECONDS:
            raise CheckLost
        return None

    def _result(self, outcome: wire.Json) -> CheckResult:
        if outcome.get("interrupted"):
            raise CheckLost
        status = int(outcome["status"])
        output = self.tail() or str(outcome.get("error") or "")
        return CheckResult(status == 0, status, float(outcome["seconds"]), output)

    def tail(self, limit: int = SHOWN_OUTPUT) -> str:
        """Return the end of what it has printed so far."""
        path = join(self.folder, "terminal.raw")
        try:
            size = self.host.call("stat", {"path": path})["size"]
            answer = self.host.call("read", {"path": path, "offset": max(0, size - limit), "limit": limit})
        except HostError as error:
            if error.code != "not_found":
                raise
            return ""
        return plain(answer["data"])

    def stop(self) -> None:
        """Kill its tmux session, which ends the check."""
        tmux.kill_session(self.host, self.session, owner=self.owner)


def plain(output: str) -> str:
    """Return terminal output as plain text: without colours, and with only the last version of each line."""
    lines = TERMINAL.sub("", output).split("\n")
    return "\n".join(CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in lines)


class Pause:
    """Pauses between polls that grow with the time that the check has taken."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def wait(self) -> None:
        time.sleep(min(0.5, max(0.015, self.elapsed * 0.05)))

"""A hub in the test's own process, and browsers at it that keep all they get."""

from __future__ import annotations

import signal
import time
from typing import Any

from aitask.tests.lab import processes
from aitask.tests.lab.tmux import TmuxServer
from aitask.tests.lab.wait import wait_for
from terminal.control import gateway
from terminal.control.hub import TerminalHub
from terminal.control.viewer import Frame, Viewer, ViewTarget
from workspaces.hosts import Address, HostConnection
from workspaces.hosts.hub import hub as hosts_hub

SHELL = "env PS1='$ ' HISTFILE= bash --norc --noprofile"


class FakeBrowser:
    """A viewer whose frames are kept; it acknowledges at once unless it sleeps."""

    def __init__(
        self, hub: TerminalHub, session: str, size: tuple[int, int], *, looks: bool = False, window: str = ""
    ) -> None:
        self.hub = hub
        self.frames: list[Frame] = []
        self.sleeps = False
        self.shown = 0
        self.answered = 0
        "Answers of its terminal that were passed on."
        self.viewer = Viewer(ViewTarget(session, window=window), size, self._put, passive=looks)

    def _put(self, frame: Frame) -> None:
        self.frames.append(frame)
        if isinstance(frame, bytes):
            self.shown += len(frame)
            if not self.sleeps:
                gateway.soon(self.hub.acknowledged, self.viewer, self.shown)

    def wake(self) -> None:
        """Read all that had come, and go on reading."""
        self.sleeps = False
        gateway.soon(self.hub.acknowledged, self.viewer, self.shown)

    def attach(self) -> FakeBrowser:
        hosts_hub().run(self.hub.attach(self.viewer))
        wait_for(lambda: self.messages("snapshot"), 10, "the first snapshot")
        return self

    def leave(self) -> None:
        gateway.soon(self.hub.detach, self.viewer)

    def type(self, text: str) -> None:
        gateway.soon(self.hub.typed, self.viewer, text.encode())

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in list(self.frames) if isinstance(frame, dict) and frame["t"] == kind]

    @property
    def output(self) -> bytes:
        return b"".join(frame for frame in list(self.frames) if isinstance(frame, bytes))

    def wait_for(self, text: str, timeout: float = 15) -> None:
        wait_for(lambda: text.encode() in self.output, timeout, f"{text!r} in the browser")

    def wait_for_size(self, cols: int, rows: int) -> None:
        wait_for(lambda: self.size == (cols, rows), 10, f"the size {cols}×{rows}")

    @property
    def size(self) -> tuple[int, int]:
        """What the server said last."""
        told = [f for f in list(self.frames) if isinstance(f, dict) and f["t"] in ("size", "snapshot")]
        return (told[-1]["cols"], told[-1]["rows"]) if told else (0, 0)

    def settle(self, silence: float = 0.25) -> None:
        """Wait until nothing has come for a while."""
        count, since = -1, time.monotonic()
        while time.monotonic() - since < silence:
            if len(self.frames) != count:
                count, since = len(self.frames), time.monotonic()
            time.sleep(0.01)


class LocalHub:
    """A hub at a tmux server of the test's own."""

    def __init__(self, tmux: TmuxServer) -> None:
        self.tmux = tmux
        self.host = HostConnection(Address("local"))
        self.hub = TerminalHub(self.host)

    def session(
        self, name: str = "work", command: str = SHELL, *, cols: int = 80, rows: int = 24, limit: int = 50_000
    ) -> str:
        """Make a session with a long history."""
        size = ["-x", str(cols), "-y", str(rows)]
        if not self.tmux.sessions():
            self.tmux.run("new-session", "-d", "-s", "keep", "tail -f /dev/null")
            self.tmux.run("set-option", "-g", "history-limit", str(limit))
        self.tmux.run("new-session", "-d", "-s", name, *size, command)
        return name

    def open(
        self,
        session: str = "work",
        size: tuple[int, int] = (80, 24),
        *,
        looks: bool = False,
        window: str = "",
    ) -> FakeBrowser:
        return FakeBrowser(self.hub, session, size, looks=looks, window=window).attach()

    def windows(self) -> list[str]:
        """Windows in the hub's session."""
        return self.tmux.run("list-windows", "-t", f"={self.hub.name}", "-F", "#{window_name}").split()

    def cut(self) -> None:
        """End the hub's channel. Not by `detach-client`: tmux 3.3a itself crashes at times when told to."""
        pids = self.tmux.run("list-clients", "-t", f"={self.hub.name}", "-F", "#{client_pid}")
        for pid in pids.split():
            processes.send(int(pid), signal.SIGKILL)

    def stop_reading(self) -> None:
        """End the hub's channel as a killed process does: both pipes close with output unread."""
        client = self.hub._client
        assert client is not None
        assert client._channel is not None
        hosts_hub().loop.call_soon_threadsafe(client._channel.close)

    def close(self) -> None:
        hosts_hub().run(self.hub.close())
        self.host.close()

"""The loop that keeps the children running until a stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from django.core.management.color import supports_color

from aitask.lib.printer import LinePrinter, WritableText
from aitask.supervisor import groups, nursery
from aitask.supervisor.nursery import Nursery
from aitask.supervisor.roles import Child, Role

STEP_SECONDS = 0.1
GRACE_SECONDS = 8.0
TURN_SECONDS = 5.0
"How long a child may keep the others from starting."
COLOURS = ("36", "33", "35", "32", "34")


class Console:
    """Writes lines of several processes to one stream, each with the name of its role."""

    def __init__(self, stream: WritableText, names: Sequence[str]) -> None:
        self._output = LinePrinter(stream)
        self._width = max(map(len, names))
        self._colours = dict(zip(names, COLOURS * len(names), strict=False)) if _takes_colours(stream) else {}
        self._lock = threading.Lock()

    def show(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if name in self._colours:
            prefix = f"\033[{self._colours[name]}m{prefix}\033[0m"
        with self._lock:
            self._output.line(f"{prefix} {line}")


def _takes_colours(stream: WritableText) -> bool:
    """Whether the stream is a terminal that knows colours; the classic console of Windows does not."""
    return stream.isatty() and (os.name != "nt" or supports_color())


class Supervisor:
    """Runs roles until a signal or `stop`; then ends all of them within seconds."""

    def __init__(
        self, roles: Sequence[Role], folder: Path, console: Console, parent: Nursery | None = None
    ) -> None:
        self._console = console
        self._nursery = parent
        self._children = [Child(role, folder, console.show, parent) for role in roles]
        self._stopping = False
        self._began = time.monotonic()

    def run(self) -> None:
        """Run the children; returns after a stop."""
        self._catch_signals()
        groups.bind_children_to_this_process()
        try:
            while not self._stopping:
                self._tend_children()
                self._reap_adopted()
                time.sleep(STEP_SECONDS)
        finally:
            self._stop_children()
            if self._nursery:
                self._nursery.close()

    def _reap_adopted(self) -> None:
        if self._nursery:
            nursery.reap_adopted({self._nursery.pid, *(child.pid for child in self._children if child.pid)})

    def _tend_children(self) -> None:
        """Start each child once the one before it works: side by side, all of them would be ready late."""
        for number, child in enumerate(self._children):
            child.tend()
            if not child.has_answered and time.monotonic() - self._began < (number + 1) * TURN_SECONDS:
                break

    def _all_ended(self) -> bool:
        ended = [child.has_ended() for child in self._children]  # a list: each call waits for its process
        return all(ended)

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stopping = True

    def _catch_signals(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            # nohup ignores SIGHUP, and it must stay ignored.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.stop)

    def _stop_children(self) -> None:
        self._console.show("up", "stopping")
        for child in self._children:
            child.ask_to_stop()
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and not self._all_ended():
            time.sleep(STEP_SECONDS / 2)
        for child in self._children:
            child.end()

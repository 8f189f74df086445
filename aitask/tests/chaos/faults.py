"""The faults of the storm. Each ends what an agent must outlive: nothing of the runs themselves."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable

from aitask.tests.chaos.stage import Stage, stop_and_go_on
from aitask.tests.lab import processes

Fault = Callable[[], object]


class FaultMaker:
    """Makes one random fault at a time; those that last go on in threads. `made` counts them by name."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self.stage = stage
        self.dice = dice
        self.made: Counter[str] = Counter()
        self._lasting: list[threading.Thread] = []
        self._busy: set[str] = set()
        self._weights: dict[Fault, int] = {
            self.kill_web: 4,
            self.kill_worker: 4,
            self.kill_worker_child: 5,
            self.kill_follower: 5,
            self.kill_up: 1,
            self.kill_serve: 6,
            self.kill_connection: 4,
            self.restart_sshd: 1,
            self.kill_tmux: 3,
            self.cut_link: 2,
            self.freeze_link: 2,
            self.stop_a_role: 3,
            self.stop_serve: 2,
            self.lock_database: 1,
            self.fill_disk: 1 if stage.disk else 0,
            self.leave_sockets: 2,
        }

    def make(self) -> None:
        fault = self.dice.choices([*self._weights], [*self._weights.values()])[0]
        try:
            happened = fault()
        except (StopIteration, LookupError, OSError, AssertionError):
            return  # what it wanted to end is not there at the moment
        if happened is not False:
            self.made[fault.__name__] += 1

    def finish(self) -> None:
        """Wait until all faults that last are over."""
        for thread in self._lasting:
            thread.join()
        self.stage.lab.link.thaw()
        self.stage.lab.link.mend()

    # processes of the app

    def kill_web(self) -> None:
        self.stage.app.kill("web")

    def kill_worker(self) -> None:
        self.stage.app.kill("worker")

    def kill_worker_child(self) -> None:
        children = processes.descendants_of(self.stage.app.pid("worker"))
        self._kill(self.dice.choice(sorted(children)) if children else None)

    def kill_follower(self) -> None:
        self.stage.app.kill("follower")

    def kill_up(self) -> None:
        self.stage.app.kill("up")
        self.stage.restart_up()

    def stop_a_role(self) -> bool:
        role = self.dice.choice(["web", "worker", "follower"])
        return self._last(f"stop {role}", stop_and_go_on, self.stage.app.pid(role), self.dice.uniform(0.5, 5))

    # hosts and their links

    def kill_serve(self) -> None:
        found = self.stage.servers(far=self.dice.random() < 0.5)
        self._kill(self.dice.choice(sorted(found)) if found else None)

    def stop_serve(self) -> bool:
        found = sorted(self.stage.servers(far=self.dice.random() < 0.5))
        return self._last("stop serve", stop_and_go_on, self.dice.choice(found), self.dice.uniform(0.5, 8))

    def kill_connection(self) -> None:
        found = sorted(self.stage.connections())
        self._kill(self.dice.choice(found) if found else None)

    def restart_sshd(self) -> bool:
        return self._last("sshd", self.stage.lab.restart, self.dice.uniform(0.1, 3))

    def kill_tmux(self) -> None:
        pid = self.stage.tmux_server(far=self.dice.random() < 0.5)
        self._kill(pid, self.dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM]))

    def cut_link(self) -> bool:
        def cut(seconds: float) -> None:
            self.stage.lab.link.cut()
            time.sleep(seconds)
            self.stage.lab.link.mend()

        return self._last("link", cut, self.dice.uniform(0.1, 4))

    def freeze_link(self) -> bool:
        def freeze(seconds: float) -> None:
            self.stage.lab.link.freeze()
            time.sleep(seconds)
            self.stage.lab.link.thaw()

        return self._last("link", freeze, self.dice.uniform(0.5, 6))

    # storage and browsers

    def lock_database(self) -> bool:
        def lock(seconds: float) -> None:
            path = self.stage.app.data / "db.sqlite3"
            with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as database:
                database.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                database.rollback()

        return self._last("database", lock, self.dice.uniform(0.5, 8))

    def fill_disk(self) -> bool:
        def fill(seconds: float) -> None:
            filler = self.stage.app.data / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
                while out.write(b"\0" * (1 << 20)):
                    pass
            time.sleep(seconds)
            filler.unlink(missing_ok=True)

        return self._last("disk", fill, self.dice.uniform(0.5, 4))

    def leave_sockets(self) -> None:
        """Browsers that leave in the middle of a handshake."""
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.stage.app.port), timeout=2) as link:
                link.sendall(b"GET /ws/board HTTP/1.1\r\nHost: aitask.localhost\r\nUpgrade: websocket\r\n")

    def _kill(self, pid: int | None, number: signal.Signals = signal.SIGKILL) -> None:
        if pid is None:
            raise KeyError("no such process")
        processes.send(pid, number)

    def _last(self, name: str, work: Callable[..., object], *arguments: object) -> bool:
        """Let a fault go on in the background, one of each kind at a time. Return whether it began."""
        if name in self._busy:
            return False
        self._busy.add(name)

        def run() -> None:
            try:
                with contextlib.suppress(sqlite3.Error, OSError, AssertionError):
                    work(*arguments)
            finally:
                self._busy.discard(name)

        thread = threading.Thread(target=run, daemon=True)
        self._lasting.append(thread)
        thread.start()
        return True

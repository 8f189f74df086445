"""Kills processes of the app at random moments, by their ids, while something else goes on."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable

from aitask.tests.lab import processes
from tasks.tests.e2e.world import World


class Killer:
    """Kills processes of the app at random moments, by their ids, until it is told to stop."""

    def __init__(self, world: World, dice: random.Random, pause: float, most: int) -> None:
        self.world, self.dice, self.pause, self.most = world, dice, pause, most
        self.made: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rage, daemon=True)
        self._kinds: dict[Callable[[], int | None], int] = {
            self._role("worker"): 3,
            self._worker_child: 5,
            self._role("follower"): 3,
            self._role("web"): 1,
            self._serve: 2,
        }

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _rage(self) -> None:
        while self.made.total() < self.most and not self._over.wait(self.dice.expovariate(1 / self.pause)):
            kind = self.dice.choices([*self._kinds], [*self._kinds.values()])[0]
            with contextlib.suppress(StopIteration, LookupError):
                pid = kind()
                if pid is not None and processes.is_alive(pid):
                    processes.send(pid, signal.SIGKILL)
                    self.made[kind.__name__] += 1

    def _role(self, role: str) -> Callable[[], int]:
        def find() -> int:
            return self.world.app.pid(role)

        find.__name__ = role
        return find

    def _worker_child(self) -> int | None:
        """A process of the worker: one runs merge trains, starts and inspections."""
        found = processes.descendants_of(self.world.app.pid("worker"))
        return self.dice.choice(sorted(found)) if found else None

    def _serve(self) -> int | None:
        """The process through which the app speaks with the host."""
        left = self.world.app.leftovers()
        found = [pid for pid in left if all(w in processes.command_of(pid) for w in ("hostkit", "serve"))]
        return self.dice.choice(sorted(found)) if found else None

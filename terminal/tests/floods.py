"""Shells that print without end, beside one at which somebody types, and where nobody looks at them."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from terminal.tests.figures import resident
from terminal.tests.measure import echo, settle
from terminal.tests.peers import ByHand, Ours, Peer, attach_argv
from terminal.tests.site import Site

FLOOD = "yes the quick brown fox jumps over the lazy dog"
FORK = multiprocessing.get_context("fork")
OPEN_SECONDS = 60
CALM = 2.0
"Seconds after which a flood that has begun goes on as it will."


def start_floods(site: Site, tasks: Sequence[int]) -> None:
    """Let the sessions of these tasks print without end."""
    site.make_sessions(tasks)
    for task in tasks:
        site.tmux("send-keys", "-t", f"=aitask-{task}:", FLOOD, "Enter")


@contextmanager
def read_by_others(openers: Sequence[Callable[[], Peer]]) -> Iterator[None]:
    """Open these terminals in a process of their own, which reads all that comes."""
    opened, stop = FORK.Event(), FORK.Event()

    def read(peer: Peer) -> None:
        while not stop.is_set():
            peer.read(0.2)

    def serve() -> None:
        peers = [opener() for opener in openers]
        threads = [threading.Thread(target=read, args=(peer,)) for peer in peers]
        for thread in threads:
            thread.start()
        opened.set()
        for thread in threads:
            thread.join()
        for peer in peers:
            peer.close()

    reader = FORK.Process(target=serve)
    reader.start()
    try:
        assert opened.wait(OPEN_SECONDS), "the floods could not be opened"
        yield
    finally:
        stop.set()
        reader.join()


def echo_beside(site: Site, floods: Sequence[int], keys: int, rounds: int) -> dict[str, list[float]]:
    """Echo times in ms at a shell beside floods, each in a terminal: by hand, and here."""
    ways: dict[str, Callable[[int], Peer]] = {
        ByHand.name: lambda task: ByHand(attach_argv(site, task)),
        Ours.name: lambda task: Ours(site.open(task)),
    }
    site.make_sessions(site.tasks[:2])
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for task, (name, opener) in zip(site.tasks, ways.items(), strict=False):
            with read_by_others([partial(opener, flood) for flood in floods]):
                peer = opener(task)
                settle(peer, 1.0)
                time.sleep(CALM)
                times[name] += echo(peer, keys)
                peer.close()
    return times


def memory_of_tmux(site: Site, floods: Sequence[int], seconds: float) -> int:
    """Bytes of the host's tmux server after so long with floods that somebody has looked at before."""
    for task in floods:
        client = site.open(task)
        client.until_message("snapshot", OPEN_SECONDS)
        client.close()
    time.sleep(seconds)
    return resident(int(site.tmux("display-message", "-p", "#{pid}")))

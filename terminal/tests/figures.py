"""What a terminal costs, against `ssh -tt` by hand and other web terminals, over a loopback sshd.

All peers of an echo show shells of one tmux server and are measured in turns. terminado comes with
requirements-dev.txt; wetty is measured where it is on the PATH (or in $AITASK_TEST_TOOLS).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aitask.tests.lab.sshd import SshLab
from terminal.tests.measure import interleaved, settle, wait_for_bytes
from terminal.tests.peers import ByHand, Ours, Peer, attach_argv, terminado, wetty
from terminal.tests.site import Site, start_site

TERMINALS = 50
KEYS = 50
CAT_BYTES = 50_000_000


@contextmanager
def bench_site(tasks: int) -> Iterator[Site]:
    """A web server with sessions behind an sshd of the usual limits."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lab = stack.enter_context(SshLab(max_sessions=10, max_startups="10:30:100"))
        site = start_site(folder / "data", lab, tasks=tasks)
        stack.callback(site.installation.end)
        yield site


def echo_figures(site: Site, rounds: int, keys: int = KEYS) -> dict[str, list[float]]:
    """Echo times in ms of all peers that there are."""
    for task in site.tasks[:4]:
        site.make_session(task)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found: list[Peer | None] = [
            ByHand(attach_argv(site, site.tasks[0])),
            Ours(site.open(site.tasks[1])),
            stack.enter_context(terminado(attach_argv(site, site.tasks[2]))),
            stack.enter_context(wetty(attach_argv(site, site.tasks[3]), folder)),
        ]
        peers: list[Peer] = [peer for peer in found if peer is not None]
        for peer in peers:
            stack.callback(peer.close)
            settle(peer, 1.0)
        return interleaved(peers, keys, rounds)


def open_times(site: Site, times: int = 10) -> list[float]:
    """ms from the click to the first full screen, on a host that is connected already."""
    task = site.tasks[1]
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        client = site.open(task)
        client.until(lambda at: at.messages("snapshot") and at.output, 30)
        found.append((time.perf_counter() - begin) * 1000)
        client.close()
    return found


def interrupt_times(site: Site, times: int = 5) -> list[float]:
    """ms from Ctrl-C in a flood to the shell's prompt."""
    peer = Ours(site.open(site.tasks[1]))
    settle(peer)
    found = []
    for number in range(times):
        peer.type(b"\x15yes; echo stop''ped-%d\r" % number)
        flood_until = time.monotonic() + 0.5
        while time.monotonic() < flood_until:
            peer.read(0.1)
        begin = time.perf_counter()
        peer.type(b"\x03")
        wait_for_bytes(peer, b"^C", 30)
        found.append((time.perf_counter() - begin) * 1000)
        settle(peer)
    peer.close()
    return found


def cat_seconds(peer: Peer, path: str) -> float:
    """How long `cat` of a large file takes until its end is seen."""
    settle(peer)
    peer.type(f"\x15cat {path}; echo e''nd-of-cat\r".encode())
    return wait_for_bytes(peer, b"end-of-cat", 180)


def cat_figures(site: Site) -> tuple[float, float]:
    """Seconds by hand and here for 50 MB."""
    assert isinstance(site.host, SshLab)
    path = site.host.account.home / "large.txt"
    line = b"the quick brown fox jumps over the lazy dog 0123456789\n"
    path.write_bytes(line * (CAT_BYTES // len(line)))
    path.chmod(0o644)
    hand, ours = ByHand(attach_argv(site, site.tasks[0])), Ours(site.open(site.tasks[1]))
    settle(hand, 1.0)
    figures = cat_seconds(hand, str(path)), cat_seconds(ours, str(path))
    hand.close()
    ours.close()
    return figures


def never_reading(site: Site, seconds: float = 6.0) -> tuple[int, float]:
    """Bytes by which the server grows for a browser that never reads a flood, and the flood's lines/s."""
    task = site.tasks[2]
    sleeper = site.open(task)
    sleeper.acknowledges = False
    sleeper.until_message("snapshot")
    sleeper.type(b"i=0; while :; do i=$((i+1)); echo line $i; done\r")
    sleeper.drain(1)
    before, first, begin = resident(site.pid), _lines(site, task), time.monotonic()
    time.sleep(seconds)
    speed = (_lines(site, task) - first) / (time.monotonic() - begin)
    grown = resident(site.pid) - before
    sleeper.type(b"\x03")
    sleeper.close()
    return grown, speed


def _lines(site: Site, task: int) -> int:
    words = site.capture(task).replace("line", "").split()
    return max((int(word) for word in words if word.isdecimal()), default=0)


def many(site: Site, count: int) -> tuple[int, int]:
    """How many of `count` terminals on one host work at once, and what the web server then holds (bytes)."""
    clients = []
    site.make_sessions(site.tasks[-count:])
    for task in site.tasks[-count:]:
        clients.append(site.open(task))
    working = 0
    for number, client in enumerate(clients):
        client.until_message("snapshot", 60)
        client.type(b"echo num''ber-%d\r" % number)
    for number, client in enumerate(clients):
        client.until_text(f"number-{number}", 60)
        working += 1
    held = resident(site.pid)
    for client in clients:
        client.close()
    return working, held


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

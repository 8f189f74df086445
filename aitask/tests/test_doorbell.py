"""The doorbell: who is woken by what, how fast, and what a lost ring costs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import TransactionTestCase

from aitask.lib import doorbell
from aitask.lib.doorbell.hub import Doorbell
from aitask.lib.doorbell.local import LocalTransport
from aitask.lib.doorbell.transport import OnPayload, Resync

ANYTHING = frozenset({"*"})
MakeHub = Callable[[], Doorbell]


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[MakeHub]:
    """Hubs as of several processes that share one SQLite file."""
    database = tmp_path / "db.sqlite3"
    sqlite3.connect(database).execute("CREATE TABLE t (x)").connection.close()
    hubs = []

    def make() -> Doorbell:
        hubs.append(Doorbell(lambda: LocalTransport(tmp_path / "doorbell", database, b"secret")))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.stop()


def listening(hub: Doorbell, *topics: str) -> doorbell.Subscription:
    """A subscription whose listener is up: its first look has been taken."""
    subscription = hub.subscribe(topics)
    assert subscription.wait_blocking(5) == ANYTHING
    return subscription


def test_a_ring_wakes_only_those_who_asked_for_the_topic(make_hub: MakeHub) -> None:
    hub = make_hub()
    seven, eight = listening(hub, "task:7", "board"), listening_too(hub, "task:8")
    hub.ring(["task:7"])
    assert seven.wait_blocking(1) == {"task:7"}
    assert eight.wait_blocking(0) == frozenset()


def listening_too(hub: Doorbell, *topics: str) -> doorbell.Subscription:
    """A later subscription of a hub that listens already."""
    return hub.subscribe(topics)


def test_a_ring_of_another_process_arrives_within_50_ms(make_hub: MakeHub) -> None:
    subscription, other = listening(make_hub(), "task:7"), make_hub()
    latencies = []
    for _ in range(40):
        started = time.perf_counter()
        other.ring(["task:7"])
        assert subscription.wait_blocking(1) == {"task:7"}
        latencies.append(time.perf_counter() - started)
    assert statistics.median(latencies) < 0.05


def test_a_wait_that_is_cancelled_as_it_rings_is_cancelled(make_hub: MakeHub) -> None:
    """Python 3.11's wait_for loses the cancel, and with it the end of a socket."""
    subscription = listening(make_hub(), "task:7")

    async def cancel_as_it_rings(turns: int) -> bool:
        waiting = asyncio.create_task(subscription.wait(60))
        await asyncio.sleep(0)
        subscription.deliver(frozenset({"task:7"}))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_over = waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        return was_over or waiting.cancelled()

    async def at_every_moment() -> list[bool]:
        return [await cancel_as_it_rings(turns) for turns in range(6)]

    assert all(asyncio.run(at_every_moment()))


def test_closing_ends_a_wait_and_later_ones(make_hub: MakeHub) -> None:
    subscription = listening(make_hub(), "task:7")

    async def close() -> None:
        waiting = asyncio.create_task(subscription.wait())
        await asyncio.sleep(0)
        subscription.close()
        assert await waiting == frozenset()
        assert await subscription.wait() == frozenset()

    asyncio.run(asyncio.wait_for(close(), 20))
    assert subscription.wait_blocking(20) == frozenset()


def test_a_write_that_nobody_rang_for_is_seen_by_the_slow_look(make_hub: MakeHub, tmp_path: Path) -> None:
    subscription = listening(make_hub(), "task:7")
    with sqlite3.connect(tmp_path / "db.sqlite3") as other:
        other.execute("INSERT INTO t VALUES (1)")
    assert subscription.wait_blocking(20) == ANYTHING


def test_rings_between_two_waits_are_kept_and_coalesced(make_hub: MakeHub) -> None:
    hub = make_hub()
    subscription = listening(hub, "task:7", "board")
    for _ in range(100):
        hub.ring(["task:7"])
    hub.ring(["board"])
    assert subscription.wait_blocking(1) == {"task:7", "board"}
    assert subscription.wait_blocking(0) == frozenset()


def test_a_coroutine_is_woken_by_a_ring_of_another_thread(make_hub: MakeHub) -> None:
    hub = make_hub()
    subscription = listening(hub, "board")

    async def wait() -> frozenset[str]:
        threading.Timer(0.05, hub.ring, [["board"]]).start()
        return await subscription.wait(5)

    assert asyncio.run(wait()) == {"board"}


def test_a_wait_without_a_ring_ends_at_its_timeout_with_nothing(make_hub: MakeHub) -> None:
    subscription = listening(make_hub(), "board")
    assert asyncio.run(subscription.wait(0.05)) == frozenset()


def test_a_closed_subscription_hears_nothing(make_hub: MakeHub) -> None:
    hub = make_hub()
    with listening(hub, "board") as subscription:
        pass
    hub.ring(["board"])
    assert subscription.wait_blocking(0) == frozenset()


def test_files_of_dead_listeners_do_no_harm_and_go_away(make_hub: MakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "doorbell"
    folder.mkdir()
    fresh, old, strange = folder / "1.port", folder / "2.port", folder / "x.port"
    for file in (fresh, old, strange):
        file.touch()
    os.utime(old, (1, 1))
    subscription, other = listening(make_hub(), "board"), make_hub()
    other.ring(["board"])
    assert subscription.wait_blocking(1) == {"board"}
    assert fresh.exists()
    assert not old.exists()


def test_a_stopped_listener_leaves_no_file(make_hub: MakeHub, tmp_path: Path) -> None:
    hub = make_hub()
    listening(hub, "board")
    assert len(list((tmp_path / "doorbell").iterdir())) == 1
    hub.stop()
    assert list((tmp_path / "doorbell").iterdir()) == []


def test_too_many_topics_for_one_datagram_become_a_look_at_everything(make_hub: MakeHub) -> None:
    subscription, other = listening(make_hub(), "task:7"), make_hub()
    other.ring([f"task:{n}" for n in range(500)])
    assert subscription.wait_blocking(1) == ANYTHING


def test_a_datagram_that_is_no_ring_is_ignored(make_hub: MakeHub) -> None:
    hub = make_hub()
    subscription = listening(hub, "board")
    for junk in (b"", b"\xff", b"{", b"3", b"{}", b"[]", b'["x", 5, null]', b"[" * 900, b"[[1]]", b"5" * 999):
        hub._receive(junk)
    assert subscription.wait_blocking(0) == frozenset()


def test_a_datagram_of_a_stranger_wakes_nobody_and_the_listener_goes_on(
    make_hub: MakeHub, tmp_path: Path
) -> None:
    subscription, other = listening(make_hub(), "board"), make_hub()
    (port,) = (int(file.stem) for file in (tmp_path / "doorbell").glob("*.port"))
    forged = json.dumps(["stranger", "board"]).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for junk in (b"", b"[" * 60_000, forged, b"x" * 16 + forged, b"secret" + forged, b"\xff" * 2048):
            sender.sendto(junk, ("127.0.0.1", port))
        assert subscription.wait_blocking(0.3) == frozenset()
    other.ring(["board"])
    assert subscription.wait_blocking(1) == {"board"}


def test_a_listener_that_breaks_is_started_again_and_everyone_looks() -> None:
    class Breaking:
        calls = 0

        def send(self, payload: bytes) -> None: ...

        def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
            Breaking.calls += 1
            if Breaking.calls == 1:
                raise OSError("gone")
            resync()
            stopping.wait()

    hub = Doorbell(Breaking)
    assert hub.subscribe(["board"]).wait_blocking(5) == ANYTHING
    hub.stop()


def test_a_ring_never_raises_when_the_way_is_broken() -> None:
    class Broken:
        def send(self, payload: bytes) -> None:
            raise OSError("gone")

        def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
            stopping.wait()

    Doorbell(Broken).ring(["board"])


class AfterCommitTest(TransactionTestCase):
    def test_a_ring_is_heard_only_after_the_commit(self) -> None:
        with doorbell.subscribe(["task:7"]) as subscription:
            subscription.wait_blocking(1)
            with transaction.atomic():
                doorbell.ring("task:7")
                assert "task:7" not in subscription.wait_blocking(0)
            assert "task:7" in subscription.wait_blocking(1)

    def test_a_rolled_back_ring_is_never_heard(self) -> None:
        with doorbell.subscribe(["task:7"]) as subscription:
            subscription.wait_blocking(1)
            with transaction.atomic():
                doorbell.ring("task:7")
                transaction.set_rollback(True)
            assert "task:7" not in subscription.wait_blocking(0.1)

    def test_a_thread_that_waits_again_and_again_misses_no_ring_between(self) -> None:
        doorbell.wait(["board"], 1)
        doorbell.ring("board")
        assert "board" in doorbell.wait(["board"], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_has_a_doorbell_of_its_own(tmp_path: Path) -> None:
    program = """
import os, django; django.setup()
from aitask.lib import doorbell
parent = doorbell.subscribe(["board"]); parent.wait_blocking(2)
pid = os.fork()
if pid == 0:
    child = doorbell.subscribe(["board"]); child.wait_blocking(2)
    doorbell.ring("board")
    os._exit(0 if child.wait_blocking(2) == {"board"} else 1)
assert os.waitpid(pid, 0)[1] == 0
assert "board" in parent.wait_blocking(2)
"""
    env = os.environ | {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "aitask.settings"}
    subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=90)

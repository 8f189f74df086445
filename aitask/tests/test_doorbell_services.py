"""The doorbell by Redis and by PostgreSQL, with their real servers."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from aitask.lib.doorbell.hub import ANYTHING, Doorbell
from aitask.lib.doorbell.redis import RedisTransport
from aitask.tests.installation import ROOT, Installation
from aitask.tests.lab.services import PostgreSQL, Redis
from aitask.tests.lab.wait import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

LISTEN = """
import time, django
django.setup()
from aitask.lib import doorbell
with doorbell.subscribe(["task:7"]) as subscription:
    assert subscription.wait_blocking(10) == {"*"}
    print("ready", flush=True)
    while True:
        if "task:7" in subscription.wait_blocking(10):
            print(time.time(), flush=True)
"""
RING = """
import sys, time, django
django.setup()
from aitask.lib import doorbell
for _ in sys.stdin:
    began = time.time()
    doorbell.ring("task:7")
    print(began, flush=True)
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server  # type: ignore[misc]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server  # type: ignore[misc]


@contextlib.contextmanager
def python(program: str, installation: Installation) -> Iterator[Callable[..., str]]:
    """A process; what it is given is a line to send it, and the answer is the next line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=installation.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    given, printed = process.stdin, process.stdout

    def ask(line: str = "") -> str:
        if line:
            given.write(f"{line}\n")
            given.flush()
        return printed.readline()

    try:
        yield ask
    finally:
        process.kill()
        process.communicate()


def median_seconds(installation: Installation) -> float:
    """From a ring in one process to its arrival in another."""
    with python(LISTEN, installation) as listener, python(RING, installation) as ringer:
        assert listener() == "ready\n"
        took = [-float(ringer("ring")) + float(listener()) for _ in range(20)]
    return statistics.median(took)


def test_a_ring_by_redis_arrives_within_50_ms(redis: Redis, installation: Installation) -> None:
    installation.settings["REDIS_URL"] = redis.url
    assert median_seconds(installation) < 0.05


def test_a_ring_by_postgresql_arrives_within_50_ms(postgres: PostgreSQL, tmp_path: Path) -> None:
    assert median_seconds(Installation(tmp_path, {"DATABASE_URL": postgres.url})) < 0.05


def test_after_a_restart_of_redis_everyone_looks_and_hears_again(redis: Redis) -> None:
    listener, ringer = (
        Doorbell(lambda: RedisTransport(RedisPubSubChannelLayer([redis.url]))) for _ in range(2)
    )
    with listener.subscribe(["board"]) as subscription:
        assert subscription.wait_blocking(10) == {ANYTHING}
        redis.stop()
        ringer.ring(["board"])  # lost, and no error
        redis.start()
        assert ANYTHING in subscription.wait_blocking(20)

        def rings() -> bool:
            ringer.ring(["board"])
            return "board" in subscription.wait_blocking(0.5)

        wait_for(rings, 20, "a ring after the restart")
    listener.stop()

"""The doorbell by Redis and by PostgreSQL, with their real servers."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from aitask.doorbell.hub import ANYTHING, Hub
from aitask.doorbell.redis import RedisTransport
from aitask.tests.installation import ROOT, Installation
from aitask.tests.lab.services import PostgreSQL, Redis
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.slow

LISTEN = """
import sys, time, django
django.setup()
from aitask import doorbell
with doorbell.subscribe(["task:7"]) as subscription:
    assert subscription.wait_blocking(10) == {"*"}
    print("ready", flush=True)
    for _ in range(20):
        while "task:7" not in subscription.wait_blocking(10):
            pass
        print(time.time(), flush=True)
"""
RING = """
import json, sys, time, django
django.setup()
from aitask import doorbell
times = []
for _ in range(20):
    times.append(time.time())
    doorbell.ring("task:7")
    time.sleep(0.05)
print(json.dumps(times))
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server  # type: ignore[misc]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server  # type: ignore[misc]


def median_seconds(installation: Installation) -> float:
    """From a ring in one process to its arrival in another."""

    def python(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        return subprocess.Popen(
            command, cwd=ROOT, env=installation.environment, stdout=subprocess.PIPE, text=True
        )

    with python(LISTEN) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        with python(RING) as ringer:
            rung: list[float] = json.loads(ringer.communicate(timeout=60)[0])
        heard = [float(line) for line in listener.communicate(timeout=60)[0].split()]
    return statistics.median(late - early for early, late in zip(rung, heard, strict=True))


def test_a_ring_by_redis_arrives_within_50_ms(redis: Redis, installation: Installation) -> None:
    installation.settings["REDIS_URL"] = redis.url
    assert median_seconds(installation) < 0.05


def test_a_ring_by_postgresql_arrives_within_50_ms(postgres: PostgreSQL, tmp_path: Path) -> None:
    assert median_seconds(Installation(tmp_path, {"DATABASE_URL": postgres.url})) < 0.05


def test_after_a_restart_of_redis_everyone_looks_and_hears_again(redis: Redis) -> None:
    listener, ringer = (Hub(lambda: RedisTransport(RedisPubSubChannelLayer([redis.url]))) for _ in range(2))
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

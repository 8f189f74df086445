"""Which loop owns the connections to the hosts, and what other threads see of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Iterator

import pytest

from workspaces.hosts import HostError
from workspaces.hosts import hub as door

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the web server's loop is not shared there")


@pytest.fixture(autouse=True)
def no_hub_yet() -> Iterator[None]:
    """The process has no hub during the test; then it has its own again, which may have connections."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "_hub", None)
        yield


async def name_of_thread() -> str:
    return threading.current_thread().name


def test_a_shared_loop_does_the_work_of_other_threads() -> None:
    async def main() -> str:
        door.share_running_loop()
        assert door.hub().is_here
        return await asyncio.to_thread(lambda: door.hub().run(name_of_thread()))

    assert asyncio.run(main()) == threading.current_thread().name


def test_a_hub_that_is_there_already_stays() -> None:
    async def main() -> str:
        first = door.hub()
        door.share_running_loop()
        assert door.hub() is first
        return first.run(name_of_thread())

    assert asyncio.run(main()) == "hosts"


def test_the_loop_itself_must_not_wait_for_its_own_work() -> None:
    async def main() -> None:
        door.share_running_loop()
        door.hub().run(name_of_thread())

    with pytest.raises(RuntimeError, match="own event loop"):
        asyncio.run(main())


def test_who_waits_for_a_loop_that_stops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "POLL_SECONDS", 0.02)
    loop = asyncio.new_event_loop()
    begun = asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def main() -> concurrent.futures.Future[None]:
        door.share_running_loop()
        waiting = pool.submit(door.hub().run, never())
        await begun.wait()
        return waiting

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = loop.run_until_complete(main())
        with pytest.raises(HostError, match="shutting down"):
            waiting.result(10)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

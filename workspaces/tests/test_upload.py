"""Files come whole onto a host, whatever happens to the link, and beside everything else."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, cast

import pytest

from workspaces.hosts import HostConnection, HostError
from workspaces.hosts.host import PARTS_AT_ONCE
from workspaces.hosts.upload import LARGEST, TORN, FileToSend, send_file

CONTENT = bytes(range(251)) * 20_000
LOST = HostError("The link was lost.", code="link_lost", retryable=True)


class HostOfParts:
    """The boundary: what hostkit does with the parts of a file."""

    def __init__(self, size: int = 0, fails_at: int | None = None) -> None:
        self.content = bytearray(CONTENT[:size])
        self.offsets: list[int] = []
        self.fails_at = fails_at
        self.upload_slots = threading.BoundedSemaphore(PARTS_AT_ONCE)
        self.ended = False

    def call(self, verb: str, _params: Any, timeout: float) -> Any:
        if verb == "upload_begin":
            is_whole = bytes(self.content) == CONTENT
            return {"path": "/there", "complete": is_whole, "size": len(self.content)}
        self.ended = True
        return {"path": "/there"}

    def begin(self, _verb: str, params: Any, _timeout: float) -> Future[Any]:
        future: Future[Any] = Future()
        if self.fails_at is not None and params["offset"] >= self.fails_at:
            future.set_exception(LOST)
            return future
        data, at = base64.b64decode(params["data"]), params["offset"]
        self.content[at : at + len(data)] = data
        self.offsets.append(at)
        future.set_result({})
        return future

    def result(self, future: Future[Any]) -> Any:
        return future.result()


def pieces(size: int) -> Iterator[bytes]:
    yield from (CONTENT[at : at + size] for at in range(0, len(CONTENT), size))


def send(host: HostOfParts, content: Iterator[bytes] | None = None) -> str:
    digest = hashlib.sha256(CONTENT).hexdigest()
    size = len(CONTENT)
    params: Any = {"folder": "a", "id": 1, "name": "n", "size": size, "sha256": digest}
    return send_file(cast("HostConnection", host), FileToSend(params, content or pieces(65_536)))


@pytest.mark.parametrize("size", [1000, 65_536, len(CONTENT)])
def test_a_file_is_sent_whole_in_pieces_of_any_size(size: int) -> None:
    host = HostOfParts()
    assert send(host, pieces(size)) == "/there"
    assert (bytes(host.content), host.ended) == (CONTENT, True)


def test_parts_grow_with_a_fast_link_but_never_too_large() -> None:
    host = HostOfParts()
    send(host)
    steps = [after - before for before, after in zip(host.offsets, host.offsets[1:], strict=False)]
    assert steps[0] < max(steps) == LARGEST


def test_what_is_there_is_not_read_or_sent() -> None:
    host = HostOfParts(len(CONTENT))
    send(host, content=iter([]))
    assert (host.offsets, host.ended) == ([], False)


def test_a_broken_off_upload_goes_on_before_what_may_be_torn() -> None:
    there = TORN + 500_000
    host = HostOfParts(there)
    host.content[there - TORN + 10 : there - TORN + 20] = b"\0" * 10  # a part that was overtaken
    send(host)
    assert (host.offsets[0], bytes(host.content)) == (500_000, CONTENT)


def test_a_lost_link_is_an_error_and_leaves_no_file() -> None:
    host = HostOfParts(fails_at=2_000_000)
    with pytest.raises(HostError, match="link was lost"):
        send(host)
    assert not host.ended
    for _ in range(PARTS_AT_ONCE):  # the parts that were under way have freed their slots
        assert host.upload_slots.acquire(blocking=False)


def test_a_store_that_has_lost_a_part_is_noticed() -> None:
    with pytest.raises(HostError, match="bytes in place of"):
        send(HostOfParts(), iter([CONTENT[:1000]]))

"""A stream hands items to one reader, whatever the reader's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from workspaces.hostkit.wire import TailItem
from workspaces.hosts import HostError, Stream
from workspaces.hosts.link import Link
from workspaces.hosts.stream import UNREAD_LIMIT

ITEM: TailItem = {"dir": "/run"}


class FakeLink:
    """Remembers what the stream wants of it."""

    def __init__(self) -> None:
        self.dropped: list[int] = []

    def drop(self, number: int) -> None:
        self.dropped.append(number)


def make_stream() -> tuple[Stream, FakeLink]:
    link = FakeLink()
    return Stream(cast(Link, link), cast(Callable[..., Any], None)), link


def test_items_come_in_order() -> None:
    stream, _ = make_stream()
    items: list[TailItem] = [{"dir": name} for name in "abc"]
    for item in items:
        stream._take(item, 1)

    assert [stream.get(1) for _ in range(3)] == items


def test_no_item_within_the_time_is_none() -> None:
    stream, _ = make_stream()

    assert stream.get(0.01) is None


def test_what_came_before_the_link_was_lost_is_still_read() -> None:
    stream, _ = make_stream()
    stream._take(ITEM, 1)
    stream._end(HostError("lost", code="link_lost"))

    assert stream.get(1) == ITEM
    for _ in range(2):
        with pytest.raises(HostError, match="lost"):
            stream.get(1)


def test_a_reader_too_far_behind_loses_the_stream_not_the_memory() -> None:
    stream, link = make_stream()
    stream._take(ITEM, UNREAD_LIMIT)
    stream._take({"dir": "more"}, 1)

    assert link.dropped == [0]
    assert stream.get(1) == ITEM
    with pytest.raises(HostError) as caught:
        stream.get(1)
    assert (caught.value.code, caught.value.retryable) == ("overrun", True)


def test_a_reader_that_keeps_up_may_read_for_ever() -> None:
    stream, link = make_stream()
    for _ in range(5):
        stream._take(ITEM, UNREAD_LIMIT)
        assert stream.get(1) == ITEM

    assert link.dropped == []

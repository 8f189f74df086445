"""A stream hands items to one reader, whatever the reader's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from workspaces.hosts import HostError, Stream
from workspaces.hosts.link import Link
from workspaces.hosts.stream import UNREAD_LIMIT


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
    for item in "abc":
        stream._take(item, 1)

    assert [stream.get(1) for _ in range(3)] == ["a", "b", "c"]


def test_no_item_within_the_time_is_none() -> None:
    stream, _ = make_stream()

    assert stream.get(0.01) is None


def test_what_came_before_the_link_was_lost_is_still_read() -> None:
    stream, _ = make_stream()
    stream._take("last", 1)
    stream._end(HostError("lost", code="link_lost"))

    assert stream.get(1) == "last"
    for _ in range(2):
        with pytest.raises(HostError, match="lost"):
            stream.get(1)


def test_a_reader_too_far_behind_loses_the_stream_not_the_memory() -> None:
    stream, link = make_stream()
    stream._take("big", UNREAD_LIMIT)
    stream._take("more", 1)

    assert link.dropped == [0]
    assert stream.get(1) == "big"
    with pytest.raises(HostError) as caught:
        stream.get(1)
    assert (caught.value.code, caught.value.retryable) == ("overrun", True)


def test_a_reader_that_keeps_up_may_read_for_ever() -> None:
    stream, link = make_stream()
    for _ in range(5):
        stream._take("big", UNREAD_LIMIT)
        assert stream.get(1) == "big"

    assert link.dropped == []

"""What a terminal has shown is found by the search."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.search import queries
from tasks.tests.factories import make_task
from terminal import jobs, services
from workspaces.hosts import HostError

pytestmark = pytest.mark.django_db


def test_saved_output_is_indexed_without_its_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\x1b]0;title\x07$ \x1b[31mmake wal\x1b[0mrus\r\n\x1b[2Kdone\n"
    monkeypatch.setattr(services, "saved_text", lambda *_: shown)
    task = make_task()
    jobs.index_saved(task.pk)
    (hit,) = queries.search(task.workspace.owner, "walrus").groups[0].hits
    assert (hit.kind, hit.text) == ("terminal", "$ make walrus done")


def test_a_host_that_can_not_be_reached_leaves_the_index_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise HostError("no link", code="link")

    task = make_task()
    monkeypatch.setattr(services, "saved_text", lambda *_: "walrus")
    jobs.index_saved(task.pk)
    monkeypatch.setattr(services, "saved_text", fail)
    jobs.index_saved(task.pk)
    assert queries.search(task.workspace.owner, "walrus").count == 1


@pytest.mark.parametrize("text", ["\x1b]" * 100_000, "\x1b[" + "1;" * 100_000, "\x1b" * 100_000])
def test_hostile_output_is_read_in_a_moment(text: str) -> None:
    assert len(jobs.plain(text)) <= len(text)

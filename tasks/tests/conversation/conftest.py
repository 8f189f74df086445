"""A waiting run of somebody's task, and the host that it is on."""

from __future__ import annotations

import pytest

from tasks.conversation import services as conversation
from tasks.models import Run
from tasks.runs import control
from tasks.tests.conversation.hosts import ASKED, FakeHost
from tasks.tests.factories import make_run
from tasks.tests.people import People


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost()
    site = type("Site", (), {"host": fake})()
    monkeypatch.setattr(control, "site_of", lambda workspace: site)
    monkeypatch.setattr(conversation, "PATIENCE", 0)
    return fake


@pytest.fixture
def run(people: People) -> Run:
    return make_run(task=people.task, state="waiting", run_dir="/state/runs/k-1", open_requests=[ASKED])

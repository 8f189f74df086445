"""The application of the lab starts as a user starts it, and nothing of it stays."""

from __future__ import annotations

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.app import App, Role
from aitask.tests.lab.client import ApiClient, ApiError


def test_the_first_administrator_may_use_the_api(app: App) -> None:
    assert app.api.get("/api/workspaces") == []


def test_a_wrong_token_is_refused(app: App) -> None:
    with pytest.raises(ApiError, match="401"):
        ApiClient(app.url, "wrong").get("/api/workspaces")


@pytest.mark.parametrize("role", ["web", "worker", "follower"])
def test_a_killed_role_comes_back(app: App, role: Role) -> None:
    old = app.kill(role)
    app.wait_for_restart(role, old)
    assert processes.is_alive(app.pid(role))


def test_nothing_is_left_after_a_stop(app: App) -> None:
    assert len(app.leftovers()) >= 4
    assert app.stop() == 0
    assert app.leftovers() == []

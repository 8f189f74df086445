"""One app for many tests: starting it takes longer than most of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tasks.tests.e2e.world import BACKENDS, World


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    """A module whose tests look at everything, or kill something, makes a world of its own."""
    with World() as world:
        yield world


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a database server each test drives one of the two CLIs, by turns: no CLI knows the database."""
    if "DATABASE_URL" not in os.environ:
        return
    turns: dict[str, str] = {}
    dropped = []
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params  # type: ignore[attr-defined]
        if not params or "backend" not in params or "tasks/tests/e2e/" not in item.nodeid:
            continue
        test = item.nodeid.partition("[")[0]
        if params["backend"] != turns.setdefault(test, BACKENDS[len(turns) % len(BACKENDS)]):
            dropped.append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]

"""One app for many tests: starting it takes longer than most of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.tests.e2e.world import BACKENDS, World

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    """A module whose tests look at everything, or kill something, makes a world of its own."""
    with World() as world:
        yield world


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --cli-turn each test drives one of the two CLIs: with 0 and with 1 each of them once.

    No CLI knows the database. Tests of SQLite alone drive both at any turn.
    """
    if (turn := config.getoption("--cli-turn")) is None:
        return
    dropped = [item for item in items if _cli_of(item) not in (None, _due(item, turn))]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


def _cli_of(item: pytest.Item) -> str | None:
    """The CLI that a test of this folder drives, where another one is tried, too, in a run on PostgreSQL."""
    only_here = any(map(item.get_closest_marker, ("slow", "skipif")))
    params = getattr(item, "callspec", None) and item.callspec.params  # type: ignore[attr-defined]
    if only_here or not params or HERE not in item.path.parents:
        return None
    backend: str | None = params.get("backend")
    return backend


def _due(item: pytest.Item, turn: int) -> str:
    """The CLI whose turn it is; the name alone decides, whichever other tests are run."""
    return BACKENDS[(zlib.crc32(item.nodeid.partition("[")[0].encode()) + turn) % len(BACKENDS)]

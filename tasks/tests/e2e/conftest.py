"""One app for all tests of a module: starting it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.tests.e2e.world import BACKENDS, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)

"""Fixtures of tests that start real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.installation import Enqueuer, Installation, make_installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = make_installation(tmp_path / "data")
    yield installation
    installation.end()


@pytest.fixture(scope="module")
def lasting_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for all tests of a module that do not change it."""
    installation = make_installation(tmp_path_factory.mktemp("lasting") / "data")
    yield installation
    installation.end()


@pytest.fixture
def enqueue(installation: Installation) -> Iterator[Enqueuer]:
    enqueuer = Enqueuer(installation)
    yield enqueuer
    enqueuer.close()

"""Fixtures of tests that start real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.installation import Enqueuer, Installation, make_installation, migrated_database


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def installation(tmp_path: Path, empty_database: Path) -> Iterator[Installation]:
    installation = make_installation(tmp_path / "data", empty_database)
    yield installation
    installation.end()


@pytest.fixture(scope="module")
def lasting_installation(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[Installation]:
    """An installation for all tests of a module that do not change it."""
    installation = make_installation(tmp_path_factory.mktemp("lasting") / "data", empty_database)
    yield installation
    installation.end()


@pytest.fixture
def enqueue(installation: Installation) -> Iterator[Enqueuer]:
    enqueuer = Enqueuer(installation)
    yield enqueuer
    enqueuer.close()

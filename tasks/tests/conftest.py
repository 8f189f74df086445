"""Fixtures of the tests around tasks."""

from __future__ import annotations

import pytest

from tasks.tests.people import People


@pytest.fixture
def people() -> People:
    """Owner, member and stranger of one workspace with one task."""
    return People()

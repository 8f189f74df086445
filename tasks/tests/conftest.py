"""Fixtures of the tests around tasks."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tasks.tests.people import People


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hashing a password safely takes most of a second, and here nobody attacks."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def people() -> People:
    """Owner, member and stranger of one workspace with one task."""
    return People()

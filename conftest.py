"""Fixtures that every app's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aitask.tests.lab.endpoint import ScriptedEndpoint


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """A scripted model endpoint on a free port of loopback."""
    with ScriptedEndpoint() as server:
        yield server

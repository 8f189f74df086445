from __future__ import annotations

from workspaces.tests.merging.conftest import environment as environment
from workspaces.tests.merging.conftest import home as home

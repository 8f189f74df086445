from __future__ import annotations

from workspaces.errors import Refused as Refused

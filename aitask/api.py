"""The JSON API: the routers of all apps."""

from __future__ import annotations

from tasks.api import api, missing
from usage.api import router

__all__ = ["api"]

for each in (router, missing.router):  # `missing` answers all other paths, so it comes last
    api.add_router("", each)

"""The JSON API as a whole: the calls of every app."""

from __future__ import annotations

from tasks.api import api, missing
from usage.api import router

__all__ = ["api"]

for each in (router, missing.router):  # what is missing comes last
    api.add_router("", each)

"""The URLs of requests to the API: the routers of all apps, and the pages, whose addresses it tells."""

from __future__ import annotations

from django.urls import path

from aitask import urls as pages
from tasks.api import api, missing
from usage.api import router

__all__ = ["api", "handler500", "urlpatterns"]

for each in (router, missing.router):  # `missing` answers all other paths, so it comes last
    api.add_router("", each)

handler500 = pages.handler500
urlpatterns = [*pages.urlpatterns, path("api/", api.urls)]

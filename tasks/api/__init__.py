"""The JSON API: what the pages can do, for scripts."""

from __future__ import annotations

from tasks.api import (
    attachments,
    many,
    merging,
    models,
    planning,
    ports,
    runs,
    search,
    spotlight,
    tasks,
    workspaces,
)
from tasks.api.auth import BearerToken, SessionLogin
from tasks.api.errors import add_handlers
from tasks.api.site import JsonApi

DESCRIPTION = """\
Send `Authorization: Bearer <token>` (create a token with `manage.py create_api_token USERNAME`), or use a
logged-in session with its CSRF token. Errors have a 4xx status and the body `{"detail": "…"}`, often with a
`hint`. Times are in ISO 8601 format with a time zone. Unknown fields are rejected."""

api = JsonApi(
    title="AI Task Manager", version="1", description=DESCRIPTION, callers=[BearerToken(), SessionLogin()]
)
add_handlers(api)
for module in (
    workspaces,
    models,
    many,
    tasks,
    planning,
    merging,
    spotlight,
    runs,
    ports,
    attachments,
    search,
):
    api.add_router("", module.router)

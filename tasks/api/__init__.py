"""The JSON API: what a person does on the pages, for scripts."""

from __future__ import annotations

from tasks.api import merging, models, runs, tasks, workspaces
from tasks.api.auth import BearerToken, SessionLogin
from tasks.api.errors import add_handlers
from tasks.api.site import JsonApi

DESCRIPTION = """\
Send `Authorization: Bearer <token>` (made by `manage.py create_api_token USERNAME`), or use a logged-in
session with its CSRF token. A call that can't be done answers 4xx with `{"detail": "…"}`, and often a `hint`.
Times are ISO 8601 with zone. A field that is not listed is an error."""

api = JsonApi(
    title="AI Task Manager", version="1", description=DESCRIPTION, callers=[BearerToken(), SessionLogin()]
)
add_handlers(api)
for module in (workspaces, models, tasks, merging, runs):
    api.add_router("", module.router)

"""The search over everything that a user may see."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel

from tasks.api.schemas import one_of
from tasks.models import SearchEntry
from tasks.search import queries
from workspaces.access import workspace_for

router = Router(tags=["Search"])
Kind = Annotated[str, one_of(SearchEntry.Kind.values)]
Words = Annotated[str, Query(description="All of these words; in double quotes, words that stand together")]


class SearchHit(BaseModel):
    """A text that was found. `run` and `seq` say which event has it; they are null for a task's own texts."""

    task: int
    run: int | None
    seq: int | None
    kind: Kind
    text: str
    url: str


@router.get("/search", response=list[SearchHit], summary="Search tasks and everything that their runs did")
def search(
    request: HttpRequest, q: Words, workspace: int | None = None, kind: Kind | None = None
) -> list[SearchHit]:
    """At most 100 hits: tasks whose titles fit first, then the newest. `url` is the page at the place."""
    if workspace is not None:
        workspace_for(request.user, workspace)
    found = queries.search(request.user, q, workspace=workspace, kind=kind or "")
    return [SearchHit(**queries.as_json(hit)) for group in found.groups for hit in group.hits]

"""The models that the CLIs offer, from stored lists: a call never starts a CLI."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from tasks.api.schemas import Answer, Backend
from workspaces.access import visible_workspaces, workspace_for
from workspaces.catalog import queries as catalog_queries
from workspaces.models.model_list import ModelList

router = Router(tags=["Models"])


class EffortOut(Answer):
    id: str
    description: str


class ModelOut(Answer):
    id: str = Field(description="The name to pass to the CLI")
    name: str
    description: str
    is_default: bool = Field(description="Whether the CLI recommends this model")
    reasoning_efforts: list[EffortOut] = Field(description="Empty: this model has no effort levels")
    default_reasoning_effort: str | None
    resolves_to: str | None = Field(description="The model that an alias currently stands for")
    takes_pictures: bool | None = Field(None, description="null: the CLI does not say")


class ModelListOut(Answer):
    backend: Backend
    host: str = Field(description="local, or the alias of an SSH host")
    models: list[ModelOut]
    fetched_at: datetime | None = Field(description="When the CLI reported this list; null: not yet")
    stale: bool = Field(description="The last request to the CLI failed or has not finished")
    error: str | None = Field(
        description="Why it is stale; null without `fetched_at`: the first request is in progress"
    )
    cli_version: str | None
    account: str | None = Field(description="The kind of account that the list is for")
    workspaces: list[int] = Field(description="Ids of the workspaces that the list is for")


@router.get("/models", response=list[ModelListOut], summary="Models of the CLIs on your workspaces' hosts")
def list_models(
    request: HttpRequest, workspace: int | None = None, backend: Backend | None = None
) -> list[ModelListOut]:
    """One list per CLI and host; workspaces with their own environment variables have their own lists."""
    rows = (
        [workspace_for(request.user, workspace)]
        if workspace is not None
        else list(visible_workspaces(request.user))
    )
    places: dict[catalog_queries.Place, list[int]] = {}
    for row in rows:
        places.setdefault(catalog_queries.place_of(row), []).append(row.pk)
    if workspace is None and not any(key == "local" for key, _ in places):
        places[catalog_queries.HERE] = []
    found = catalog_queries.lists_at(places)
    return [
        model_list_out(offer, places[place])
        for place, lists in found.items()
        for offer in lists.values()
        if backend in (None, offer.backend)
    ]


def model_list_out(offer: ModelList, workspaces: list[int]) -> ModelListOut:
    return ModelListOut.model_validate(
        {
            "backend": offer.backend,
            "host": offer.host.name,
            "models": offer.models,
            "fetched_at": offer.fetched_at,
            "stale": offer.stale,
            "error": offer.error or None,
            "cli_version": offer.cli_version or None,
            "account": offer.account or None,
            "workspaces": workspaces,
        }
    )

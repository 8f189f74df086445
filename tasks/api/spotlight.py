"""Spotlight: show a task's change in the checkout of its workspace."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from tasks.access import task_for
from tasks.api.schemas import Answer, Id, one_of
from tasks.models import Spotlight
from tasks.spotlight import services
from workspaces.access import current_user, workspace_for

router = Router(tags=["Spotlight"])


class SpotlightOut(Answer):
    """What the checkout of a workspace shows."""

    state: Annotated[str, one_of(Spotlight.State.values)]
    task: int | None = Field(description="The task that is shown, or being put into the checkout")
    commit: str = Field(description="The commit that is shown; empty if none is")
    by: str = Field(description="Who has asked for it")
    told: str = Field(description="What to know about it, such as hidden uncommitted changes")
    reason: str = Field(description="Why the last request failed; empty if it did not")
    hint: str
    changed_at: datetime


def spotlight_out(row: Spotlight) -> SpotlightOut:
    plain = {name: getattr(row, name) for name in ("state", "told", "reason", "hint", "changed_at")}
    commit = row.commit if row.state == Spotlight.State.SHOWN else ""
    return SpotlightOut(task=row.wanted_id or row.task_id, commit=commit, by=str(row.by or ""), **plain)


@router.get(
    "/workspaces/{workspace_id}/spotlight",
    response=SpotlightOut,
    summary="What the workspace's checkout shows",
)
def get_spotlight(request: HttpRequest, workspace_id: Id) -> SpotlightOut:
    return spotlight_out(services.spotlight_of(workspace_for(request.user, workspace_id)))


@router.post(
    "/tasks/{task_id}/spotlight",
    response=SpotlightOut,
    summary="Show the task's change in the workspace's checkout",
)
def show_task(request: HttpRequest, task_id: Id) -> SpotlightOut:
    """Shows the last commit of its branch instead of what is shown now; repeat it for a newer commit.

    Returns at once. Get the Spotlight of the workspace to follow its progress.
    """
    return spotlight_out(services.show(task_for(request.user, task_id), user=current_user(request)))


@router.delete(
    "/workspaces/{workspace_id}/spotlight",
    response=SpotlightOut,
    summary="Put the workspace's checkout back to how it was",
)
def go_back(request: HttpRequest, workspace_id: Id) -> SpotlightOut:
    """Does nothing where nothing is shown. Returns at once, like showing a task."""
    spotlight = services.spotlight_of(workspace_for(request.user, workspace_id))
    return spotlight_out(services.go_back(spotlight, user=current_user(request)))

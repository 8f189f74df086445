"""Plans: splitting a text into tasks, and creating several at once."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from tasks.api.schemas import (
    BASE_WORDS,
    MODE_WORDS,
    UNTIL_WORDS,
    Answer,
    Attachments,
    Backend,
    Body,
    Choice,
    Id,
    Labels,
    Priority,
    RunOut,
    TaskMode,
    TaskOut,
    Until,
    one_of,
    run_out,
)
from tasks.api.tasks import tasks_out
from tasks.models import Task
from tasks.planning import agents, services, split
from tasks.planning.separators import SplitBy
from tasks.planning.split import Nested
from workspaces.access import current_user, workspace_for

router = Router(tags=["Plans"])
DONE_HEADER = "X-Done-Left-Out"
Indexes = Annotated[
    list[int], Field(max_length=200, description="Indexes of others in the list, from 0, that it comes after")
]


class TextToSplit(Body):
    text: str
    by: Annotated[str, one_of(SplitBy)] = Field(
        default=SplitBy.AUTO.value, description="What separates tasks"
    )
    nested: Annotated[str, one_of(Nested)] = Field(
        default=Nested.PROMPT.value,
        description="Points below a point: in its prompt, or tasks that come after it",
    )
    share_context: bool = Field(
        default=False, description="Put the text outside of all points into each prompt"
    )


class SplitPointOut(Answer):
    title: str
    prompt: str
    after: Indexes


class PlannedTask(Body):
    title: str = Field(default="", description="Empty: the first line of the prompt")
    prompt: str = ""
    after: Indexes = []
    backend: Backend | None = Field(default=None, description="null: the workspace's default")
    model: Choice = None
    reasoning_effort: Choice = None
    permission_mode: TaskMode | None = Field(default=None, description=MODE_WORDS)
    labels: Labels = []
    priority: Priority = 0
    after_until: Until = Field(default=Task.Until.MERGED.value, description=UNTIL_WORDS)
    base_branch: str | None = Field(default=None, max_length=200, description=BASE_WORDS)
    attachments: Attachments = []


@router.post(
    "/workspaces/{workspace_id}/split", response=list[SplitPointOut], summary="Split a text into tasks"
)
def split_text(
    request: HttpRequest, response: HttpResponse, workspace_id: Id, body: TextToSplit
) -> list[dict[str, Any]]:
    """At its headings, list points or lines of `---`. Creates nothing.

    Points that are ticked as done are left out; the header `X-Done-Left-Out` has their number.
    """
    workspace_for(request.user, workspace_id)
    found = split.split(
        body.text, by=SplitBy(body.by), nested=Nested(body.nested), share_context=body.share_context
    )
    response[DONE_HEADER] = str(len(found.done))
    return [{"title": one.title, "prompt": one.prompt, "after": one.after} for one in found.points]


class TextToPlan(Body):
    text: str = Field(description="A document, or what is wanted in a few words")
    backend: Backend
    model: str | None = Field(default=None, max_length=100, description="null or empty: the CLI's default")
    reasoning_effort: str | None = Field(default=None, max_length=20)
    attachments: Attachments = []


@router.post("/workspaces/{workspace_id}/plan", response=RunOut, summary="Let an agent propose tasks")
def start_plan(request: HttpRequest, workspace_id: Id, body: TextToPlan) -> RunOut:
    """Starts a run that only reads, of a task of its own. When it has succeeded, it has `proposals`.

    An answer that can't be used is a failed run with the reason code `proposals`.
    """
    workspace = workspace_for(request.user, workspace_id)
    return run_out(agents.start_plan(workspace=workspace, user=current_user(request), **body.given()))


@router.post(
    "/workspaces/{workspace_id}/tasks", response={201: list[TaskOut]}, summary="Create several tasks"
)
def create_tasks(request: HttpRequest, workspace_id: Id, body: list[PlannedTask]) -> list[TaskOut]:
    """All in the backlog, or none: an error names the index of the task that can't be created.

    Several tasks may name the same file in `attachments`; each gets a file of its own, with another id.
    """
    workspace = workspace_for(request.user, workspace_id)
    items = [each.given() for each in body]
    return tasks_out(services.create_planned(workspace=workspace, user=current_user(request), items=items))

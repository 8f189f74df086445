"""Tasks: list, create, read, change, run, cancel, delete."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Annotated
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from aitask.lib.errors import Refused
from tasks import editing, services
from tasks.access import task_for, visible_tasks
from tasks.api import schemas
from tasks.api.schemas import (
    AgentSettingsFileOut,
    AgentSettingsOut,
    AllowedContent,
    ForkFrom,
    Id,
    NewRun,
    NewTask,
    RunOut,
    TaskChange,
    TaskOut,
    TaskPage,
    run_out,
    task_out,
)
from tasks.attachments import services as attachments
from tasks.attachments.queries import prompt_ids
from tasks.board.cards import RUN_FIELDS, card_of, lost_hosts
from tasks.models import Dependency, Run, Task
from tasks.order.starts import check_start
from tasks.runs import agent_settings, forks, rescue
from tasks.runs import services as run_services
from tasks.runs.queries import with_newest_runs
from workspaces.access import current_user, workspace_for
from workspaces.hostkit.escapes import visible

router = Router(tags=["Tasks"])
MOST_LISTED = 1000
Limit = Annotated[int | None, Query(None, ge=1, le=MOST_LISTED, description="Number of tasks in a page")]


@router.get("/tasks", response=list[TaskOut] | TaskPage, summary="The tasks that you may see, in board order")
def list_tasks(
    request: HttpRequest,
    response: HttpResponse,
    workspace: int | None = None,
    status: schemas.Status | None = None,
    cursor: str = "",
    limit: Limit = None,
) -> list[TaskOut] | TaskPage:
    """With `limit`, a page of so many: {"items": […], "next": cursor of the next page or null}.

    Without it, a list of at most 1,000. If there are more, the header `Link` has the address of the next
    page.
    """
    tasks = visible_tasks(request.user)
    if workspace is not None:
        tasks = tasks.filter(workspace=workspace_for(request.user, workspace))
    if status is not None:
        tasks = tasks.filter(status=status)
    size = limit or MOST_LISTED
    found = list(_after(tasks, cursor).order_by("rank", "pk")[: size + 1])
    items = tasks_out(found[:size])
    after = f"{found[size - 1].rank!r}:{found[size - 1].pk}" if len(found) > size else None
    if limit is not None:
        return TaskPage.model_construct(items=items, next=after)
    if after:
        query = {name: value for name, value in request.GET.items() if name != "cursor"}
        address = urlencode({**query, "cursor": after, "limit": MOST_LISTED})
        response["Link"] = f'<{request.build_absolute_uri(request.path)}?{address}>; rel="next"'
    return items


def _after(tasks: QuerySet[Task], cursor: str) -> QuerySet[Task]:
    """Return the tasks after a cursor, which is the place of the last one before them. Raises Refused."""
    if not cursor:
        return tasks
    rank, _, pk = cursor.partition(":")
    try:
        place, number = float(rank), int(pk)
        if not isfinite(place) or number.bit_length() > 63:
            raise ValueError
    except ValueError:
        raise Refused("This is no cursor.", "Use the value of `next` of the page before.") from None
    return tasks.filter(Q(rank__gt=place) | Q(rank=place, pk__gt=number))


@router.post("/tasks", response={201: TaskOut}, summary="Create a task in the backlog")
def create_task(request: HttpRequest, body: NewTask) -> TaskOut:
    given = body.given()
    workspace = workspace_for(request.user, given.pop("workspace"))
    fields = services.TaskFields(**given)
    check_start(workspace, fields.base_branch)
    return read(request, services.create_task(workspace, current_user(request), fields).pk)


@router.get("/tasks/{task_id}", response=TaskOut, summary="One task")
def get_task(request: HttpRequest, task_id: Id) -> TaskOut:
    return read(request, task_id)


@router.patch("/tasks/{task_id}", response=TaskOut, summary="Change a task")
def change_task(request: HttpRequest, task_id: Id, body: TaskChange) -> TaskOut:
    task, user, given = task_for(request.user, task_id), current_user(request), body.given()
    files = given.pop("attachments", None)
    with transaction.atomic():
        if given or files is None:
            editing.update_task(task, user=user, **given)
        if files is not None:
            attachments.set_prompt(task, files, user)
    return read(request, task_id)


@router.delete("/tasks/{task_id}", response={204: None}, summary="Delete a task and its history")
def delete_task(request: HttpRequest, task_id: Id) -> Status[None]:
    """Also its files and the records of its runs on the host. Branch, worktree and tmux session stay there.

    Not possible while a run is live.
    """
    services.delete_task(task_for(request.user, task_id))
    return Status(204, None)


@router.post("/tasks/{task_id}/run", response={201: RunOut}, summary="Queue a run")
def run_task(request: HttpRequest, task_id: Id, body: NewRun | None = None) -> RunOut:
    """Starts when a slot is free. A given model or effort is also saved in the task."""
    task, wanted = task_for(request.user, task_id), body or NewRun()
    given = wanted.model_dump(exclude={"rescue", "fork", "resume"})
    if (wanted.resume, wanted.rescue, wanted.fork is not None).count(True) > 1:
        raise Refused("A run can do only one of these: resume, rescue, fork.")
    if wanted.rescue:
        given["prompt"] = "\n\n".join(filter(None, [rescue.summary(task), wanted.prompt]))
        given["attachments"] = [*rescue.files(task), *(given.get("attachments") or [])]
    resume = _fork_place(task, wanted.fork) if wanted.fork else wanted.resume
    return run_out(run_services.queue_run(task, user=current_user(request), resume=resume, **given))


def _fork_place(task: Task, wanted: ForkFrom) -> forks.ForkPlace:
    event = forks.event_of(task, wanted.run, wanted.seq)
    if event is None:
        raise Refused(f"Run {wanted.run} has no message or answer with the number {wanted.seq}.")
    return forks.place_of(event)


@router.get(
    "/tasks/{task_id}/agent-settings",
    response=AgentSettingsOut,
    summary="Hooks, MCP servers and permissions of the task's branch",
)
def get_agent_settings(request: HttpRequest, task_id: Id) -> AgentSettingsOut:
    """A run waits in the queue until their content is allowed. There are none before the first run."""
    return _agent_settings(task_for(request.user, task_id))


@router.post(
    "/tasks/{task_id}/agent-settings", response=AgentSettingsOut, summary="Allow their present content"
)
def allow_agent_settings(request: HttpRequest, task_id: Id, body: AllowedContent) -> AgentSettingsOut:
    """Holds for all branches of the workspace with the same content."""
    agent_settings.allow(task_for(request.user, task_id), body.digest, user=current_user(request))
    return _agent_settings(task_for(request.user, task_id))


@router.post("/tasks/{task_id}/cancel", response=TaskOut, summary="Cancel the task's run")
def cancel_task(request: HttpRequest, task_id: Id) -> TaskOut:
    """Does nothing if no run is live. The state of the run shows when it has ended."""
    run_services.cancel_task(task_for(request.user, task_id))
    return read(request, task_id)


@router.post(
    "/tasks/{task_id}/start-anyway", response=TaskOut, summary="Start although its predecessors are not done"
)
def start_anyway(request: HttpRequest, task_id: Id) -> TaskOut:
    """For a queued run that waits for other tasks. In merge trains, the task still comes after them."""
    run_services.start_anyway(task_for(request.user, task_id))
    return read(request, task_id)


@router.post("/tasks/{task_id}/try-login", response=TaskOut, summary="Retry a refused login now")
def try_login(request: HttpRequest, task_id: Id) -> TaskOut:
    """Lets one queued run of this CLI and host start. If its login works, the others start as well."""
    task = task_for(request.user, task_id)
    for hold in task.workspace.host.holds.filter(backend=task.backend):
        run_services.try_login_again(hold)
    return read(request, task_id)


def _agent_settings(task: Task) -> AgentSettingsOut:
    found = agent_settings.read_settings(task)
    files = [
        AgentSettingsFileOut(name=visible(file["name"]), text=visible(file["data"]), size=file["size"])
        for file in found["files"]
    ]
    allowed = found["digest"] in task.workspace.allowed_agent_settings
    return AgentSettingsOut(digest=found["digest"], allowed=allowed, files=files)


def tasks_out(tasks: Iterable[Task]) -> list[TaskOut]:
    """Return tasks with the ids of all their runs and predecessors, and the state of the newest run."""
    found, lost = with_newest_runs(tasks, only=RUN_FIELDS), lost_hosts()
    runs: dict[int, list[int]] = {task.pk: [] for task in found}
    after: dict[int, list[int]] = {task.pk: [] for task in found}
    of_runs = Run.objects.filter(task__in=found).order_by().values_list("task", "number", "pk")
    before = Dependency.objects.filter(task__in=found).order_by().annotate(pk_of_run=Value(0))
    rows = of_runs.union(before.values_list("task", "number", "pk_of_run"), all=True)
    for task, number, run in sorted(rows):
        (runs if run else after)[task].append(run or number)
    files = prompt_ids(found)
    return [task_out(card_of(task, lost), runs[task.pk], after[task.pk], files[task.pk]) for task in found]


def read(request: HttpRequest, task_id: int) -> TaskOut:
    """Return the task as it is in the database; raise Http404 unless the user may see it."""
    return tasks_out([task_for(request.user, task_id)])[0]

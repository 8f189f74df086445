"""Tasks: list, create, read, change, run, cancel, delete."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Status

from aitask.lib.errors import Refused
from tasks import editing, queries, services
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
    run_out,
    task_out,
)
from tasks.models import Run, Task
from tasks.runs import agent_settings, forks, rescue
from tasks.runs import services as run_services
from workspaces.access import Visitor, current_user, workspace_for
from workspaces.hostkit.escapes import visible

router = Router(tags=["Tasks"])
RUN_FIELDS = ("task", "number", "state", "reason_code", "cancel_requested_at", "activity")
"Columns of runs that tasks need; others can be large."


@router.get("/tasks", response=list[TaskOut], summary="All tasks that you may see, in board order")
def list_tasks(
    request: HttpRequest, workspace: int | None = None, status: schemas.Status | None = None
) -> list[TaskOut]:
    tasks = with_runs(current_user(request))
    if workspace is not None:
        tasks = tasks.filter(workspace=workspace_for(request.user, workspace))
    if status is not None:
        tasks = tasks.filter(status=status)
    lost = queries.lost_hosts()
    return [task_out(queries.card_of(task, lost)) for task in tasks]


@router.post("/tasks", response={201: TaskOut}, summary="Create a task in the backlog")
def create_task(request: HttpRequest, body: NewTask) -> TaskOut:
    workspace = workspace_for(request.user, body.workspace)
    fields = {**body.given(), "workspace": workspace}
    return read(request, services.create_task(user=current_user(request), **fields).pk)


@router.get("/tasks/{task_id}", response=TaskOut, summary="One task")
def get_task(request: HttpRequest, task_id: Id) -> TaskOut:
    return read(request, task_id)


@router.patch("/tasks/{task_id}", response=TaskOut, summary="Change a task")
def change_task(request: HttpRequest, task_id: Id, body: TaskChange) -> TaskOut:
    editing.update_task(task_for(request.user, task_id), user=current_user(request), **body.given())
    return read(request, task_id)


@router.delete("/tasks/{task_id}", response={204: None}, summary="Delete a task and its history")
def delete_task(request: HttpRequest, task_id: Id) -> Status[None]:
    """Branch, worktree and tmux session stay on the host. Not possible while a run is live."""
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


def with_runs(user: Visitor) -> QuerySet[Task]:
    """Return the tasks that the user may see, with their runs in order."""
    runs = Run.objects.only(*RUN_FIELDS).order_by("number")
    return visible_tasks(user).prefetch_related(Prefetch("runs", queryset=runs))


def read(request: HttpRequest, task_id: int) -> TaskOut:
    """Return the task as it is in the database; raise Http404 unless the user may see it."""
    task = get_object_or_404(with_runs(request.user), pk=task_id)
    return task_out(queries.card_of(task, queries.lost_hosts()))

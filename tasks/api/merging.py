"""Verdicts and merge trains."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, model_validator

from aitask.lib.errors import Refused
from tasks.access import task_for, train_for, visible_tasks
from tasks.api.schemas import Answer, Attachments, Body, Id, RunOut, TaskOut, Text, one_of, run_out
from tasks.api.tasks import read
from tasks.models import MergeStep, MergeTrain, Task
from tasks.review import verdicts
from tasks.trains import conflicts, reapply
from tasks.trains import services as trains
from workspaces.access import current_user, workspace_for
from workspaces.merging import Strategy
from workspaces.models import Workspace

router = Router(tags=["Merging"])
TrainState = Annotated[str, one_of(MergeTrain.State.values)]
StepState = Annotated[str, one_of(MergeStep.State.values)]


MOST_STEPS = 500
"Maximum number of tasks in the request for a train."


class NewTrain(Body):
    """All fields are optional. By default, the accepted tasks are merged with merge commits and checked."""

    tasks: list[int] | None = Field(
        default=None,
        max_length=MOST_STEPS,
        description="Ids of the tasks, in merge order; null: all accepted tasks",
    )
    strategy: Annotated[str, one_of(Strategy)] = Strategy.MERGE.value
    check: bool = Field(default=True, description="false: skip the workspace's check command")
    dry_run: bool = Field(
        default=False, description="Try and check the merges, but do not move the base branch"
    )
    push: bool = Field(default=False, description="Push the base branch at the end, without force")


class SendBack(Body):
    message: Text = Field(default="", description="May be empty if there are files")
    attachments: Attachments = []

    @model_validator(mode="after")
    def check_given(self) -> SendBack:
        if not (self.message.strip() or self.attachments):
            raise ValueError("give a message or attachments")
        return self


class ConflictOut(Answer):
    path: str
    kind: str
    hunks: list[str]


class StepOut(Answer):
    task: int | None = Field(description="null: the task has been deleted")
    title: str
    branch: str
    commit: str
    state: StepState
    reason: str
    files: list[ConflictOut]
    output: str
    check_seconds: float | None


class TrainOut(Answer):
    id: int
    workspace: int
    state: TrainState
    reason: str
    branch: str
    strategy: str
    dry_run: bool
    push: str
    push_output: str
    old_tip: str
    tip: str
    created_at: datetime
    finished_at: datetime | None
    steps: list[StepOut]


def train_out(train: MergeTrain) -> TrainOut:
    """Return a train with its steps, as they are in the database."""
    names = set(TrainOut.model_fields) - {"workspace", "steps"}
    values = {name: getattr(train, name) for name in names}
    steps = [step_out(step) for step in train.steps.all()]
    return TrainOut(workspace=train.workspace_id, steps=steps, **values)


def step_out(step: MergeStep) -> StepOut:
    names = set(StepOut.model_fields) - {"task"}
    return StepOut(task=step.task_id, **{name: getattr(step, name) for name in names})


@router.post("/tasks/{task_id}/accept", response=TaskOut, summary="Accept a task's branch for merging")
def accept_task(request: HttpRequest, task_id: Id) -> TaskOut:
    """Applies to the branch as it is now: after a new commit it must be accepted again."""
    verdicts.accept(task_for(request.user, task_id), user=current_user(request))
    return read(request, task_id)


@router.post("/tasks/{task_id}/drop", response=TaskOut, summary="Discard a task's branch and worktree")
def drop_task(request: HttpRequest, task_id: Id) -> TaskOut:
    """A rescue ref and a patch on the host keep commits and uncommitted changes.

    Files that git ignores are kept in an archive there, up to 64 MB and without what tools create again, such
    as node_modules.
    """
    verdicts.drop(task_for(request.user, task_id), user=current_user(request))
    return read(request, task_id)


@router.post(
    "/tasks/{task_id}/restore", response=TaskOut, summary="Restore a discarded task from its rescue ref"
)
def restore_task(request: HttpRequest, task_id: Id) -> TaskOut:
    """Changes that were uncommitted when it was discarded are restored as a commit; ignored files, too."""
    verdicts.restore(task_for(request.user, task_id))
    return read(request, task_id)


@router.post("/tasks/{task_id}/send-back", response={201: RunOut}, summary="Request changes from the agent")
def send_back_task(request: HttpRequest, task_id: Id, body: SendBack) -> RunOut:
    task, user = task_for(request.user, task_id), current_user(request)
    return run_out(verdicts.request_changes(task, body.message, user=user, attachments=body.attachments))


@router.post("/tasks/{task_id}/start-over", response={201: RunOut}, summary="Start over on a new branch")
def start_over(request: HttpRequest, task_id: Id) -> RunOut:
    """A rescue ref, a patch and an archive of ignored files on the host keep the previous work."""
    return run_out(verdicts.start_over(task_for(request.user, task_id), user=current_user(request)))


@router.post("/tasks/{task_id}/resolve", response={201: RunOut}, summary="Let the agent resolve a conflict")
def resolve_conflict(request: HttpRequest, task_id: Id) -> RunOut:
    """Merges the base branch into the task's branch with conflict markers and queues a run to resolve them.

    When all conflicts are resolved, the task waits to be accepted, because nobody has seen how: with
    `resolved`, which also merges it, or with `accept`.
    """
    return run_out(conflicts.resolve(task_for(request.user, task_id), user=current_user(request)))


@router.post(
    "/tasks/{task_id}/resolved",
    response={201: TrainOut},
    summary="Accept a resolved conflict, and merge the task",
)
def accept_resolution(request: HttpRequest, task_id: Id) -> TrainOut:
    """Starts a merge train with the strategy and check of the one that had the conflict."""
    task = task_for(request.user, task_id)
    return train_out(conflicts.accept_resolution(task, user=current_user(request)))


@router.post("/tasks/{task_id}/bring-back", response=TaskOut, summary="Reapply a task that an undo reverted")
def bring_back_task(request: HttpRequest, task_id: Id) -> TaskOut:
    """For a branch that git counts as merged although it was reverted. It can then be merged again."""
    reapply.reapply(task_for(request.user, task_id))
    return read(request, task_id)


@router.post(
    "/workspaces/{workspace_id}/merge", response={201: TrainOut}, summary="Merge tasks into the base branch"
)
def merge(request: HttpRequest, workspace_id: Id, body: NewTrain | None = None) -> TrainOut:
    """Starts a merge train and returns it. Get the train again to follow its progress."""
    workspace = workspace_for(request.user, workspace_id)
    wanted = (body or NewTrain()).model_dump()
    chosen = wanted.pop("tasks")
    tasks = trains.accepted(workspace) if chosen is None else in_order(request, workspace, chosen)
    return train_out(trains.start_train(workspace, tasks, user=current_user(request), **wanted))


def in_order(request: HttpRequest, workspace: Workspace, chosen: list[int]) -> list[Task]:
    """Return the tasks in the given order. Raises Refused if one does not belong to the workspace."""
    wanted = [pk for pk in dict.fromkeys(chosen) if 0 < pk < 2**63]
    found = {task.pk: task for task in visible_tasks(request.user).filter(workspace=workspace, pk__in=wanted)}
    missing = [str(pk) for pk in chosen if pk not in found]
    if missing:
        raise Refused(f"This workspace has no task {', '.join(missing)}.")
    return [found[pk] for pk in wanted]


@router.get("/merge-trains/{train_id}", response=TrainOut, summary="One merge train")
def get_train(request: HttpRequest, train_id: Id) -> TrainOut:
    return train_out(train_for(request.user, train_id))


@router.post("/merge-trains/{train_id}/stop", response=TrainOut, summary="Stop a merge train")
def stop_train(request: HttpRequest, train_id: Id) -> TrainOut:
    trains.stop_train(train_for(request.user, train_id))
    return train_out(train_for(request.user, train_id))


@router.post("/merge-trains/{train_id}/continue", response=TrainOut, summary="Continue a stopped merge train")
def continue_train(request: HttpRequest, train_id: Id) -> TrainOut:
    trains.continue_train(train_for(request.user, train_id))
    return train_out(train_for(request.user, train_id))


@router.post("/merge-trains/{train_id}/undo", response=TrainOut, summary="Undo a merge train")
def undo_train(request: HttpRequest, train_id: Id) -> TrainOut:
    """The base branch returns to its old tip, or gets a reverting commit if other work uses the merge."""
    trains.undo_train(train_for(request.user, train_id))
    return train_out(train_for(request.user, train_id))

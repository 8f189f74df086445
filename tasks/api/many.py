"""One verb with many tasks."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from tasks.api.schemas import Answer, Body, one_of
from tasks.many import services
from tasks.many.verbs import ManyVerb
from workspaces.access import current_user

router = Router(tags=["Tasks"])
Verb = Annotated[str, one_of(ManyVerb)]


class ManyTasks(Body):
    verb: Verb
    tasks: list[int] = Field(max_length=services.MOST_AT_ONCE)


class LeftOutOfMany(Answer):
    task: int
    reason: str
    hint: str


class ManyOut(Answer):
    done: list[int]
    left_out: list[LeftOutOfMany] = Field(description="Tasks that were not changed, and why")
    trains: list[int] = Field(description="Merge trains that were started, one for each workspace")


@router.post("/tasks/many", response=ManyOut, summary="Do one verb with many tasks")
def act_on_many(request: HttpRequest, body: ManyTasks) -> ManyOut:
    """Each task is changed by itself: some can be left out. `merge` takes only accepted tasks."""
    outcome = services.act(current_user(request), ManyVerb(body.verb), body.tasks)
    return ManyOut(
        done=[task.pk for task in outcome.done],
        left_out=[LeftOutOfMany(task=one.task, reason=one.reason, hint=one.hint) for one in outcome.left_out],
        trains=[train.pk for train in outcome.trains],
    )

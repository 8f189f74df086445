"""Runs: how they stand, what they did, and words to their agents."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from tasks.access import run_for
from tasks.api.schemas import (
    Decision,
    Done,
    EventOut,
    Id,
    Message,
    RunOut,
    RunSettings,
    Said,
    event_out,
    run_out,
)
from tasks.conversation import services as conversation
from tasks.runs import control
from workspaces.access import person

router = Router(tags=["Runs"])
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a greater seq")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/runs/{run_id}", response=RunOut, summary="One run")
def get_run(request: HttpRequest, run_id: Id) -> RunOut:
    return run_out(run_for(request.user, run_id))


@router.get("/runs/{run_id}/events", response=list[EventOut], summary="What it did, oldest first")
def list_events(request: HttpRequest, run_id: Id, after: After = 0, limit: Limit = 1000) -> list[EventOut]:
    """`seq` counts from 1 without gaps: ask again with the last one as `after`."""
    events = run_for(request.user, run_id).events.filter(seq__gt=after).order_by("seq")
    return [event_out(event) for event in events[:limit]]


@router.post("/runs/{run_id}/stop", response=RunOut, summary="End a run in an orderly way")
def stop_run(request: HttpRequest, run_id: Id) -> RunOut:
    control.stop(run_for(request.user, run_id))
    return get_run(request, run_id)


@router.post("/runs/{run_id}/interrupt", response=Done, summary="Stop its turn; the session stays")
def interrupt_run(request: HttpRequest, run_id: Id) -> Done:
    control.send(run_for(request.user, run_id), {"command": "interrupt"})
    return Done()


@router.post("/runs/{run_id}/message", response=Said, summary="Say something to an agent")
def send_message(request: HttpRequest, run_id: Id, body: Message) -> Said:
    """Taken at once, or after the present turn; the event of kind `message` tells when it was taken.

    While the host can't be reached it waits in line, and is sent once when the host is back. Where the run
    has ended, the task's live run takes it, or a new one goes on with the conversation: `run` tells which.
    A model or effort holds for the new run, or from the live run's next turn on.
    """
    task = run_for(request.user, run_id).task
    choice = body.model_dump(include={"model", "reasoning_effort"}, exclude_none=True)
    return Said(run=conversation.talk_to(task, body.text, when=body.when, user=person(request), **choice).pk)


@router.post("/runs/{run_id}/settings", response=Done, summary="Model, effort, permissions of a live run")
def change_settings(request: HttpRequest, run_id: Id, body: RunSettings) -> Done:
    """They hold from the next turn on; the event of kind `settings` tells when the agent has them.

    While the host can't be reached they wait in line with the messages, and are sent once.
    """
    run, mode = run_for(request.user, run_id), body.permission_mode or ""
    conversation.change(run, model=body.model, effort=body.reasoning_effort, mode=mode, user=person(request))
    return Done()


@router.post("/runs/{run_id}/requests/{request_id}", response=Done, summary="Answer what it asks")
def decide(request: HttpRequest, run_id: Id, request_id: str, body: Decision) -> Done:
    conversation.answer(run_for(request.user, run_id), request_id, command_of(body), user=person(request))
    return Done()


def command_of(body: Decision) -> dict[str, Any]:
    """The decision in the runner's words."""
    if body.answers is not None:
        return {"command": "answer", "answers": body.answers}
    if body.decision == "deny":
        return {"command": "deny", **({"text": body.text} if body.text else {})}
    scope = "run" if body.decision == "allow_for_run" else "once"
    changed = {} if body.input is None else {"input": body.input}
    return {"command": "approve", "scope": scope, **changed}

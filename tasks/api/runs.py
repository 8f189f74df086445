"""Runs, their events, and messages to their agents."""

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
from workspaces.access import current_user

router = Router(tags=["Runs"])
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Only events with a greater seq")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/runs/{run_id}", response=RunOut, summary="One run")
def get_run(request: HttpRequest, run_id: Id) -> RunOut:
    return run_out(run_for(request.user, run_id))


@router.get("/runs/{run_id}/events", response=list[EventOut], summary="Events of a run, oldest first")
def list_events(request: HttpRequest, run_id: Id, after: After = 0, limit: Limit = 1000) -> list[EventOut]:
    """`seq` counts from 1 without gaps. To get further events, pass the last `seq` as `after`."""
    events = run_for(request.user, run_id).events.filter(seq__gt=after).order_by("seq")
    return [event_out(event) for event in events[:limit]]


@router.post("/runs/{run_id}/stop", response=RunOut, summary="Stop a run gracefully")
def stop_run(request: HttpRequest, run_id: Id) -> RunOut:
    control.stop(run_for(request.user, run_id))
    return get_run(request, run_id)


@router.post(
    "/runs/{run_id}/interrupt", response=Done, summary="Interrupt the current turn; the session continues"
)
def interrupt_run(request: HttpRequest, run_id: Id) -> Done:
    control.send(run_for(request.user, run_id), {"command": "interrupt"})
    return Done()


@router.post("/runs/{run_id}/compact", response=Done, summary="Compact the conversation of a live run")
def compact(request: HttpRequest, run_id: Id) -> Done:
    """The CLI replaces it by a summary after the current turn. Events of kind `compaction` report it."""
    conversation.compact(run_for(request.user, run_id))
    return Done()


@router.post(
    "/runs/{run_id}/background/{work}/stop", response=Done, summary="Stop what runs in the background"
)
def stop_background(request: HttpRequest, run_id: Id, work: str) -> Done:
    """`work` is an id in `background` of the run. An event of kind `background` reports its end."""
    conversation.stop_background(run_for(request.user, run_id), work)
    return Done()


@router.post("/runs/{run_id}/message", response=Said, summary="Send a message to an agent")
def send_message(request: HttpRequest, run_id: Id, body: Message) -> Said:
    """Delivered now or after the current turn. An event of kind `message` reports that the agent has it.

    If the host can't be reached, the message is queued and sent once when the host is back. If the run has
    ended, the task's live run gets the message, or a new run continues the conversation; `run` is its id.
    A model or effort applies to the new run, or to the live run from its next turn on.
    """
    task = run_for(request.user, run_id).task
    choice = body.model_dump(include={"model", "reasoning_effort"}, exclude_none=True)
    return Said(
        run=conversation.send_to_task(
            task,
            body.text,
            when=body.when,
            user=current_user(request),
            attachments=body.attachments,
            **choice,
        ).pk
    )


@router.post(
    "/runs/{run_id}/settings", response=Done, summary="Change model, effort or permissions of a live run"
)
def change_settings(request: HttpRequest, run_id: Id, body: RunSettings) -> Done:
    """They apply from the next turn on. An event of kind `settings` reports that the agent has them.

    If the host can't be reached, they are queued with the messages and sent once.
    """
    run, mode = run_for(request.user, run_id), body.permission_mode or ""
    conversation.change(
        run, model=body.model, effort=body.reasoning_effort, mode=mode, user=current_user(request)
    )
    return Done()


@router.post("/runs/{run_id}/requests/{request_id}", response=Done, summary="Answer an open request")
def decide(request: HttpRequest, run_id: Id, request_id: str, body: Decision) -> Done:
    """Its `kind` says which answer it takes: a decision, `answers` to a question, `content` for a form.

    A form is checked against its schema; 422 lists what does not fit.
    """
    conversation.answer(
        run_for(request.user, run_id), request_id, command_of(body), user=current_user(request)
    )
    return Done()


def command_of(body: Decision) -> dict[str, Any]:
    """Return the decision as a command for the runner."""
    if body.content is not None:
        given = body.model_dump(include={"digest"}, exclude_none=True)
        return {"command": "submit", "content": body.content, **given}
    if body.answers is not None:
        return {"command": "answer", "answers": body.answers}
    if body.decision in ("deny", "cancel"):
        more = {"text": body.text or None, "cancel": body.decision == "cancel" or None}
        return {"command": "deny", **{name: value for name, value in more.items() if value}}
    scope = "run" if body.decision == "allow_for_run" else "once"
    given = body.model_dump(include={"input", "grant", "digest"}, exclude_none=True)
    if body.permission_mode:
        given["mode"] = body.permission_mode
    return {"command": "approve", "scope": scope, **given}

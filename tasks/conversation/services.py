"""What a person can say to an agent. Each verb writes its row first; telling the host may wait."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.text import storable
from tasks import editing
from tasks.conversation import delivery
from tasks.models import Outgoing, Run, Task
from tasks.runs import control
from tasks.runs import services as run_services
from tasks.runs.queries import live_run
from tasks.verbs import TaskVerb, require
from workspaces import hosts
from workspaces.catalog import queries as catalog_queries
from workspaces.hosts import HostError
from workspaces.models import Host

State = Outgoing.State
PATIENCE = 1.5
"Seconds that a person waits for the workers to hand something over."
GO_ON = "You were interrupted. Look at how things stand, then go on where you stopped."
TAKEN = "The agent has taken it already."


def talk_to(task: Task, text: str, *, when: str, user: AbstractBaseUser, **choice: str | None) -> Run:
    """Say something to the task's agent; the run that takes it.

    A live run gets a message, and the chosen model or effort from its next turn on; where none is live a new
    run goes on with the conversation. Raises Refused, or ValidationError for a model that the CLI lacks.
    """
    run = live_run(task)
    if run is None:
        return continue_conversation(task, text, user=user, **choice)
    text = _words(text)
    new = {name: value for name, value in choice.items() if value and value != getattr(run, name)}
    if new:
        change(run, model=new.get("model") or "", effort=new.get("reasoning_effort") or "", user=user)
    say(run, text, when=when, user=user)
    return run


def say(run: Run, text: str, *, when: str, user: AbstractBaseUser | None) -> Outgoing:
    """Put a message to a live run in line; it is delivered at once where the host can be reached.

    Raises Refused when the run has ended or its agent refuses.
    """
    text = _words(text)
    payload = {"command": "message", "text": text, "when": when}
    return _hand_over(_put_in_line(run, Outgoing.Kind.MESSAGE, payload, user))


def continue_conversation(task: Task, text: str, *, user: AbstractBaseUser, **choice: str | None) -> Run:
    """Start a run that goes on with the last session of the task; from the start where there is none."""
    text = _words(text)
    resumable = task.runs.filter(backend=task.backend).exclude(cli_session="").exists()
    return run_services.queue_run(task, user=user, prompt=text, resume=resumable, **choice)


def _words(text: str) -> str:
    text = editing.clean_text(text).strip()
    if not text:
        raise Refused("The message is empty.")
    return text


def resume(task: Task, *, user: AbstractBaseUser) -> Run:
    """Go on with the session of a run that was cut off, without words of one's own."""
    require(task, TaskVerb.RESUME)
    return run_services.queue_run(task, user=user, prompt=GO_ON, resume=True)


def answer(run: Run, request: str, command: dict[str, Any], *, user: AbstractBaseUser | None) -> Outgoing:
    """Answer an open request. The first answer counts: Refused tells the second person who was faster."""
    _check_reachable(run)
    request = storable(request)
    payload = storable({**command, "request": request})
    try:
        with transaction.atomic():
            row = Outgoing.objects.create(
                run=run,
                kind=Outgoing.Kind.ANSWER,
                request=request[:100],
                payload=payload,
                created_by_id=user.pk if user else None,
            )
    except IntegrityError as error:
        raise Refused(_who_was_faster(run, request), "The first answer counts.") from error
    return _hand_over(row)


def withdraw(row: Outgoing) -> None:
    """Take a message or setting back that the agent has not taken.

    Refused when it is too late or can't be known.
    """
    never_tried = Outgoing.objects.filter(pk=row.pk, state=State.WAITING, tried_at=None)
    if not never_tried.update(state=State.WITHDRAWN):
        _withdraw_from_host(row)
    doorbell.ring(f"task:{row.run.task_id}")


def dismiss(row: Outgoing) -> None:
    """Remove a message that was not taken from the page; its text was shown."""
    row.change((State.FAILED,), state=State.WITHDRAWN)
    doorbell.ring(f"task:{row.run.task_id}")


def edit(row: Outgoing, text: str, *, user: AbstractBaseUser) -> Outgoing:
    """Say a message in other words: in its place while it waits for the host, else at the end of the line."""
    if row.kind != Outgoing.Kind.MESSAGE:
        raise Refused("Only a message has words.")
    payload = {**row.payload, "text": _words(text)}
    if Outgoing.objects.filter(pk=row.pk, state=State.WAITING, tried_at=None).update(payload=payload):
        doorbell.ring(f"task:{row.run.task_id}")
        row.refresh_from_db()
        return row
    withdraw(row)
    return say(row.run, text, when=str(payload.get("when") or "now"), user=user)


def change(
    run: Run, *, model: str = "", effort: str = "", mode: str = "", user: AbstractBaseUser | None
) -> list[Outgoing]:
    """Change model and effort for the next turn of a live run, the permission mode from now on.

    Empty values and those that hold already stay as they are. Like a message it waits while the host is away.
    Raises Refused when nothing changes or the runner refuses, ValidationError when the CLI would.
    """
    given = {"model": model, "reasoning_effort": effort, "permission_mode": mode}
    on_its_way = Outgoing.objects.filter(run=run, kind=Outgoing.Kind.SETTING, state=State.WAITING).exists()
    new = {
        name: value for name, value in given.items() if value and (on_its_way or value != getattr(run, name))
    }
    if not new:
        raise Refused("Nothing was changed.", "A run that is going can't return to the CLI's own choice.")
    _check_choice(run, new)
    chosen = {name: value for name, value in new.items() if name != "permission_mode"}
    commands = [{"command": "set_model", **chosen}] if chosen else []
    if "permission_mode" in new:
        commands.append({"command": "set_mode", "permission_mode": mode})
    rows = [_put_in_line(run, Outgoing.Kind.SETTING, command, user) for command in commands]
    return [_hand_over(row) for row in rows]


def _check_choice(run: Run, new: dict[str, str]) -> None:
    for value in new.values():
        if value.startswith("-") or any(not c.isprintable() or c.isspace() for c in value):
            raise Refused("A model or effort has no spaces and no leading dash.")
    model, effort = (new.get(name) or getattr(run, name) for name in ("model", "reasoning_effort"))
    offer = catalog_queries.lists_of(run.task.workspace).get(run.backend)
    known = offer.find(model) if offer else None
    if known and not known["reasoning_efforts"] and "reasoning_effort" not in new:
        effort = ""  # the one that holds is not sent with such a model
    if problems := catalog_queries.problem(run.task.workspace, run.backend, model, effort):
        raise ValidationError(problems)


def _put_in_line(run: Run, kind: str, payload: dict[str, Any], user: AbstractBaseUser | None) -> Outgoing:
    _check_reachable(run)
    return Outgoing.objects.create(
        run=run, kind=kind, payload=payload, created_by_id=user.pk if user else None
    )


def interrupt(run: Run) -> None:
    """Stop the turn; the session stays and the next message goes on with it."""
    control.send(run, {"command": "interrupt"})


def _check_reachable(run: Run) -> None:
    if not run.is_live:
        raise Refused("This run has ended.", "Start a new one that goes on with its session.")
    if not run.run_dir:
        raise Refused("This run has not started yet.", "Try again when its agent is at work.")


def _hand_over(row: Outgoing) -> Outgoing:
    """Deliver now where the link is up, else leave it to the workers. Refused when the runner refuses."""
    run = row.run
    if _is_near(run):
        delivery.deliver(run.pk)
    if Outgoing.objects.filter(pk=row.pk, state=State.WAITING).exists():
        delivery.enqueue_delivery(run)
        _await(row)
    doorbell.ring(f"task:{run.task_id}", "board")
    row.refresh_from_db()
    if row.state == State.FAILED:
        row.delete()  # its person is told right now
        raise Refused(row.reason)
    return row


def _is_near(run: Run) -> bool:
    """Whether this process reaches the host without a login first, which could take long."""
    address = run.task.workspace.address
    return address.kind == "local" or hosts.get(address).connected


def _await(row: Outgoing) -> None:
    """Give the workers a moment where the link is up, so that its person is told of a refusal."""
    key = row.run.task.workspace.address.key
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not Host.objects.filter(key=key, link=Host.Link.DOWN).exists():
        if not Outgoing.objects.filter(pk=row.pk, state=State.WAITING).exists():
            return
        time.sleep(0.05)


def _who_was_faster(run: Run, request: str) -> str:
    rows = Outgoing.objects.filter(run=run, request=request[:100]).exclude(
        state__in=(State.FAILED, State.WITHDRAWN)
    )
    first = rows.select_related("created_by").first()
    name = first.created_by.get_username() if first and first.created_by else "Somebody"
    return f"{name} has answered this already."


def _withdraw_from_host(row: Outgoing) -> None:
    """The host may know it: only when it says that it was not taken the message is withdrawn."""
    if row.state not in Outgoing.OPEN:
        raise Refused(TAKEN)
    if row.kind != Outgoing.Kind.MESSAGE:
        raise Refused("The host may know it already.", "Change it back instead.")
    try:
        control.send(row.run, {"command": "withdraw", "id": str(row.key)})
    except HostError as error:
        raise Refused("The host can't be reached, and may know the message already.", str(error)) from error
    if not Outgoing.objects.filter(pk=row.pk, state__in=Outgoing.OPEN).update(state=State.WITHDRAWN):
        raise Refused(TAKEN)

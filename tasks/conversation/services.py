"""Messages, answers and settings from users to agents. Each row is saved before it is delivered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.text import storable
from tasks import editing
from tasks.attachments import queries as attachments_of
from tasks.attachments.services import attach
from tasks.conversation import delivery, forms, plans
from tasks.conversation.requests import open_ask
from tasks.models import Outgoing, Run, Task
from tasks.runs import control
from tasks.runs import services as run_services
from tasks.runs.queries import live_run
from tasks.verbs import TaskVerb, require
from workspaces import access, hosts
from workspaces.catalog import queries as catalog_queries
from workspaces.hosts import HostError
from workspaces.models import Host

State = Outgoing.State
PATIENCE = 1.5
"Seconds that a request waits for the workers to deliver a row."
CONTINUE = "You were interrupted. Check the current state of your work, then continue where you stopped."
RECEIVED = "The agent has already received it."


def send_to_task(
    task: Task,
    text: str,
    *,
    when: str,
    user: AbstractBaseUser,
    attachments: Sequence[int] = (),
    **choice: str | None,
) -> Run:
    """Send a message with files of the task to its agent, and return the run that gets it.

    A live run gets the message, and the chosen model or effort from its next turn on. If no run is live, a
    new one continues the conversation. Raises Refused, or ValidationError for a model that the CLI lacks.
    """
    run = live_run(task)
    if run is None:
        return continue_conversation(task, text, user=user, attachments=attachments, **choice)
    text = _checked(text, attachments)
    new = {name: value for name, value in choice.items() if value and value != getattr(run, name)}
    if new:
        change(
            run,
            model=new.get("model") or "",
            effort=new.get("reasoning_effort") or "",
            mode=new.get("permission_mode") or "",
            user=user,
        )
    send_message(run, text, when=when, user=user, attachments=attachments)
    return run


def send_message(
    run: Run,
    text: str,
    *,
    when: str,
    user: AbstractBaseUser | None,
    attachments: Sequence[int] = (),
) -> Outgoing:
    """Queue a message to a live run; it is delivered at once if the host can be reached.

    A message with files waits until a worker has put them on the host. Raises Refused if the run has ended
    or the runner rejects the message.
    """
    text = _checked(text, attachments)
    payload: dict[str, Any] = {"command": "message", "text": text, "when": when}
    if attachments:
        payload["attachments"] = attach(run.task, attachments, user)
    return _deliver(_queue(run, Outgoing.Kind.MESSAGE, payload, user))


def continue_conversation(
    task: Task, text: str, *, user: AbstractBaseUser, attachments: Sequence[int] = (), **choice: str | None
) -> Run:
    """Queue a run that continues the task's last CLI session, or starts a new one if there is none."""
    text = _checked(text, attachments)
    resumable = task.runs.filter(backend=task.backend).exclude(cli_session="").exists()
    if resumable:
        require(task, TaskVerb.CONTINUE)
    else:
        attachments = [*attachments_of.prompt_of(task), *attachments]
    return run_services.queue_run(
        task, user=user, prompt=text, resume=resumable, attachments=attachments, **choice
    )


def _checked(text: str, attachments: Sequence[int] = ()) -> str:
    text = editing.clean_text(text).strip()
    if not text and not attachments:
        raise Refused("The message is empty.")
    return text


def resume(task: Task, *, user: AbstractBaseUser) -> Run:
    """Queue a run that resumes the CLI session of an interrupted run, with a standard prompt."""
    require(task, TaskVerb.RESUME)
    return run_services.queue_run(task, user=user, prompt=CONTINUE, resume=True)


def answer(run: Run, request: str, command: dict[str, Any], *, user: AbstractBaseUser | None) -> Outgoing:
    """Answer an open request. Only the first answer counts; Refused says who gave it.

    Raises InvalidFields if a form is not filled in correctly.
    Raises NotAllowed if the answer decides more than the agent has asked for, and the user may not.
    """
    _check_reachable(run)
    ask = open_ask(run, request)
    if ask:
        command = plans.completed(ask, forms.as_submission(ask.request, command))
        if command["command"] == "submit":
            forms.check(ask.request, command["content"])
    mode = command.get("mode") or _granted_mode(run, request, command)
    if mode and mode != run.permission_mode:
        access.check_mode(user, run.task.workspace, str(mode))
    if user is not None:
        _check_answer(run, request, command, user)
    request = storable(request)
    payload = storable({**command, **_consent(run, request, command), "request": request})
    if ask and (secret := forms.secrets_of(ask.request, command)):
        payload["secret"] = storable(secret)
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
        raise Refused(_answered_by(run, request), "Only the first answer counts.") from error
    return _deliver(row)


def _consent(run: Run, request: str, command: dict[str, Any]) -> dict[str, str]:
    """Return the digest of the request that is allowed, so that the runner allows nothing else.

    Raises Refused if it can't be shown as the agent has sent it, or is not the one that the user has seen.
    """
    ask = open_ask(run, request)
    if ask is None or command["command"] not in ("approve", "submit"):
        return {}
    if not ask.is_exact:
        raise Refused(
            "This can't be allowed: it can't be shown as the agent has sent it.",
            "Deny it, and ask for smaller or other steps.",
        )
    if command.get("digest", ask.digest) != ask.digest:
        raise Refused("This is not the request that was shown.", "Look at it again, then answer.")
    return {"digest": ask.digest} if "digest" in ask.request else {}


def _check_answer(run: Run, request: str, command: dict[str, Any], user: AbstractBaseUser) -> None:
    workspace = run.task.workspace
    if command.get("scope") == "run" or command.get("grant"):
        access.check_decision(user, workspace, "allow something for a whole run")
    if command["command"] == "submit" and (ask := open_ask(run, request)) and ask.kind == "unknown":
        access.check_decision(user, workspace, "answer what the app does not know")
    changes_call = "input" in command and command["input"] != _asked_input(run, request)
    if changes_call and not _is_plan(run, request):  # whose text is no more than a message
        access.check_decision(user, workspace, "change what an agent wants to do")


def _granted_mode(run: Run, request: str, command: dict[str, Any]) -> str | None:
    """Return the permission mode of the grant that the user has picked, if it is one."""
    ask = open_ask(run, request)
    grants = ask.request.get("grants") or [] if ask else []
    return next((grant.get("mode") for grant in grants if grant["id"] == command.get("grant")), None)


def _is_plan(run: Run, request: str) -> bool:
    ask = open_ask(run, request)
    return ask is not None and ask.kind == "plan"


def _asked_input(run: Run, request: str) -> Any:
    ask = open_ask(run, request)
    return ask.request.get("input") if ask else None


def withdraw(row: Outgoing) -> None:
    """Withdraw a message or setting that the agent has not received.

    Raises Refused if it is too late, or if the host can't be asked.
    """
    never_tried = Outgoing.objects.filter(pk=row.pk, state=State.WAITING, tried_at=None)
    if not never_tried.update(state=State.WITHDRAWN):
        _withdraw_from_host(row)
    doorbell.ring(f"task:{row.run.task_id}")


def dismiss(row: Outgoing) -> None:
    """Hide a message that was not delivered."""
    row.change((State.FAILED,), state=State.WITHDRAWN)
    doorbell.ring(f"task:{row.run.task_id}")


def edit(row: Outgoing, text: str, *, user: AbstractBaseUser) -> Outgoing:
    """Edit a message: in place while it waits for the host, else it is withdrawn and sent as a new one.

    It keeps its files.
    """
    if row.kind != Outgoing.Kind.MESSAGE:
        raise Refused("Only messages can be edited.")
    payload = {**row.payload, "text": _checked(text, row.attachments)}
    if Outgoing.objects.filter(pk=row.pk, state=State.WAITING, tried_at=None).update(payload=payload):
        doorbell.ring(f"task:{row.run.task_id}")
        row.refresh_from_db()
        return row
    withdraw(row)
    when = str(payload.get("when") or "now")
    return send_message(row.run, text, when=when, user=user, attachments=row.attachments)


def change(
    run: Run, *, model: str = "", effort: str = "", mode: str = "", user: AbstractBaseUser | None
) -> list[Outgoing]:
    """Change model and effort for the next turn of a live run, the permission mode from now on.

    Empty and unchanged values are skipped. Like a message, a setting waits until the host can be reached.
    Raises Refused if nothing changes or the runner refuses, ValidationError if the CLI would refuse.
    """
    given = {"model": model, "reasoning_effort": effort, "permission_mode": mode}
    is_pending = Outgoing.objects.filter(run=run, kind=Outgoing.Kind.SETTING, state=State.WAITING).exists()
    new = {
        name: value for name, value in given.items() if value and (is_pending or value != getattr(run, name))
    }
    if not new:
        raise Refused("Nothing was changed.", "A run in progress can't return to the CLI's default.")
    if "permission_mode" in new:
        access.check_mode(user, run.task.workspace, mode)
    _check_choice(run, new)
    chosen = {name: value for name, value in new.items() if name != "permission_mode"}
    commands = [{"command": "set_model", **chosen}] if chosen else []
    if "permission_mode" in new:
        commands.append({"command": "set_mode", "permission_mode": mode})
    rows = [_queue(run, Outgoing.Kind.SETTING, command, user) for command in commands]
    return [_deliver(row) for row in rows]


def _check_choice(run: Run, new: dict[str, str]) -> None:
    for value in new.values():
        if value.startswith("-") or any(not c.isprintable() or c.isspace() for c in value):
            raise Refused("A model or effort has no spaces and no leading dash.")
    model, effort = (new.get(name) or getattr(run, name) for name in ("model", "reasoning_effort"))
    offer = catalog_queries.lists_of(run.task.workspace).get(run.backend)
    known = offer.find(model) if offer else None
    if known and not known["reasoning_efforts"] and "reasoning_effort" not in new:
        effort = ""  # the current effort is not sent with a model that has none
    if problems := catalog_queries.problem(run.task.workspace, run.backend, model, effort):
        raise ValidationError(problems)


def _queue(run: Run, kind: str, payload: dict[str, Any], user: AbstractBaseUser | None) -> Outgoing:
    _check_reachable(run)
    return Outgoing.objects.create(
        run=run, kind=kind, payload=payload, created_by_id=user.pk if user else None
    )


def interrupt(run: Run) -> None:
    """Interrupt the current turn. The CLI session stays, and the next message continues it."""
    control.send(run, {"command": "interrupt"})


def compact(run: Run) -> None:
    """Let the CLI replace the conversation by a summary when the current turn has ended.

    Raises Refused if there is nothing to compact, or the runner refuses.
    """
    require(run.task, TaskVerb.COMPACT)
    control.send(run, {"command": "compact"})


def stop_background(run: Run, work: str) -> None:
    """End a command or sub-agent that runs in the background. Raises Refused if it has ended."""
    require(run.task, TaskVerb.STOP_BACKGROUND)
    if work not in [each["id"] for each in run.in_background]:
        raise Refused("It has ended already.")
    control.send(run, {"command": "stop_background", "work": work})


def _check_reachable(run: Run) -> None:
    if not run.is_live:
        raise Refused("This run has ended.", "Start a new run that continues its session.")
    if not run.run_dir:
        raise Refused("This run has not started yet.", "Try again when its agent is running.")


def _deliver(row: Outgoing) -> Outgoing:
    """Deliver now if the host is connected, else let a worker do it. Raises Refused if the runner refuses."""
    run = row.run
    if _is_connected(run):
        delivery.deliver(run.pk, with_files=False)
    if Outgoing.objects.filter(pk=row.pk, state=State.WAITING).exists():
        delivery.enqueue_delivery(run)
        _wait_for_delivery(row)
    doorbell.ring(f"task:{run.task_id}")
    row.refresh_from_db()
    if row.state == State.FAILED:
        row.delete()  # the caller gets the reason at once, so the row isn't needed
        raise Refused(row.reason)
    return row


def _is_connected(run: Run) -> bool:
    """Whether this process has a connection to the host, so that it needs no slow login first."""
    address = run.task.workspace.address
    return address.kind == "local" or hosts.get(address).connected


def _wait_for_delivery(row: Outgoing) -> None:
    """Wait briefly for the workers if the link is up, so that the user sees a refusal."""
    key = row.run.task.workspace.address.key
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not Host.objects.filter(key=key, link=Host.Link.DOWN).exists():
        if not Outgoing.objects.filter(pk=row.pk, state=State.WAITING).exists():
            return
        time.sleep(0.05)


def _answered_by(run: Run, request: str) -> str:
    rows = Outgoing.objects.filter(run=run, request=request[:100]).exclude(
        state__in=(State.FAILED, State.WITHDRAWN)
    )
    first = rows.select_related("created_by").first()
    name = first.created_by.get_username() if first and first.created_by else "Another user"
    return f"{name} has already answered this."


def _withdraw_from_host(row: Outgoing) -> None:
    """Withdraw a message that the host may have: only if its runner confirms that the agent lacks it."""
    if row.state not in Outgoing.OPEN:
        raise Refused(RECEIVED)
    if row.kind != Outgoing.Kind.MESSAGE:
        raise Refused("The host may already have it.", "Change the setting back instead.")
    try:
        control.send(row.run, {"command": "withdraw", "id": str(row.key)})
    except HostError as error:
        raise Refused("The host can't be reached and may already have the message.", str(error)) from error
    if not Outgoing.objects.filter(pk=row.pk, state__in=Outgoing.OPEN).update(state=State.WITHDRAWN):
        raise Refused(RECEIVED)

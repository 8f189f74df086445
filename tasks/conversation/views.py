"""Messages to agents, answers to their requests, and interactive sessions, from the task page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from aitask.lib import untrusted_json
from aitask.lib.errors import InvalidFields, Refused
from tasks.access import message_for, run_for, task_for
from tasks.answers import answer_on_task
from tasks.attachments.posted import posted_ids
from tasks.conversation import forms, interactive, services
from tasks.conversation.form_problems import FormProblems
from tasks.conversation.requests import open_ask
from tasks.models import Outgoing, Run
from tasks.runs import control
from workspaces.access import current_user
from workspaces.models import PermissionMode

WHEN = ("now", "after_turn")


@require_POST
def task_say(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a message to the live run, or queue a run that continues the conversation."""
    task, user = task_for(request.user, pk), current_user(request)
    text = request.POST.get("text", "")
    names = ("model", "reasoning_effort", "permission_mode")
    choice: dict[str, Any] = {name: request.POST[name] for name in names if name in request.POST}
    choice["attachments"] = posted_ids(request.POST)
    newest = task.last_run

    def send() -> str:
        run = services.send_to_task(task, text, when=_when(request), user=user, **choice)
        return "" if run == newest else f"Run {run.number} continues the conversation."

    return answer_on_task(request, pk, send)


@require_POST
def task_go_on(request: HttpRequest, pk: int) -> HttpResponse:
    """Resume an interrupted run."""
    task, user = task_for(request.user, pk), current_user(request)
    return answer_on_task(
        request, pk, lambda: f"Run {services.resume(task, user=user).number} continues the conversation."
    )


@require_POST
def message_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    row = message_for(request.user, pk)
    return answer_on_task(request, row.run.task_id, lambda: services.withdraw(row))


@require_POST
def message_edit(request: HttpRequest, pk: int) -> HttpResponse:
    row = message_for(request.user, pk)
    text = request.POST.get("text", "")
    return answer_on_task(
        request, row.run.task_id, lambda: services.edit(row, text, user=current_user(request))
    )


@require_POST
def message_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """Hide a message that was not delivered."""
    row = message_for(request.user, pk)
    return answer_on_task(request, row.run.task_id, lambda: services.dismiss(row))


@require_POST
def run_interrupt(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_for(request.user, pk)
    return answer_on_task(request, run.task_id, lambda: services.interrupt(run))


@require_POST
def run_compact(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_for(request.user, pk)
    text = "The conversation is compacted when the current turn has ended."
    return answer_on_task(request, run.task_id, lambda: services.compact(run), text)


@require_POST
def run_stop_background(request: HttpRequest, pk: int) -> HttpResponse:
    """End a command or a sub-agent that runs in the background."""
    run, work = run_for(request.user, pk), request.POST.get("work", "")
    return answer_on_task(request, run.task_id, lambda: services.stop_background(run, work), "Stopping…")


@require_POST
def run_stop(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_for(request.user, pk)
    return answer_on_task(request, run.task_id, lambda: control.stop(run), "Stopping…")


@require_POST
def run_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Change model, effort and permission mode of a live run."""
    run = run_for(request.user, pk)
    model, effort = (request.POST.get(name, "").strip() for name in ("model", "reasoning_effort"))
    mode = request.POST.get("permission_mode", "")

    def change() -> str:
        known = mode if mode in PermissionMode.values else ""
        rows = services.change(run, model=model, effort=effort, mode=known, user=current_user(request))
        pending = any(row.state == Outgoing.State.WAITING for row in rows)
        return "Will be sent when the host can be reached." if pending else "Applies from the next turn."

    return answer_on_task(request, run.task_id, change)


@require_POST
def run_answer(request: HttpRequest, pk: int, request_id: str) -> HttpResponse:
    run, wrong = run_for(request.user, pk), FormProblems()
    asked = open_ask(run, request_id)

    def answer() -> None:
        with wrong.noted(asked):
            command = command_of(request.POST, run, request_id)
            services.answer(run, request_id, command, user=current_user(request))

    return wrong.shown_on(answer_on_task(request, run.task_id, answer))


@require_POST
def task_by_hand(request: HttpRequest, pk: int) -> HttpResponse:
    """Open an interactive session, and go to its terminal if the user may use terminals."""
    task, user = task_for(request.user, pk), current_user(request)
    text = "Opened in the task's terminal. The CLI may ask there once whether you trust this repository."
    terminal = reverse("task_terminal", args=[pk]) if user.has_perm("terminal.use_terminal") else ""
    return answer_on_task(request, pk, lambda: interactive.open_window(task, user=user), text, go=terminal)


def command_of(post: QueryDict, run: Run, request_id: str) -> dict[str, Any]:
    """Return the form of an open request as a command for the runner. Raises Refused if it is invalid."""
    decision, text = post.get("decision", ""), post.get("text", "").strip()
    if decision in ("deny", "cancel"):
        more = {"text": text, "cancel": decision == "cancel"}
        return {"command": "deny", **{name: value for name, value in more.items() if value}}
    if decision == "submit":
        return _submission(post, run, request_id)
    if decision == "answer":
        return {"command": "answer", "answers": _answers(post)}
    if decision not in ("allow", "allow_for_run"):
        raise Refused("No decision was made.")
    command: dict[str, Any] = {
        "command": "approve",
        "scope": "run" if decision == "allow_for_run" else "once",
    }
    if post.get("mode") in PermissionMode.values:
        command["mode"] = post["mode"]
    if post.get("grant"):
        command["grant"] = post["grant"]
    if "input" in post:
        command["input"] = _edited(post, run, request_id)
    return {**command, **_shown(post, run, request_id)}


def _submission(post: QueryDict, run: Run, request_id: str) -> dict[str, Any]:
    """Return the values of a form, or the raw answer to what is unknown."""
    ask = open_ask(run, request_id)
    if ask is None:
        raise Refused("This request is no longer open.")
    if ask.is_raw:
        return {"command": "submit", "content": _raw_answer(post)}
    return {"command": "submit", "content": forms.posted(ask.request, post)}


def _raw_answer(post: QueryDict) -> dict[str, Any]:
    try:
        return _json_object(post.get("raw", ""), "The answer")
    except Refused as error:
        raise InvalidFields(error.reason, {"": error.hint or error.reason}) from error


def _json_object(text: str, what: str) -> dict[str, Any]:
    try:
        found = untrusted_json.loads(text)
    except untrusted_json.Unreadable as error:
        raise Refused(f"{what} is not valid JSON.", str(error)) from error
    if not isinstance(found, dict):
        raise Refused(f"{what} must be a JSON object.")
    return found


def _shown(post: QueryDict, run: Run, request_id: str) -> dict[str, str]:
    """Return the digest of what the page has shown. Raises Refused if a long input was not opened."""
    key = f"{run.pk}-{request_id}="
    digests = [each.removeprefix(key) for each in post.getlist("digest") if each.startswith(key)]
    ask = open_ask(run, request_id)
    if ask and ask.is_long and not digests:
        raise Refused("Not all of it was shown.", "Open the whole input, then allow it.")
    return {"digest": digests[0]} if digests else {}


def _answers(post: QueryDict) -> dict[str, Any]:
    """Return the chosen options and own text by question."""
    answers: dict[str, Any] = {}
    for number in range(len(post.getlist("question"))):
        chosen = [value for value in post.getlist(f"answer-{number}") if value]
        own = post.get(f"other-{number}", "").strip()
        values = [*chosen, own] if own else chosen
        if not values:
            raise Refused("Answer every question first.")
        answers[post.getlist("question")[number]] = values if len(values) > 1 else values[0]
    return answers


def _edited(post: QueryDict, run: Run, request_id: str) -> dict[str, Any]:
    """Return the edited input: one field as text, or the whole input as JSON."""
    name, text = post.get("field", ""), str(post.get("input") or "").replace("\r\n", "\n")
    ask = open_ask(run, request_id)
    if ask is None:
        raise Refused("This request is no longer open.")
    if ask.kind == "plan" and text == ask.editable:
        return {**ask.request["input"]}
    if name and name == ask.edited_field:
        return {**ask.request["input"], name: text}
    return _json_object(text, "The changed input")


def _when(request: HttpRequest) -> str:
    when = request.POST.get("when", "now")
    return when if when in WHEN else "now"

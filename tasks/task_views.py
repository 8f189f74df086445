"""The task page, the parts of it that are reloaded, and the verbs of a task."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from aitask.lib import htmx
from aitask.lib.answers import answer, succeeds
from aitask.lib.errors import Refused
from aitask.lib.policy import with_own_styles
from aitask.lib.text import whole_number
from tasks import editing, export, queries, rendering, services
from tasks.access import task_for
from tasks.answers import answer_on_task
from tasks.attachments import services as attachments
from tasks.attachments.access import attachments_for
from tasks.attachments.hosting import removed_later
from tasks.attachments.posted import posted_ids
from tasks.attachments.queries import in_prompt, of_task
from tasks.board.queries import siblings
from tasks.concurrent_edits import EditConflict, merge_edits, shown_values
from tasks.conversation.rendering import render_talk
from tasks.forms import RunForm, TaskForm, choices_for
from tasks.models import Attachment, Event, Run, Task
from tasks.order.queries import order_context
from tasks.review.queries import outside_changes
from tasks.runs import agent_settings, modes
from tasks.runs import services as run_services
from tasks.runs.shell_commands import commands
from tasks.spotlight.queries import spotlights_of
from tasks.verbs import possible
from workspaces.access import current_user, may_decide

PAGE_EVENTS = 200
"Number of events in one page of the conversation."

Rows = list[tuple[Run, Event]]


@require_GET
def task_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The task page with the newest events."""
    task = task_for(request.user, pk)
    rows = queries.events(task, before=None, after=None, limit=PAGE_EVENTS)
    context = {"nav": "board", **page_context(request, task), **log_context(rows)}
    return with_own_styles(request, render(request, "tasks/task.html", context))  # for its terminal


def page_context(request: HttpRequest, task: Task) -> dict[str, Any]:
    run = task.last_run
    in_review = task.status == Task.Status.REVIEW and bool(task.branch) and not task.is_plan
    return {
        "task": task,
        "run": run,
        "attached": of_task(task, run.attachments) if run else in_prompt(task),
        "verbs": possible(task, run),
        "runs": task.runs.order_by("-number"),
        "head": rendering.render_head(task, run),
        "talk": render_talk(task, run),
        "may_decide": may_decide(request.user, task.workspace),
        "columns": siblings(current_user(request), task),
        "commands": commands(task, run),
        **order_context(task),
        "asks_first": agent_settings.waiting_for(run, task.workspace),
        "outside": outside_changes([task]).get(task.pk, []),
        "in_review": in_review,
        "spotlights": spotlights_of([task.workspace]),
        "last_words": rendering.readable(queries.last_words(run)) if in_review else "",
    }


def log_context(rows: Rows) -> dict[str, Any]:
    return {
        "log": rendering.render_rows(rows),
        "first": _place(rows[0]) if rows else "",
        "last": _place(rows[-1]) if rows else "",
        "older": len(rows) >= PAGE_EVENTS,
    }


def _place(row: tuple[Run, Event]) -> str:
    run, event = row
    return f"{run.number}.{event.seq}"


@require_GET
def task_events(request: HttpRequest, pk: int) -> HttpResponse:
    """Events before, after or around a position ("run.seq"), or the newest ones."""
    task = task_for(request.user, pk)
    before, after, around = (
        _parse_place(request.GET.get(name, "")) for name in ("before", "after", "around")
    )
    if around:
        return _answer_around(task, around)
    rows = queries.events(task, before=before, after=after, limit=PAGE_EVENTS)
    return _answer_with(rows, more=len(rows) >= PAGE_EVENTS)


def _answer_around(task: Task, place: tuple[int, int]) -> HttpResponse:
    """The events on both sides of a position. X-Earlier tells whether there may be more before them."""
    number, seq = place
    earlier = queries.events(task, before=place, limit=PAGE_EVENTS // 2)
    later = queries.events(task, after=(number, seq - 1), limit=PAGE_EVENTS // 2)
    response = _answer_with([*earlier, *later], more=len(later) >= PAGE_EVENTS // 2)
    response["X-Earlier"] = "yes" if len(earlier) >= PAGE_EVENTS // 2 else ""
    return response


def _answer_with(rows: Rows, *, more: bool) -> HttpResponse:
    response = HttpResponse(rendering.render_rows(rows))
    response["X-First"] = _place(rows[0]) if rows else ""
    response["X-Last"] = _place(rows[-1]) if rows else ""
    response["X-More"] = "yes" if more else ""
    return response


def _parse_place(text: str) -> tuple[int, int] | None:
    number, seq = (whole_number(part) for part in text.partition(".")[::2])
    return None if number is None or seq is None else (number, seq)


@require_GET
def task_event(request: HttpRequest, pk: int, number: int, seq: int) -> HttpResponse:
    """One event as plain text, for texts that are too long for the conversation."""
    event = get_object_or_404(Event, run__task=task_for(request.user, pk), run__number=number, seq=seq)
    fields = (value for name, value in event.data.items() if name not in ("id", "v") and value)
    texts = (
        text if isinstance(text, str) else json.dumps(text, indent=2, ensure_ascii=False) for text in fields
    )
    return HttpResponse("\n\n".join(map(rendering.readable, texts)), content_type="text/plain; charset=utf-8")


@require_GET
def task_raw(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The lines of a run that the app does not know, as plain text."""
    run = get_object_or_404(Run, task=task_for(request.user, pk), number=number)
    lines = (rendering.readable(line) for line in queries.raw_lines(run))
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


@require_GET
def task_export(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Download the conversation as Markdown."""
    task = task_for(request.user, pk)
    response = StreamingHttpResponse(export.as_markdown(task), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="task-{task.pk}-{task.slug}.md"'
    return response


@require_GET
def task_side(request: HttpRequest, pk: int) -> HttpResponse:
    """The panes beside the conversation, with which the page updates itself."""
    task = task_for(request.user, pk)
    return render(request, "tasks/_side.html", page_context(request, task))


@require_GET
def agent_settings_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The hooks, MCP servers and permissions that the task's branch brings for agents, word for word."""
    task = task_for(request.user, pk)
    context: dict[str, Any] = {"nav": "board", "task": task}
    try:
        found = agent_settings.read_settings(task)
    except Refused as error:
        context["error"] = error
    else:
        files = [{**file, "shown": len(os.fsencode(file["data"]))} for file in found["files"]]
        context |= {"files": files, "digest": found["digest"]}
        context["is_allowed"] = found["digest"] in task.workspace.allowed_agent_settings
    context["may_decide"] = may_decide(request.user, task.workspace)
    return render(request, "tasks/agent_settings.html", context)


@require_POST
def agent_settings_allow(request: HttpRequest, pk: int) -> HttpResponse:
    task, digest = task_for(request.user, pk), request.POST.get("digest", "")
    here = reverse("task_agent_settings", args=[pk])
    verb = partial(agent_settings.allow, task, digest, user=current_user(request))
    return answer(request, verb, "Allowed.", to=here, go=reverse("task", args=[pk]))


@require_http_methods(["GET", "POST"])
def task_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Edit a task. Who saves over somebody else's changes is shown them first."""
    task = task_for(request.user, pk)
    initial = {name: getattr(task, name) for name in editing.EDITABLE}
    form = TaskForm(request.POST or None, initial=initial, task=task)
    now = shown_values(task)
    shown = request.POST.get("shown", now)
    conflicts: list[EditConflict] = []
    if request.method == "POST" and form.is_valid():
        user = current_user(request)
        values, conflicts = merge_edits(task, request.POST.get("shown", ""), form.cleaned_data)
        if not conflicts and succeeds(form, lambda: _save(request, task, user, values)):
            return _submitted(request, "Saved.", pk)
    context = {
        "shown": now if conflicts else shown,
        "conflicts": conflicts,
        "attached": _files(request, task),
    }
    return _form(request, "edit_task", task, form, context, ids="edit_")


@require_http_methods(["GET", "POST"])
def task_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a run: of the task as it is, or with the prompt and the model of the form."""
    task = task_for(request.user, pk)
    if request.method == "POST" and "prompt" not in request.POST:
        return answer_on_task(
            request, pk, lambda: run_services.queue_run(task, user=current_user(request)), "Queued."
        )
    last = task.last_run
    resumable = bool(last and last.cli_session)
    names = ("prompt", "model", "reasoning_effort", "permission_mode")
    initial = {name: getattr(task, name) for name in names}
    form = RunForm(request.POST or None, initial=initial)
    if not resumable:
        del form.fields["resume"]
    if request.method == "POST" and form.is_valid():
        user = current_user(request)
        files = posted_ids(request.POST) if "attachments" in request.POST else None
        if succeeds(form, lambda: _queue(task, user, files, form.values())):
            return _submitted(request, "Queued.", pk)
    context = {"attached": _files(request, task)}
    return _form(request, "run_task", task, form, context, ids="run_", backend=task.backend, fixed=True)


def _save(request: HttpRequest, task: Task, user: User, values: dict[str, Any]) -> None:
    """Save the fields and the files of a task: all of it or nothing."""
    with transaction.atomic():
        editing.update_task(task, user=user, **values)
        if "attachments" in request.POST:
            attachments.set_prompt(task, posted_ids(request.POST), user)


def _queue(task: Task, user: User, files: list[int] | None, values: dict[str, Any]) -> Run:
    return run_services.queue_run(task, user=user, attachments=files, **values)


def _files(request: HttpRequest, task: Task) -> list[Attachment]:
    """Return the files that a form shows: those of the task, or what the user has made of them."""
    if request.method == "POST" and "attachments" in request.POST:
        return attachments_for(request.user, posted_ids(request.POST))
    return in_prompt(task)


def _submitted(request: HttpRequest, text: str, pk: int) -> HttpResponse:
    """Confirm a form: the board stays open, other pages lead to the task."""
    if request.POST.get("from") != "board":
        return htmx.done(request, text, to=reverse("task", args=[pk]), stay=False)
    return trigger_client_event(htmx.done(request, text, to=reverse("board")), "close-dialogs")


def _form(
    request: HttpRequest,
    name: str,
    task: Task,
    form: TaskForm | RunForm,
    more: dict[str, Any] | None = None,
    **fixed: Any,
) -> HttpResponse:
    partial = htmx.is_partial(request)
    form.fields["prompt"].widget.attrs["data-complete"] = reverse("task_completions", args=[task.pk])
    context = {
        "form": form,
        "task": task,
        "c": choices_for(form, task.workspace, **fixed),
        "choices_url": reverse("task_new_fields"),
        "is_from_board": "board" in (request.GET.get("from"), request.POST.get("from")),
        "kept_mode": modes.kept_after_plan(task),
        "template": f"tasks/_{name}.html",
        **(more or {}),
    }
    template = f"tasks/_{name}.html" if partial else "tasks/form_page.html"
    return render(request, template, context, status=422 if form.errors or context.get("conflicts") else 200)


@require_POST
def task_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    return answer_on_task(request, pk, lambda: run_services.cancel_task(task), "Cancelling…")


@require_POST
def task_unqueue(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    return answer_on_task(request, pk, lambda: run_services.unqueue(task), "Removed from the queue.")


@require_POST
def task_start_anyway(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    text = "It no longer waits for other tasks."
    return answer_on_task(request, pk, lambda: run_services.start_anyway(task), text)


@require_POST
def task_delete(request: HttpRequest, pk: int) -> HttpResponse:
    task = task_for(request.user, pk)
    here, board = reverse("task", args=[pk]), reverse("board")
    text = " ".join(filter(None, [f"Deleted #{pk}.", removed_later(task)]))
    if request.POST.get("from") == "board":
        return answer(request, lambda: services.delete_task(task), text, to=board)
    return answer(request, lambda: services.delete_task(task), text, to=here, go=board)

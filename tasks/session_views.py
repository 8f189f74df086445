"""Runs that continue a part of a conversation (a fork), or a record of it (a rescue)."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from aitask.lib import htmx
from aitask.lib.answers import succeeds
from aitask.lib.errors import Refused
from tasks.access import task_for
from tasks.forms import PromptForm
from tasks.models import Event, Task
from tasks.runs import forks, rescue
from tasks.runs import services as run_services
from tasks.verbs import TASK_RULES, TaskFacts, TaskVerb
from workspaces.access import current_user


@require_http_methods(["GET", "POST"])
def task_fork(request: HttpRequest, pk: int, number: int, seq: int) -> HttpResponse:
    """Fork the conversation at a message or an answer, in a new run in the same worktree."""
    task = task_for(request.user, pk)
    event = forks.event_of(task, number, seq)
    if event is None:
        raise Http404
    is_message = event.kind == "message"
    form = PromptForm(request.POST or None, initial={"prompt": _text_of(event) if is_message else ""})
    place = _place(event)
    if request.method == "POST" and form.is_valid():

        def fork() -> object:
            wanted = forks.place_of(event)
            prompt = form.cleaned_data["prompt"]
            return run_services.queue_run(task, user=current_user(request), prompt=prompt, resume=wanted)

        if succeeds(form, fork):
            return htmx.done(request, "Queued.", to=reverse("task", args=[pk]), stay=False)
    context = {"event": event, "is_message": is_message, "refusal": place or _not_now(task)}
    return _form(request, "fork_task", task, form, **context)


@require_http_methods(["GET", "POST"])
def task_rescue(request: HttpRequest, pk: int) -> HttpResponse:
    """Go on in a new session that gets a record of the earlier ones, which can be edited first."""
    task = task_for(request.user, pk)
    form = PromptForm(request.POST or None, initial={"prompt": partial(_summary, task)})
    if request.method == "POST" and form.is_valid():
        prompt = form.cleaned_data["prompt"]
        user = current_user(request)
        files = rescue.files(task)
        if succeeds(form, lambda: run_services.queue_run(task, user=user, prompt=prompt, attachments=files)):
            return htmx.done(request, "Queued.", to=reverse("task", args=[pk]), stay=False)
    return _form(request, "rescue_task", task, form, refusal=_not_now(task))


def _summary(task: Task) -> str:
    try:
        return rescue.summary(task)
    except Refused:  # the form can be filled by hand
        return task.prompt


def _text_of(event: Event) -> str:
    text = event.data.get("text")
    return text if isinstance(text, str) else ""


def _place(event: Event) -> Refused | None:
    """Return why the conversation can't be forked here; None if it can."""
    try:
        forks.place_of(event)
    except Refused as error:
        return error
    return None


def _not_now(task: Task) -> Refused | None:
    return TASK_RULES.refusal(TaskFacts(task), TaskVerb.RUN)


def _form(request: HttpRequest, name: str, task: Task, form: PromptForm, **more: Any) -> HttpResponse:
    form.fields["prompt"].widget.attrs["data-complete"] = reverse("task_completions", args=[task.pk])
    template = f"tasks/_{name}.html"
    context = {"form": form, "task": task, "template": template, **more}
    page = template if htmx.is_partial(request) else "tasks/form_page.html"
    return render(request, page, context, status=422 if form.errors else 200)

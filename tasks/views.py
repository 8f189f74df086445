"""The verbs of the board, and the panel for new tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from aitask.lib import htmx
from aitask.lib.answers import answer, attempt, show_refusal
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks import editing, prompt_templates, services
from tasks.access import hold_for, task_for
from tasks.attachments.access import attachments_for
from tasks.attachments.posted import posted_ids
from tasks.attachments.queries import in_prompt
from tasks.forms import CHOICES, ORDER, SORTING, MoveForm, NewTaskForm, choices_for, models_used, modes_for
from tasks.models import Attachment, Task
from tasks.runs import services as run_services
from tasks.trains import services as trains
from workspaces.access import current_user, visible_workspaces, workspace_for
from workspaces.catalog import form_choices
from workspaces.catalog import queries as catalog_queries
from workspaces.models import Workspace


@require_http_methods(["GET", "POST"])
def task_new(request: HttpRequest) -> HttpResponse:
    """The panel for new tasks; invalid input is shown again with status 422."""
    user = current_user(request)
    form = NewTaskForm(request.POST or None, user=user, initial=new_task_preset(request))
    if request.method == "POST" and form.is_valid():
        result = attempt(lambda: created(request, form))
        if not isinstance(result, Refused):
            return result
        show_refusal(form, result, field="text")
    status = 422 if form.errors else 200
    template = "tasks/_new_task.html" if htmx.is_partial(request) else "tasks/new_task.html"
    return render(request, template, new_task_context(request, form), status=status)


def new_task_preset(request: HttpRequest) -> dict[str, Any]:
    """Return the board's workspace filter, else the workspace used last, and the workspace's defaults.

    With `like`, return the fields of that task.
    """
    if (like := whole_number(request.GET.get("like"))) is not None:
        return fields_of(task_for(request.user, like))
    workspaces = visible_workspaces(request.user)
    chosen = workspaces.filter(pk=whole_number(request.GET.get("workspace")) or 0).first()
    last = (
        Task.objects.filter(created_by=current_user(request), workspace__in=workspaces)
        .order_by("-pk")
        .first()
    )
    workspace = chosen or (last.workspace if last else workspaces.first())
    if workspace is None:
        return {}
    return {"workspace": workspace, **preset_of(workspace)}


def preset_of(workspace: Workspace) -> dict[str, Any]:
    """Return the workspace's CLI, model and effort."""
    choices = form_choices.preset(catalog_queries.lists_of(workspace), workspace)
    return {"backend": choices.backend, "model": choices.model, "reasoning_effort": choices.effort}


def fields_of(task: Task) -> dict[str, Any]:
    """Return the fields for another task like this one. Its title comes from the first line of the text."""
    names = ("workspace", *CHOICES, *SORTING, *ORDER)
    first = editing.one_line(services.first_line(task.prompt))
    text = task.prompt if first[:200] == task.title else f"{task.title}\n\n{task.prompt}".strip()
    return {"text": text, **{name: getattr(task, name) for name in names}}


def new_task_context(request: HttpRequest, form: NewTaskForm) -> dict[str, Any]:
    workspaces = visible_workspaces(request.user)
    workspace = form.initial.get("workspace")
    if form.is_bound:
        workspace = workspaces.filter(pk=whole_number(form.data.get("workspace")) or 0).first() or workspace
    return {
        "form": form,
        "has_workspaces": workspaces.exists(),
        "attached": new_task_files(request),
        "more": request.POST.get("more"),
        "like": whole_number(request.GET.get("like")),
        "prompt_templates": prompt_templates.visible_templates(request.user).defer("text"),
        "c": choices_for(form, workspace) if workspace else None,
        "choices_url": reverse("task_new_fields"),
    }


def new_task_files(request: HttpRequest) -> list[Attachment]:
    """Return the files that the form has, or those of the task that the new one is to be like."""
    if request.method == "POST":
        return attachments_for(request.user, posted_ids(request.POST))
    like = whole_number(request.GET.get("like"))
    return [] if like is None else in_prompt(task_for(request.user, like))


def created(request: HttpRequest, form: NewTaskForm) -> HttpResponse:
    """Create the tasks, queue runs if requested, and keep the panel open if the user wants to add more."""
    user, data = current_user(request), form.cleaned_data
    fields = {**form.choices_of(), **form.sorting_of(), **form.order_of(), **form.attempts_of()}
    tasks = services.create_tasks_from_text(
        workspace=data["workspace"],
        user=user,
        text=data["text"],
        attachments=posted_ids(request.POST),
        as_chosen=True,
        **fields,
    )
    runs = "run" in request.POST
    for task in tasks if runs else ():
        run_services.queue_run(task, user=user)
    response = htmx.done(request, created_text(tasks, runs), to=reverse("board"))
    if response.status_code == 204:
        trigger_client_event(response, "created", {"more": bool(request.POST.get("more"))})
    return response


def created_text(tasks: list[Task], runs: bool) -> str:
    verb = "Created and queued" if runs else "Created"
    return f"{verb} #{tasks[0].pk}." if len(tasks) == 1 else f"{verb} {len(tasks)} tasks."


@require_GET
def task_new_fields(request: HttpRequest) -> HttpResponse:
    """The fields for CLI, model and effort after a change of one of them. Reads rows; starts no CLI."""
    wanted = whole_number(request.GET.get("workspace"))
    if wanted is None:
        raise Http404
    workspace = workspace_for(request.user, wanted)
    choices = form_choices.after_change(catalog_queries.lists_of(workspace), workspace, request.GET.dict())
    choices = replace(
        choices,
        suggestions=models_used(workspace, choices.backend),
        **modes_for(workspace, request.GET.dict()),
    )
    context = {"c": choices, "choices_url": request.path}
    return render(request, form_choices.template_after(request.GET.get("changed", "")), context)


@require_POST
def task_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a card that was dragged, or moved from its menu."""
    task = task_for(request.user, pk)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return htmx.refused(request, "Unknown column.", to=reverse("board"))
    user = current_user(request)
    return answer(request, lambda: moved(task, **form.cleaned_data, user=user), to=reverse("board"))


def moved(task: Task, *, status: str, before: int | None, merge: str, user: AbstractBaseUser) -> str:
    """Move the task, or merge it first; return a message for the user.

    Raises Refused for a task that is not merged, unless the user has decided about merging it.
    """
    done = Task.Status.DONE
    if status == done != task.status and merge != "no" and trains.is_unmerged(task):
        into = task.workspace.base_branch
        if merge != "yes":
            raise Refused(f"This task is not merged into {into}.", "Merge it, or close it without merging.")
        train = trains.merge_now(task, user=user)
        return f"Merge train #{train.pk} started. The card moves to Done when it is merged into {into}."
    services.move_task(task, status=status, before=before, user=user)
    return ""


@require_POST
def hold_try(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one queued run test whether the CLI's login works again."""
    run_services.try_login_again(hold_for(request.user, pk))
    return htmx.done(request, "The next queued run will try the login.", to=reverse("board"))

"""The board: its columns, its verbs, and the panel for new tasks."""

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
from aitask.lib.answers import answer, attempt
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks import queries, services
from tasks.access import hold_for, task_for
from tasks.conversation.notification_views import DISMISSED
from tasks.forms import MoveForm, NewTaskForm, choices_for, models_used
from tasks.models import Run, Task
from tasks.runs import restart_report
from tasks.runs import services as run_services
from tasks.trains import services as trains
from workspaces.access import person, visible_workspaces, workspace_for
from workspaces.catalog import form_choices
from workspaces.catalog import queries as catalog_queries
from workspaces.models import BackendHold, Host, Workspace


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    return render(request, "tasks/board.html", {"nav": "board", **board_context(request)})


@require_GET
def board_columns(request: HttpRequest) -> HttpResponse:
    """The columns alone, for the live page to morph into."""
    return render(request, "tasks/_board.html", board_context(request))


def board_context(request: HttpRequest) -> dict[str, Any]:
    user = person(request)
    workspaces = list(visible_workspaces(user))
    chosen = next((w for w in workspaces if str(w.pk) == request.GET.get("workspace")), None)
    search = request.GET.get("q", "").strip()
    return {
        "workspaces": workspaces,
        "workspace": chosen,
        "search": search,
        "board": queries.board(user, workspace=chosen, search=search),
        "statuses": Task.Status.choices,
        "troubles": troubles(workspaces),
        "report": restart_report.report_for(user, dismissed=request.session.get(DISMISSED, 0)),
    }


def troubles(workspaces: list[Workspace]) -> dict[str, list[Any]]:
    """What keeps whole hosts from working: a lost link where runs are meant to go on, a refused login."""
    hosts = Host.objects.filter(key__in={workspace.address.key for workspace in workspaces})
    return {
        "hosts": [host for host in hosts.filter(link=Host.Link.DOWN) if _is_wanted(host, workspaces)],
        "holds": list(
            BackendHold.objects.filter(host__in=hosts, held_since__isnull=False).select_related("host")
        ),
    }


def _is_wanted(host: Host, workspaces: list[Workspace]) -> bool:
    """Whether a run is queued or going on there."""
    there = [workspace for workspace in workspaces if workspace.address.key == host.key]
    return Run.objects.filter(task__workspace__in=there, state__in=Run.LIVE).exists()


@require_http_methods(["GET", "POST"])
def task_new(request: HttpRequest) -> HttpResponse:
    """The panel; a wrong entry brings it back with what was typed (status 422)."""
    user = person(request)
    form = NewTaskForm(request.POST or None, user=user, initial=new_task_preset(request))
    if request.method == "POST" and form.is_valid():
        result = attempt(lambda: created(request, form))
        if not isinstance(result, Refused):
            return result
        form.add_error("text", str(result))
    status = 422 if form.errors else 200
    template = "tasks/_new_task.html" if htmx.is_partial(request) else "tasks/new_task.html"
    return render(request, template, new_task_context(request, form), status=status)


def new_task_preset(request: HttpRequest) -> dict[str, Any]:
    """The workspace that the board is filtered by, else the one that was used last; and what it prefers."""
    workspaces = visible_workspaces(request.user)
    chosen = workspaces.filter(pk=whole_number(request.GET.get("workspace")) or 0).first()
    last = Task.objects.filter(created_by=person(request), workspace__in=workspaces).order_by("-pk").first()
    workspace = chosen or (last.workspace if last else workspaces.first())
    if workspace is None:
        return {}
    choices = form_choices.preset(catalog_queries.lists_of(workspace), workspace)
    fields = {"backend": choices.backend, "model": choices.model, "reasoning_effort": choices.effort}
    return {"workspace": workspace, **fields}


def new_task_context(request: HttpRequest, form: NewTaskForm) -> dict[str, Any]:
    workspaces = visible_workspaces(request.user)
    workspace = form.initial.get("workspace")
    if form.is_bound:
        workspace = workspaces.filter(pk=whole_number(form.data.get("workspace")) or 0).first() or workspace
    return {
        "form": form,
        "has_workspaces": workspaces.exists(),
        "more": request.POST.get("more"),
        "c": choices_for(form, workspace) if workspace else None,
        "choices_url": reverse("task_new_fields"),
    }


def created(request: HttpRequest, form: NewTaskForm) -> HttpResponse:
    """Make the tasks, run them when asked to, and leave the panel open when more are to come."""
    user, data = person(request), form.cleaned_data
    tasks = services.create_tasks_from_text(
        workspace=data["workspace"], user=user, text=data["text"], as_chosen=True, **form.choices_of()
    )
    runs = "run" in request.POST
    for task in tasks if runs else ():
        run_services.queue_run(task, user=user)
    response = htmx.done(request, created_words(tasks, runs), to=reverse("board"))
    if response.status_code == 204:
        trigger_client_event(response, "created", {"more": bool(request.POST.get("more"))})
    return response


def created_words(tasks: list[Task], runs: bool) -> str:
    verb = "Created and queued" if runs else "Created"
    return f"{verb} #{tasks[0].pk}." if len(tasks) == 1 else f"{verb} {len(tasks)} tasks."


@require_GET
def task_new_fields(request: HttpRequest) -> HttpResponse:
    """CLI, model and effort as they fit after a change of one of them; read from rows, no CLI is asked."""
    wanted = whole_number(request.GET.get("workspace"))
    if wanted is None:
        raise Http404
    workspace = workspace_for(request.user, wanted)
    choices = form_choices.after_change(catalog_queries.lists_of(workspace), workspace, request.GET.dict())
    choices = replace(choices, suggestions=models_used(workspace, choices.backend))
    context = {"c": choices, "choices_url": request.path}
    return render(request, form_choices.template_after(request.GET.get("changed", "")), context)


@require_POST
def task_move(request: HttpRequest, pk: int) -> HttpResponse:
    """A card was dropped, or sent to a column from its menu."""
    task = task_for(request.user, pk)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return htmx.refused(request, "There is no such column.", to=reverse("board"))
    user = person(request)
    return answer(request, lambda: moved(task, **form.cleaned_data, user=user), to=reverse("board"))


def moved(task: Task, *, status: str, before: int | None, merge: str, user: AbstractBaseUser) -> str:
    """Do what the drop means; what the person should know of it. Work is never called done by accident."""
    done = Task.Status.DONE
    if status == done != task.status and merge != "no" and trains.is_unmerged(task):
        into = task.workspace.base_branch
        if merge != "yes":
            raise Refused(f"It is not merged into {into}.", "Merge it, or say that it is done without.")
        train = trains.merge_now(task, user=user)
        return f"Train {train.pk} merges it. The card moves to Done when {into} has it."
    services.move_task(task, status=status, before=before, user=user)
    return ""


@require_POST
def hold_try(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one queued run try whether the CLI's login works again."""
    run_services.try_login_again(hold_for(request.user, pk))
    return htmx.done(request, "The next queued run tries the login.", to=reverse("board"))

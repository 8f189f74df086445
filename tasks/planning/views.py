"""The plan page: a text or a proposal becomes tasks, which the user checks before they are created."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import json_answer
from aitask.lib.errors import Malformed, Refused
from aitask.lib.text import whole_number
from tasks.access import run_for
from tasks.attachments.posted import posted_ids
from tasks.attachments.queries import in_prompt
from tasks.forms import CHOICES, SORTING, choices_for
from tasks.many import services as many
from tasks.many.verbs import ManyVerb, in_words
from tasks.models import Run, Task
from tasks.planning import agents, queries, services
from tasks.planning.forms import PlanForm, SplitForm, StartPlanForm
from tasks.planning.items import items_in
from tasks.planning.order import MOST_PLANNED
from tasks.planning.split import split
from tasks.views import new_task_preset, preset_of
from workspaces import clis
from workspaces.access import current_user, visible_workspaces


@require_GET
def plan_page(request: HttpRequest) -> HttpResponse:
    """The page on which the tasks of a plan are edited. Its script fills it.

    With `run`, they are what this plan run, or a later one of its task, has proposed.
    """
    run, initial = proposing_run(request), new_task_preset(request)
    if run and initial.get("workspace") != run.task.workspace:
        initial = {"workspace": run.task.workspace, **preset_of(run.task.workspace)}
    initial |= kept_defaults(request)
    form = PlanForm(user=current_user(request), initial=initial)
    workspace = form.initial.get("workspace")
    context = {
        "nav": "board",
        "form": form,
        "split": SplitForm(),
        "has_workspaces": visible_workspaces(request.user).exists(),
        "c": choices_for(form, workspace) if workspace else None,
        "choices_url": reverse("task_new_fields"),
        "most": MOST_PLANNED,
        "planners": agents.planners(),
        "run": run,
        "attached": in_prompt(run.task) if run else (),
        "proposals": queries.proposed(run) if run else None,
    }
    return render(request, "tasks/planning/plan.html", context)


def kept_defaults(request: HttpRequest) -> dict[str, Any]:
    """Return what was chosen for all tasks; the page's script keeps it in the address, for a reload."""
    names = (*CHOICES, *SORTING, "model_typed")
    found: dict[str, Any] = {name: request.GET[name][:400] for name in names if name in request.GET}
    if found.get("backend") not in clis.names():
        return {}
    return {**found, "priority": whole_number(found.get("priority", "0")) or 0}


def proposing_run(request: HttpRequest) -> Run | None:
    """Return the run whose proposal is shown. Raises Http404 if there is none, or the user may not see it."""
    if "run" not in request.GET:
        return None
    asked = run_for(request.user, whole_number(request.GET["run"]) or 0)
    newest = queries.newest_proposal(asked.task)
    if newest is None:
        raise Http404
    return newest


@require_POST
def plan_start(request: HttpRequest) -> JsonResponse:
    """Start a plan run for a text; answers the address of its conversation."""

    def verb() -> dict[str, Any]:
        form = StartPlanForm(request.POST, user=current_user(request))
        if not form.is_valid():
            raise Refused(_sentences(form))
        files = posted_ids(request.POST)
        run = agents.start_plan(user=current_user(request), attachments=files, **form.cleaned_data)
        return {"url": reverse("task", args=[run.task_id])}

    return json_answer(verb)


@require_POST
def plan_split(request: HttpRequest) -> JsonResponse:
    """Split a text; creates nothing."""

    def verb() -> dict[str, Any]:
        form = SplitForm(request.POST)
        if not form.is_valid():
            raise Malformed("A choice is unknown.")
        found = split(form.cleaned_data["text"], **form.options())
        points = [{"title": one.title, "prompt": one.prompt, "after": one.after} for one in found.points]
        facts = {"by": found.by, "has_nested": found.has_nested, "has_context": found.has_context}
        return {"tasks": points, "done": found.done, "context": found.context, **facts}

    return json_answer(verb)


@require_POST
def plan_create(request: HttpRequest) -> JsonResponse:
    """Create the tasks; with `run`, queue a run of each. Answers what the board then says."""

    def verb() -> dict[str, Any]:
        user = current_user(request)
        form = PlanForm(request.POST, user=user)
        if not form.is_valid():
            raise Refused(_sentences(form))
        items = [{**form.defaults(), **item} for item in items_in(form.cleaned_data["items"])]
        tasks = services.create_planned(
            workspace=form.cleaned_data["workspace"],
            user=user,
            items=items,
            as_chosen=True,
            attachments=posted_ids(request.POST),
        )
        return _created(request, tasks, runs="run" in request.POST, plan=form.cleaned_data["plan"])

    return json_answer(verb)


def _sentences(form: forms.Form) -> str:
    return " ".join(_sentence(form, name) for name in form.errors)


def _sentence(form: forms.Form, name: str) -> str:
    label = form.fields[name].label or name.replace("_", " ").capitalize() if name in form.fields else ""
    text = " ".join(map(str, form.errors[name]))
    return f"{label}: {text}" if label else text


def _created(request: HttpRequest, tasks: list[Task], *, runs: bool, plan: int | None) -> dict[str, Any]:
    """Queue runs if they are wanted, close the plan, and return what is told and how it is undone."""
    user = current_user(request)
    pks = [task.pk for task in tasks]
    count = f"{len(pks)} task{'' if len(pks) == 1 else 's'}"
    undo = [{"verb": ManyVerb.UNCREATE, "tasks": pks}]
    if plan is not None and many.act(user, ManyVerb.CLOSE, [plan]).done:
        undo.append({"verb": ManyVerb.MOVE_TO_REVIEW, "tasks": [plan]})
    if not runs:
        return {"text": f"Created {count} in Backlog.", "reasons": [], "created": pks, "undo": undo}
    queued = many.act(user, ManyVerb.RUN, pks)
    undo.insert(0, {"verb": ManyVerb.UNQUEUE, "tasks": pks})
    reasons = in_words(queued.left_out)
    return {
        "text": f"Created {count}, queued {len(queued.done)}.",
        "reasons": reasons,
        "created": pks,
        "undo": undo,
    }

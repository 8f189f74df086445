"""Workspaces: list, add, edit, check, trust a host; and the user's API tokens."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from aitask.lib import htmx
from aitask.lib.answers import answer, attempt, succeeds
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from workspaces import access, doctor, queries, services, ssh_aliases
from workspaces.access import can_edit, current_user, visible_workspaces, workspace_for, workspace_for_change
from workspaces.adding.forms import NewWorkspaceForm
from workspaces.catalog import form_choices
from workspaces.catalog import queries as catalog_queries
from workspaces.forms import TokenForm, WorkspaceForm
from workspaces.models import ApiToken, Host, Workspace
from workspaces.trials import views as trial_views

NO_CONTENT = 204
PRESETS = ("default_backend", "default_model", "default_reasoning_effort")


@require_GET
def workspace_list(request: HttpRequest) -> HttpResponse:
    workspaces = visible_workspaces(request.user).annotate(
        open_tasks=Count("tasks", filter=~Q(tasks__status="done"), distinct=True)
    )
    hosts = {host.key: host for host in Host.objects.all()}
    rows = [(workspace, hosts.get(workspace.address.key)) for workspace in workspaces.select_related("owner")]
    return render(request, "workspaces/list.html", {"nav": "workspaces", "rows": rows})


@require_http_methods(["GET", "POST"])
def workspace_new(request: HttpRequest) -> HttpResponse:
    if not access.may_add(request.user):
        raise PermissionDenied(f"{access.NO_ADDING} {access.ASK_ADMINISTRATOR}")
    form = NewWorkspaceForm(request.POST or None, instance=Workspace(owner=current_user(request)))
    if request.method == "POST" and form.is_valid() and succeeds(form, form.save, field="name"):
        return htmx.done(
            request,
            f"Added {form.instance.name}.",
            to=reverse("workspace", args=[form.instance.pk]) + "#doctor",
            stay=False,
        )
    return _form(request, form)


@require_GET
def workspace_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A workspace's settings and its health check."""
    workspace = workspace_for(request.user, pk)
    context = {
        "nav": "workspaces",
        "workspace": workspace,
        "host": workspace.host,
        "can_edit": can_edit(request.user, workspace),
        "variables": sorted(workspace.environment),
        "try_label": Workspace._meta.get_field("try_changed_clis").verbose_name,
        **trial_views.context_of(workspace),
    }
    return render(request, "workspaces/detail.html", context)


@require_http_methods(["GET", "POST"])
def workspace_edit(request: HttpRequest, pk: int) -> HttpResponse:
    form = WorkspaceForm(request.POST or None, instance=workspace_for_change(request.user, pk))

    def save() -> None:
        access.check_place(request.user, form.instance)
        form.save()

    if request.method == "POST" and form.is_valid() and succeeds(form, save, field="name"):
        return htmx.done(request, "Saved.", to=reverse("workspace", args=[pk]), stay=False)
    return _form(request, form)


def _form(request: HttpRequest, form: WorkspaceForm) -> HttpResponse:
    values = form.data if form.is_bound else {field: form[field].value() for field in PRESETS}
    backend, model, effort = form_choices.chosen(values, "default_")
    lists = catalog_queries.lists_of(form.instance)
    context = {
        "nav": "workspaces",
        "form": form,
        "heading": f"Edit {form.instance.name}" if form.instance.pk else "Add a workspace",
        "aliases": ssh_aliases.aliases(),
        "c": form_choices.Choices(lists, backend, model, effort, prefix="default_"),
        "choices_url": reverse("workspace_choices"),
    }
    template = "workspaces/form.html" if form.instance.pk else "workspaces/adding/new.html"
    return render(request, template, context, status=422 if form.errors else 200)


@require_GET
def workspace_choices(request: HttpRequest) -> HttpResponse:
    """The form's presets for another host, CLI or model, from the stored model lists."""
    given = request.GET.dict()
    workspace = Workspace(
        kind=given.get("kind", ""), ssh_host=given.get("ssh_host", ""), ssh_user=given.get("ssh_user", "")
    )
    if (wanted := whole_number(given.get("workspace"))) is not None:
        workspace.environment = workspace_for(request.user, wanted).environment
    choices = form_choices.after_change(catalog_queries.lists_of(workspace), None, given, "default_")
    place = {name: given.get(name, "") for name in ("kind", "ssh_host", "ssh_user")}
    context = {"c": choices, "choices_url": f"{request.path}?{urlencode(place)}"}
    return render(request, form_choices.template_after(given.get("changed", "")), context)


@require_http_methods(["GET", "POST"])
def workspace_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what is deleted and what stays on the host, and delete the workspace if its name is typed."""
    workspace = workspace_for_change(request.user, pk)
    refusal = busy = attempt(lambda: services.check_deletable(workspace))
    if request.method == "POST":
        refusal = attempt(lambda: services.delete_workspace(workspace, request.POST.get("name", "")))
        if not refusal:
            text = f"Deleted {workspace.name}."
            return htmx.done(request, text, to=reverse("workspaces"), stay=False)
    context = {
        "nav": "workspaces",
        "workspace": workspace,
        "refusal": refusal,
        "is_busy": bool(busy),
        "contents": queries.contents_of(workspace),
    }
    return render(request, "workspaces/delete.html", context, status=409 if request.method == "POST" else 200)


@require_POST
def workspace_check(request: HttpRequest, pk: int) -> HttpResponse:
    """The findings of the health check; an unknown or changed host key is shown by itself."""
    workspace = workspace_for(request.user, pk)
    context: dict[str, Any] = {"workspace": workspace, "can_edit": can_edit(request.user, workspace)}
    findings = doctor.check(workspace)
    context |= {
        "host": workspace.host,
        "findings": findings,
        "problems": sum(found.ok is False for found in findings),
        "error": next((found.error for found in findings if found.error), None),
        "terminal_url": _terminal_url(request, workspace),
        **trial_views.context_of(workspace),
    }
    return render(request, "workspaces/_doctor.html", context)


def _terminal_url(request: HttpRequest, workspace: Workspace) -> str:
    """Return the address of the workspace's terminal, for a user who may use it; empty for others."""
    may = access.may_use_terminals(request.user)
    return reverse("workspace_terminal", args=[workspace.pk]) if may else ""


@require_POST
def host_trust(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept the host key whose fingerprint the user has compared."""
    workspace = workspace_for_change(request.user, pk)
    here = reverse("workspace", args=[pk])
    if workspace.kind == Workspace.Kind.LOCAL:
        raise PermissionDenied("This machine has no host key to trust.")
    if not access.may_add(request.user):
        raise PermissionDenied(f"{access.NO_ADDING} {access.ASK_ADMINISTRATOR}")
    fingerprint = request.POST.get("fingerprint", "")
    response = answer(
        request,
        lambda: services.accept_host_key(workspace.host, fingerprint),
        "Host key trusted.",
        to=f"{here}#doctor",
    )
    if response.status_code == NO_CONTENT:  # the page stays open, and checks the host again
        trigger_client_event(response, "trusted")
    return response


@require_GET
def git_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes of the repository's configuration and hooks, which are used after the owner has agreed."""
    workspace = workspace_for(request.user, pk)
    context: dict[str, Any] = {"nav": "workspaces", "workspace": workspace}
    try:
        context["changes"] = queries.git_changes_of(workspace)
    except Refused as error:
        context["error"] = error
    context["can_edit"] = can_edit(request.user, workspace)
    return render(request, "workspaces/git.html", context)


@require_POST
def git_decide(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = workspace_for_change(request.user, pk)
    use, digest = request.POST.get("use") == "1", request.POST.get("digest", "")
    here = reverse("workspace_git", args=[pk])
    text = "The changes are used from now on." if use else "The changes are not used."
    verb = partial(services.decide_git_changes, workspace, digest, use=use)
    return answer(request, verb, text, to=here, go=here)


@require_POST
def git_ask_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask again before runs with hooks, servers and permissions that were allowed once."""
    workspace = workspace_for_change(request.user, pk)
    here = reverse("workspace_git", args=[pk])
    text = "Runs ask again before they start with such files."
    return answer(request, lambda: services.forget_agent_settings(workspace), text, to=here, go=here)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The user's API tokens; a new one is shown only once."""
    form = TokenForm(request.POST or None, request=request)
    created = ""
    if request.method == "POST" and form.is_valid():
        name, days = form.cleaned_data["name"], form.cleaned_data["days"]
        created = ApiToken.issue(user_id=current_user(request).pk, name=name, days=days)
        form = TokenForm(request=request)
    own = ApiToken.objects.filter(user=current_user(request)).order_by("-created_at")
    context = {"tokens": own, "form": form, "made": created}
    return render(request, "workspaces/tokens.html", context, status=422 if form.errors else 200)


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(ApiToken, pk=pk, user=current_user(request)).delete()
    return redirect("tokens")

"""Parts of the page that adds a workspace. Each looks at the host that the form names; nothing is kept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from aitask.lib.errors import Refused
from workspaces import access, doctor
from workspaces.access import current_user
from workspaces.adding import queries, services
from workspaces.adding.forms import NewWorkspaceForm, with_host
from workspaces.catalog import form_choices
from workspaces.catalog import queries as catalog_queries
from workspaces.catalog import services as catalog_services
from workspaces.hosts import local
from workspaces.models import Host, Workspace
from workspaces.validators import validate_host_alias

PARTS = {"programs": doctor.OF_PROGRAMS, "clis": doctor.OF_CLIS}
PROBLEM = "workspaces/adding/_problem.html"


def _workspace(request: HttpRequest) -> Workspace:
    """Return a workspace, which is not saved, on the host that the form names.

    Raises PermissionDenied for users who may not add hosts, and Refused if no host is named.
    """
    if not access.may_add(request.user):
        raise PermissionDenied(f"{access.NO_ADDING} {access.ASK_ADMINISTRATOR}")
    data = with_host(request.POST)
    workspace = Workspace(
        owner=current_user(request),
        kind=data.get("kind", ""),
        ssh_host=data.get("ssh_host", "").strip(),
        ssh_user=data.get("ssh_user", "").strip(),
    )
    if workspace.kind == Workspace.Kind.LOCAL:
        if not local.supported():
            raise Refused("Agents can't run on this machine.", "Choose a Linux server that you reach by SSH.")
        return workspace
    if not request.POST.get("place") or not workspace.ssh_host:
        raise Refused("Choose a host first.", "Another host is named by the alias that you type after ssh.")
    _check_alias(workspace)
    return workspace


def _check_alias(workspace: Workspace) -> None:
    try:
        validate_host_alias(workspace.ssh_host)
        validate_host_alias(workspace.ssh_user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from None


def _problem(request: HttpRequest, error: Refused, **context: Any) -> HttpResponse:
    """Show a refusal in place of the part."""
    return render(request, PROBLEM, {"problem": error, **context})


@require_POST
def host(request: HttpRequest) -> HttpResponse:
    """Connect to the chosen host. An unknown host key is shown, and can be trusted here."""
    try:
        workspace = _workspace(request)
    except Refused as error:
        return _problem(request, error)
    return _reached(request, workspace)


@require_POST
def trust(request: HttpRequest) -> HttpResponse:
    """Trust the host key whose fingerprint the user has compared, and connect."""
    try:
        workspace = _workspace(request)
        if workspace.kind == Workspace.Kind.LOCAL:
            raise PermissionDenied("This machine has no host key to trust.")
        services.trust(workspace, request.POST.get("fingerprint", ""))
    except Refused as error:
        return _problem(request, error, can_retry=True)
    return _reached(request, workspace)


def _reached(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    finding = doctor.reach(workspace)
    context: dict[str, Any] = {"workspace": workspace, "finding": finding, "problem": finding.error}
    if finding.error is None:
        catalog_services.request_for_workspace(workspace)
        place = {"kind": workspace.kind, "ssh_host": workspace.ssh_host, "ssh_user": workspace.ssh_user}
        lists = catalog_queries.lists_of(workspace)
        data = {**request.POST.dict(), "changed": "workspace"}
        context |= {
            "c": form_choices.after_change(lists, None, data, "default_"),
            "choices_url": f"{reverse('workspace_choices')}?{urlencode(place)}",
            "repo_path": request.POST.get("repo_path", "").strip(),
        }
    return render(request, "workspaces/adding/_reached.html", context)


@require_POST
def checks(request: HttpRequest, part: str) -> HttpResponse:
    """Some findings about the host, in place of the line that waits for them."""
    if part not in PARTS:
        raise Http404
    try:
        workspace = _workspace(request)
        findings = doctor.check_host(workspace, PARTS[part])
    except Refused as error:
        findings = [doctor.Finding("Host", False, error.reason, error.hint)]
    context = {"findings": findings, "terminal_url": _terminal_url(request)}
    return render(request, "workspaces/_findings.html", context)


@require_POST
def candidates(request: HttpRequest) -> HttpResponse:
    """The repositories of the host, and other ways to get one."""
    try:
        found = queries.repositories(_workspace(request), current_user(request))
    except Refused as error:
        return render(request, "workspaces/adding/_candidates.html", {"problem": error})
    return render(request, "workspaces/adding/_candidates.html", {"found": found})


@require_POST
def folder(request: HttpRequest) -> HttpResponse:
    """The folders in a folder of the host."""
    try:
        found = queries.folder(_workspace(request), request.POST.get("folder", ""))
    except Refused as error:
        return _problem(request, error)
    return render(request, "workspaces/adding/_folder.html", {"folder": found})


@require_POST
def repository(request: HttpRequest) -> HttpResponse:
    """What the chosen repository offers; or what is wrong with it, before the form is sent."""
    path = request.POST.get("repo_path", "").strip()
    if not path:
        return HttpResponse()
    try:
        return _offered(request, _workspace(request), path)
    except Refused as error:
        context = {"problem": error, "terminal_url": _terminal_url(request), "form": NewWorkspaceForm()}
        return render(request, "workspaces/adding/_no_offer.html", context)


def _offered(request: HttpRequest, workspace: Workspace, path: str) -> HttpResponse:
    """Show a repository and let the page fill in its path and a name. Raises Refused."""
    offer = queries.offer(workspace, current_user(request), path)
    wanted = request.POST.get("base_branch", "")
    base = wanted if wanted in offer.branches and "base_chosen" in request.POST else offer.branch
    response = render(request, "workspaces/adding/_offer.html", {"offer": offer, "base": base})
    return trigger_client_event(response, "picked", {"path": offer.path, "name": offer.name})


@require_POST
def clone(request: HttpRequest) -> HttpResponse:
    """Start to clone a repository on the host."""
    url = request.POST.get("clone_url", "").strip()
    try:
        started = services.start_clone(_workspace(request), url, request.POST.get("clone_target", "").strip())
    except Refused as error:
        return _problem(request, error, terminal_url=_terminal_url(request))
    return render(request, "workspaces/adding/_clone.html", {"clone": started, "url": url})


@require_POST
def clone_state(request: HttpRequest) -> HttpResponse:
    """How the clone is going; the repository is chosen when it is complete."""
    url = request.POST.get("cloned_url", "")
    try:
        found = services.clone(_workspace(request), request.POST.get("clone", ""), url)
    except Refused as error:
        return _problem(request, error)
    if found.error:
        return _problem(request, found.error, terminal_url=_terminal_url(request))
    response = render(request, "workspaces/adding/_clone.html", {"clone": found, "url": url})
    if found.state == "done":
        return trigger_client_event(response, "found", {"path": found.target})
    return response


@require_POST
def create(request: HttpRequest) -> HttpResponse:
    """Create a repository on the host, and choose it."""
    try:
        path = services.create(_workspace(request), request.POST.get("new_path", ""))
    except Refused as error:
        return _problem(request, error, terminal_url=_terminal_url(request))
    response = render(request, "workspaces/adding/_created.html", {"path": path})
    return trigger_client_event(response, "found", {"path": path})


def _terminal_url(request: HttpRequest) -> str:
    """Return the address of a terminal on the host, for a user who may use one; empty for others."""
    if not access.may_use_terminals(request.user):
        return ""
    row = Host.at(_workspace(request).address)
    return reverse("host_terminal", args=[row.pk]) if row.pk else ""

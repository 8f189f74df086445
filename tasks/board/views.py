"""The board page, and the parts of it that are loaded later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.answers import attempt
from aitask.lib.errors import Refused
from aitask.lib.text import whole_number
from tasks.board import queries, rendered, saved_filters
from tasks.board.queries import Filter
from tasks.conversation import attendance
from tasks.conversation.notification_views import DISMISSED
from tasks.models import Run, SavedFilter, Task
from tasks.runs import cli_holds, restart_report
from tasks.spotlight.queries import spotlights_of
from workspaces.access import current_user, visible_workspaces, workspace_for
from workspaces.models import BackendHold, Host, Workspace


@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """The board page."""
    attendance.note(current_user(request))
    context = {"nav": "board", **board_context(request), **filters_context(request)}
    return render(request, "tasks/board.html", context)


@require_GET
def board_columns(request: HttpRequest) -> HttpResponse:
    """The columns, with which the page updates itself. It tells how many cards it has by `shown-STATUS`."""
    return render(request, "tasks/_board.html", board_context(request))


@require_GET
def board_cards(request: HttpRequest, status: str) -> HttpResponse:
    """The cards of a column that follow the place `after`."""
    if status not in Task.Status.values:
        raise Http404
    user, shown = current_user(request), filter_of(request.GET)
    try:
        column = queries.cards_after(user, shown, status, request.GET.get("after", ""))
    except Refused as error:
        return htmx.refused(request, str(error), error.hint, to=reverse("board"))
    context = {"column": column, "shown": shown, "form": rendered.form_for(user)}
    return render(request, "tasks/_cards.html", context)


def filter_of(values: QueryDict) -> Filter:
    """Return what the query of the page, or a form with the same fields, asks for."""
    workspace = whole_number(values.get("workspace"))
    return Filter(workspace, values.get("q", "").strip(), values.get("group") == "workspace")


def filters_context(request: HttpRequest) -> dict[str, Any]:
    found = saved_filters.saved_filters(current_user(request))
    return {"filters": [(saved, saved_filters.address_of(saved)) for saved in found]}


@require_POST
def filter_save(request: HttpRequest) -> HttpResponse:
    """Save what the board shows as a filter of the user, and return the list of filters."""
    shown = filter_of(request.POST)
    if shown.workspace is not None:
        workspace_for(request.user, shown.workspace)
    name = request.POST.get("name", "")
    result = attempt(lambda: saved_filters.save(current_user(request), name, shown))
    if isinstance(result, Refused):
        return htmx.refused(request, result.reason, result.hint, to=reverse("board"))
    return render(request, "tasks/_filters.html", filters_context(request))


@require_POST
def filter_delete(request: HttpRequest, pk: int) -> HttpResponse:
    SavedFilter.objects.filter(pk=pk, user=current_user(request)).delete()
    return render(request, "tasks/_filters.html", filters_context(request))


def _sizes(request: HttpRequest) -> dict[str, int]:
    """Return how many cards of each column the page has; not fewer than a new page would."""
    asked = {status: whole_number(request.GET.get(f"shown-{status}")) or 0 for status in Task.Status.values}
    return {status: min(max(size, queries.WINDOW), queries.LARGEST_WINDOW) for status, size in asked.items()}


def board_context(request: HttpRequest) -> dict[str, Any]:
    user = current_user(request)
    workspaces = list(visible_workspaces(user))
    shown = filter_of(request.GET)
    chosen = next((w for w in workspaces if w.pk == shown.workspace), None)
    shown = replace(shown, workspace=chosen.pk if chosen else None)
    board = queries.board(user, shown, _sizes(request))
    dismissed: int = request.session.get(DISMISSED, 0)
    is_new = board.notices.last_start > dismissed
    chosen_or_all = [chosen] if chosen else workspaces
    return {
        "workspaces": workspaces,
        "workspace": chosen,
        "shown": shown,
        "form": rendered.form_for(user),
        "board": board,
        "statuses": Task.Status.choices,
        "troubles": troubles(workspaces, board.notices),
        "spotlights": spotlights_of(chosen_or_all) if board.notices.spotlight else [],
        "absence": attendance.absence_of(user),
        "report": restart_report.report_for(user, dismissed=dismissed) if is_new else None,
    }


def troubles(workspaces: list[Workspace], notices: queries.Notices) -> dict[str, list[Any]]:
    """Return the problems of hosts: lost links where runs are live, refused logins, and held CLIs."""
    hosts = Host.objects.filter(key__in={workspace.address.key for workspace in workspaces})
    lost = hosts.filter(key__in=notices.lost) if notices.lost else []
    logins = BackendHold.objects.filter(host__in=hosts, held_since__isnull=False).select_related("host")
    return {
        "hosts": [host for host in lost if _has_live_runs(host, workspaces)],
        "holds": list(logins) if notices.logins else [],
        "clis": cli_holds.held_clis(workspaces) if notices.held else [],
    }


def _has_live_runs(host: Host, workspaces: list[Workspace]) -> bool:
    """Whether a run is queued or in progress on the host."""
    on_host = [workspace for workspace in workspaces if workspace.address.key == host.key]
    return Run.objects.filter(task__workspace__in=on_host, state__in=Run.LIVE).exists()

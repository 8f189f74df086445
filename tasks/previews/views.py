"""Opening previews from the page of a task, and from the bar of Spotlight."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import attempt, json_answer
from aitask.lib.errors import Refused
from aitask.lib.preview_hosts import LOCAL, name_at
from aitask.lib.text import whole_number
from tasks.access import task_for
from tasks.previews import grants
from tasks.previews.openers import opener_of, port_of_app
from tasks.previews.places import Shown, is_over, ports_of, whose, workspace_of
from workspaces.access import current_user, may_decide, workspace_for
from workspaces.hostkit.wire import OpenPort
from workspaces.models import Workspace


@require_GET
def ports(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog with the ports of a task."""
    task = task_for(request.user, pk)
    return _dialog(request, task, reverse("task_port_open", args=[pk]), reverse("task_port_code", args=[pk]))


@require_GET
def checkout_ports(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog with the ports of a workspace's own checkout."""
    workspace = workspace_for(request.user, pk)
    addresses = (reverse(f"checkout_port_{verb}", args=[pk]) for verb in ("open", "code"))
    return _dialog(request, workspace, *addresses)


@require_POST
def port_open(request: HttpRequest, pk: int) -> JsonResponse:
    """Return the address that opens a preview in the first browser that visits it."""
    task = task_for(request.user, pk)
    return json_answer(lambda: {"url": _opened(request, task)})


@require_POST
def checkout_port_open(request: HttpRequest, pk: int) -> JsonResponse:
    workspace = workspace_for(request.user, pk)
    return json_answer(lambda: {"url": _opened(request, workspace)})


@require_POST
def port_code(request: HttpRequest, pk: int) -> HttpResponse:
    """A QR code that opens a preview on another device, once."""
    return _code(request, task_for(request.user, pk))


@require_POST
def checkout_port_code(request: HttpRequest, pk: int) -> HttpResponse:
    return _code(request, workspace_for(request.user, pk))


def _dialog(request: HttpRequest, shown: Shown, open_address: str, code_address: str) -> HttpResponse:
    found = attempt(lambda: _found(request, shown))
    name = name_at(request.get_host(), whose(shown), 1) or LOCAL
    context: dict[str, Any] = {
        "workspace": shown if isinstance(shown, Workspace) else None,
        "open_address": open_address,
        "code_address": code_address,
        "found": [] if isinstance(found, Refused) else found,
        "problem": found if isinstance(found, Refused) else None,
        "may_type": may_decide(request.user, workspace_of(shown)) and not is_over(shown),
        "has_phones": not name.partition(":")[0].endswith(LOCAL),
    }
    return render(request, "tasks/previews/_dialog.html", context)


def _found(request: HttpRequest, shown: Shown) -> list[OpenPort]:
    grants.check_may_see(current_user(request), shown)
    return ports_of(shown)


def _code(request: HttpRequest, shown: Shown) -> HttpResponse:
    import segno  # takes memory that a web process without QR codes needs not

    url = attempt(lambda: _opened(request, shown))
    code = None if isinstance(url, Refused) else segno.make(url, error="m")
    context = {
        "port": request.POST.get("port", ""),
        "problem": url if isinstance(url, Refused) else None,
        "code": code.svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=False) if code else "",
        "minutes": int(grants.TOKEN_LIFE.total_seconds() // 60),
    }
    return render(request, "tasks/previews/_code.html", context)


def _opened(request: HttpRequest, shown: Shown) -> str:
    port = whole_number(request.POST.get("port", ""))
    if port is None:
        raise Refused("A port is a number from 1 to 65535.")
    site, app_port = request.get_host(), port_of_app(request)
    return grants.open_port(shown, port, opener_of(request), site=site, app_port=app_port)

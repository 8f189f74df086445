"""Opening previews from the page of a task."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import attempt, json_answer
from aitask.lib.errors import Refused
from aitask.lib.preview_hosts import LOCAL, name_at
from aitask.lib.text import whole_number
from tasks.access import task_for
from tasks.models import Task
from tasks.previews import grants
from tasks.previews.openers import opener_of, port_of_app
from tasks.previews.places import is_over, ports_of
from workspaces.access import may_decide


@require_GET
def ports(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog with the ports of a task."""
    task = task_for(request.user, pk)
    found = attempt(lambda: ports_of(task))
    context: dict[str, Any] = {
        "task": task,
        "found": [] if isinstance(found, Refused) else found,
        "problem": found if isinstance(found, Refused) else None,
        "may_type": may_decide(request.user, task.workspace) and not is_over(task),
        "has_phones": not (name_at(request.get_host(), pk, 1) or LOCAL).partition(":")[0].endswith(LOCAL),
    }
    return render(request, "tasks/previews/_dialog.html", context)


@require_POST
def port_open(request: HttpRequest, pk: int) -> JsonResponse:
    """Return the address that opens a preview in the first browser that visits it."""
    task = task_for(request.user, pk)
    return json_answer(lambda: {"url": _opened(request, task)})


@require_POST
def port_code(request: HttpRequest, pk: int) -> HttpResponse:
    """A QR code that opens a preview on another device, once."""
    import segno  # takes memory that a web process without QR codes needs not

    task = task_for(request.user, pk)
    url = attempt(lambda: _opened(request, task))
    code = None if isinstance(url, Refused) else segno.make(url, error="m")
    context = {
        "port": request.POST.get("port", ""),
        "problem": url if isinstance(url, Refused) else None,
        "code": code.svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=False) if code else "",
        "minutes": int(grants.TOKEN_LIFE.total_seconds() // 60),
    }
    return render(request, "tasks/previews/_code.html", context)


def _opened(request: HttpRequest, task: Task) -> str:
    port = whole_number(request.POST.get("port", ""))
    if port is None:
        raise Refused("A port is a number from 1 to 65535.")
    site, app_port = request.get_host(), port_of_app(request)
    return grants.open_port(task, port, opener_of(request), site=site, app_port=app_port)

"""The page of the backups, for staff."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from aitask.backup import jobs, services
from aitask.lib import htmx
from aitask.lib.queue import enqueue


@require_safe
@never_cache
def backup_list(request: HttpRequest) -> HttpResponse:
    """Show the backups of this machine."""
    _check(request, "is_staff")
    shown = {
        "backups": services.listed(),
        "folder": services.folder(),
        "days": settings.BACKUP_DAYS,
        "problem": services.problem(),
    }
    return render(request, "aitask/backups.html", shown)


@require_POST
def backup_now(request: HttpRequest) -> HttpResponse:
    """Let a worker make a backup."""
    _check(request, "is_staff")
    enqueue(jobs.now)
    text = "A backup is being made. Reload the page to see it."
    return htmx.done(request, text, to=reverse("backups"), stay=True)


@require_safe
@never_cache
def backup_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """Download a backup. It has all data and keys, so only a superuser may."""
    _check(request, "is_superuser")
    backup = services.find(name)
    if backup is None:
        raise Http404("There is no such backup.")
    return FileResponse(backup.path.open("rb"), as_attachment=True, filename=backup.name)


def _check(request: HttpRequest, right: str) -> None:
    if not getattr(request.user, right, False):
        raise PermissionDenied

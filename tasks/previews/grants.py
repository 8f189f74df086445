"""Grants of previews: opening a port, exchanging the token for a cookie, and checking who comes with one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from django.utils import timezone

from aitask.lib import preview_hosts
from aitask.lib.errors import Refused
from aitask.lib.preview_hosts import PreviewHost
from tasks.access import task_for
from tasks.models import PreviewGrant, Task
from tasks.previews.places import PortPlace, Shown, is_over, place_of, ports_of, whose, workspace_of
from workspaces.access import check_decision, may_decide, workspace_for
from workspaces.hosts import Address
from workspaces.models import ApiToken, Workspace

TOKEN_LIFE = timedelta(minutes=2)
"""How long an address that opens a preview can be used."""
PATH = "/.aitask-preview/"
"""Where the app answers on the origin of a preview; a program can't have this path."""
LOWEST_TYPED = 1024
MOST_COOKIES = 8
"""Cookies of one name that are looked at: a page of another preview could have added some."""
NEEDS_DOMAIN = "You have opened the app by a name that has no previews."
HOW_TO_SET = "Set PREVIEW_DOMAIN (see Help → Previews), or open the app on the machine that it runs on."


@dataclass(frozen=True)
class Opener:
    """Who opens a preview, and by what they are logged in."""

    user: User
    session_key: str = ""
    api_token: ApiToken | None = None


def open_port(shown: Shown, port: int, opener: Opener, *, site: str, app_port: int | None = None) -> str:
    """Return the address that shows a port of a task or checkout to its first visitor. It can be used once.

    `site` is the host at which the browser has the app open, `app_port` the port on which the app listens.
    Raises Refused.
    """
    check_may_see(opener.user, shown)
    if is_over(shown):
        raise Refused("This task is done.", "Move it back to see what it runs.")
    if not 0 < port <= preview_hosts.MOST_PORT:
        raise Refused("A port is a number from 1 to 65535.")
    name = preview_hosts.name_at(site, whose(shown), port)
    if name is None:
        raise Refused(NEEDS_DOMAIN, HOW_TO_SET)
    is_typed = all(each["port"] != port for each in ports_of(shown))
    if is_typed:
        _check_typed(shown, port, opener.user, app_port)
    forget_old()
    token = secrets.token_urlsafe(32)
    PreviewGrant.objects.create(
        user=opener.user,
        task=shown if isinstance(shown, Task) else None,
        workspace=shown if isinstance(shown, Workspace) else None,
        port=port,
        is_typed=is_typed,
        host=name,
        session_key=opener.session_key,
        api_token=opener.api_token,
        token_digest=PreviewGrant.digest_of(token),
    )
    return f"{PreviewHost(whose(shown), port, name).origin}{PATH}open/{token}"


def url_of(site: str, shown: Shown, port: int) -> str:
    """Return where a preview is once it has been opened; empty if `site` has none."""
    name = preview_hosts.name_at(site, whose(shown), port)
    return f"{PreviewHost(whose(shown), port, name).origin}/" if name else ""


def check_may_see(user: User, shown: Shown) -> None:
    """Raise NotAllowed unless the user may see what runs there. Who sees a task sees its programs."""
    if isinstance(shown, Workspace):
        check_decision(user, shown, "see what runs in its checkout")


def _check_typed(shown: Shown, port: int, user: User, app_port: int | None) -> None:
    """Raise Refused unless the user may see what listens on a port that is not the task's."""
    workspace, owner = workspace_of(shown), "this task's" if isinstance(shown, Task) else "this checkout's"
    check_decision(user, workspace, f"open port {port}, which is none of {owner}")
    if port < LOWEST_TYPED:
        raise Refused(
            f"Port {port} is none of {owner}.", "Ports below 1024 are those of the system's services."
        )
    if workspace.kind == "local" and port == app_port:
        raise Refused(f"Port {port} is the app's own.")


def forget_old() -> None:
    """Remove grants that nobody can use any more."""
    now = timezone.now()
    unused = PreviewGrant.objects.filter(cookie_digest="", created_at__lt=now - TOKEN_LIFE)
    unused.delete()
    lifetime = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    PreviewGrant.objects.filter(created_at__lt=now - lifetime).delete()


def redeem(token: str, host: PreviewHost) -> str | None:
    """Exchange a token for the value of a cookie; None if it is not valid here, or has been used."""
    cookie = secrets.token_urlsafe(32)
    fresh = PreviewGrant.objects.filter(
        token_digest=PreviewGrant.digest_of(token),
        host=host.name,
        cookie_digest="",
        created_at__gte=timezone.now() - TOKEN_LIFE,
    )
    return cookie if fresh.update(cookie_digest=PreviewGrant.digest_of(cookie)) else None


@dataclass(frozen=True)
class Allowed:
    """What a cookie gives access to."""

    grant: int
    port: int
    address: Address
    host_label: str
    place: PortPlace | None
    "Where to look whether the port is that of the task or checkout; None if it need not be."


def check(cookies: Sequence[str], host: PreviewHost) -> Allowed | None:
    """Return what one of these cookies gives access to at this host; None without login, right or task."""
    digests = [PreviewGrant.digest_of(cookie) for cookie in cookies[:MOST_COOKIES] if cookie]
    grants = PreviewGrant.objects.filter(cookie_digest__in=digests, host=host.name)
    return next(filter(None, map(_allowed, grants.select_related("api_token"))), None)


def _allowed(grant: PreviewGrant) -> Allowed | None:
    user = _user_of(grant)
    if user is None:
        return None
    try:
        shown: Shown = (
            task_for(user, grant.task_id) if grant.task_id else workspace_for(user, grant.workspace_id or 0)
        )
    except Http404:
        return None
    must_decide = grant.is_typed or isinstance(shown, Workspace)
    if is_over(shown) or (must_decide and not may_decide(user, workspace_of(shown))):
        return None
    place = None if grant.is_typed else place_of(shown)
    if place is None and not grant.is_typed:
        return None
    host = workspace_of(shown).host
    return Allowed(grant.pk, grant.port, host.address, host.label, place)


def _user_of(grant: PreviewGrant) -> User | None:
    """Return the user of a grant; None if they have logged out, or may not log in any more."""
    if grant.api_token:
        user = User.objects.filter(pk=grant.user_id, is_active=True).first()
        return None if grant.api_token.end_reason else user
    if not grant.session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(grant.session_key)
    current = auth.get_user(request)
    return current if isinstance(current, User) and current.pk == grant.user_id else None

"""The state of the link to each host, recorded by every process that calls the host."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.hooks import Hook
from workspaces.hosts import HostError
from workspaces.models import Host, LinkGap

host_returned: Hook[[Host]] = Hook()
"""Called when a host answers for the first time, or for the first time after its link was lost."""


def note_up(host: Host) -> bool:
    """Record that the host answered; return whether its link was not up before."""
    now = timezone.now()
    values = {"link_reason": "", "link_hint": "", "last_heard_at": now}
    with transaction.atomic():
        returned = Host.objects.filter(~Q(link=Host.Link.UP), pk=host.pk).update(link=Host.Link.UP, **values)
        if returned:
            LinkGap.objects.filter(host=host, back_at=None).update(back_at=now)
        else:
            Host.objects.filter(pk=host.pk).update(**values)
    if returned:
        host_returned(host)
        doorbell.ring("board", "queue", "hosts")
    return bool(returned)


def note_down(host: Host, error: HostError) -> bool:
    """Record why the host can't be reached; return whether that changed. `last_heard_at` is kept."""
    values = {"link": Host.Link.DOWN, "link_reason": error.reason[:500], "link_hint": error.hint[:500]}
    with transaction.atomic():
        lost = Host.objects.filter(pk=host.pk, link=Host.Link.UP).update(**values)
        changed = lost or Host.objects.filter(~Q(**values), pk=host.pk).update(**values)
        if lost:
            _open_gap(host, error.reason)
    if changed:
        doorbell.ring("board", "queue", "hosts")
    return bool(changed)


def _open_gap(host: Host, reason: str) -> None:
    """Record that the link was lost, and delete the oldest records."""
    gap = LinkGap(host=host, lost_at=timezone.now(), reason=reason[:500])
    LinkGap.objects.bulk_create([gap], ignore_conflicts=True)
    newest = LinkGap.objects.filter(host=host).order_by("-lost_at", "-pk").values_list("pk", flat=True)
    LinkGap.objects.filter(pk__in=list(newest[LinkGap.KEPT : 2 * LinkGap.KEPT])).delete()


def note_tmux_socket(host: Host, socket: str) -> None:
    """Record where our tmux server listens on the host, for commands to copy while it can't be reached."""
    if host.tmux_socket != socket:
        Host.objects.filter(pk=host.pk).update(tmux_socket=socket)
        host.tmux_socket = socket

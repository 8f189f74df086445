"""The state of the link to each host, recorded by every process that calls the host."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.hooks import Hook
from workspaces.hosts import HostError
from workspaces.models import Host

host_returned: Hook[[Host]] = Hook()
"""Called when a host answers for the first time, or for the first time after its link was lost."""


def note_up(host: Host) -> bool:
    """Record that the host answered; return whether its link was not up before."""
    values = {"link_reason": "", "link_hint": "", "last_heard_at": timezone.now()}
    returned = Host.objects.filter(~Q(link=Host.Link.UP), pk=host.pk).update(link=Host.Link.UP, **values)
    if returned:
        host_returned(host)
        doorbell.ring("board", "queue", "hosts")
    else:
        Host.objects.filter(pk=host.pk).update(**values)
    return bool(returned)


def note_down(host: Host, error: HostError) -> bool:
    """Record why the host can't be reached; return whether that changed. `last_heard_at` is kept."""
    values = {"link": Host.Link.DOWN, "link_reason": error.reason[:500], "link_hint": error.hint[:500]}
    changed = Host.objects.filter(~Q(**values), pk=host.pk).update(**values)
    if changed:
        doorbell.ring("board", "queue", "hosts")
    return bool(changed)


def note_tmux_socket(host: Host, socket: str) -> None:
    """Record where our tmux server listens on the host, for commands to copy while it can't be reached."""
    if host.tmux_socket != socket:
        Host.objects.filter(pk=host.pk).update(tmux_socket=socket)
        host.tmux_socket = socket

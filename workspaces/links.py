"""What is known of the way to each host: written by whoever speaks with it, read by everyone."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.hooks import Hook
from workspaces.hosts import HostError
from workspaces.models import Host

answered_again: Hook[[Host]] = Hook()
"""A host that had been away, or was never met, has just answered."""


def note_up(host: Host) -> bool:
    """The host has just answered; True when it had been away or unknown."""
    values = {"link_reason": "", "link_hint": "", "last_heard_at": timezone.now()}
    came_back = Host.objects.filter(~Q(link=Host.Link.UP), pk=host.pk).update(link=Host.Link.UP, **values)
    if came_back:
        answered_again(host)
        doorbell.ring("board", "queue", "hosts")
    else:
        Host.objects.filter(pk=host.pk).update(**values)
    return bool(came_back)


def note_down(host: Host, error: HostError) -> bool:
    """The host can't be reached; True when this is news. When it was last heard of stays as it is."""
    values = {"link": Host.Link.DOWN, "link_reason": error.reason[:500], "link_hint": error.hint[:500]}
    news = Host.objects.filter(~Q(**values), pk=host.pk).update(**values)
    if news:
        doorbell.ring("board", "queue", "hosts")
    return bool(news)

"""Access to attached files: like their task; those that are not used yet belong to who has uploaded them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404

from tasks.models import Attachment
from workspaces.access import Visitor, visible_workspaces


def visible_attachments(user: Visitor) -> QuerySet[Attachment]:
    """Return the files of all tasks that the user may see, and the user's own that no task has yet."""
    unused = Q(task=None, created_by_id=user.pk) if user.pk else Q(pk__in=())
    return Attachment.objects.filter(unused | Q(task__workspace__in=visible_workspaces(user)))


def attachment_for(user: Visitor, pk: int) -> Attachment:
    """Return the file; raise Http404 unless the user may see it."""
    return get_object_or_404(visible_attachments(user), pk=pk)


def attachments_for(user: Visitor, ids: Iterable[int]) -> list[Attachment]:
    """Return those of these files that the user may see, in the order of the ids."""
    wanted = list(dict.fromkeys(ids))
    found = {row.pk: row for row in visible_attachments(user).filter(pk__in=wanted)}
    return [found[pk] for pk in wanted if pk in found]

"""Which tasks Spotlight shows, and which comes next."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from tasks.models import Spotlight, Task
from workspaces.models import Workspace


def spotlights_of(workspaces: Iterable[Workspace]) -> QuerySet[Spotlight]:
    """Return those that a page of these workspaces tells about: what is on, and what was refused."""
    worth_telling = ~Q(state=Spotlight.State.OFF) | ~Q(reason="") | ~Q(told="")
    rows = Spotlight.objects.filter(worth_telling, workspace__in=workspaces)
    return rows.select_related("workspace", "task", "wanted", "by").order_by("workspace__name", "pk")


def next_task(spotlight: Spotlight) -> Task | None:
    """Return the task in Review after the one that is shown, in board order; the first one after the last."""
    in_review = Task.objects.filter(workspace=spotlight.workspace_id, status=Task.Status.REVIEW)
    ordered = in_review.exclude(branch="").order_by("rank", "pk")
    shown = spotlight.task
    if shown is None:
        return ordered.first()
    after = Q(rank__gt=shown.rank) | Q(rank=shown.rank, pk__gt=shown.pk)
    others = ordered.exclude(pk=shown.pk)
    return others.filter(after).first() or others.first()

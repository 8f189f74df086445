"""Filters of the board that a user has saved."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse

from aitask.lib.errors import Refused
from tasks.board.queries import Filter
from tasks.editing import one_line
from tasks.models import SavedFilter, Task
from workspaces.access import visible_workspaces

MOST = 30
"Maximum number of filters of a user."


def saved_filters(user: User) -> QuerySet[SavedFilter]:
    """Return the user's filters, without those of workspaces that the user can no longer see."""
    is_visible = Q(workspace=None) | Q(workspace__in=visible_workspaces(user))
    return SavedFilter.objects.filter(is_visible, user=user)


def save(user: User, name: str, shown: Filter) -> None:
    """Save a filter under a name; replace the one that has this name. Raises Refused."""
    name = one_line(name)[:50]
    if not name:
        raise Refused("The filter has no name.", "Enter a name under which you will find it again.")
    if shown.workspace is None and not shown.search:
        raise Refused("The board shows everything.", "Choose a workspace or search for something first.")
    shown.apply(Task.objects.none())  # refuses a search that is too long
    own = SavedFilter.objects.filter(user=user)
    if not own.filter(name=name).exists() and own.count() >= MOST:
        raise Refused(f"You have {MOST} filters, the maximum.", "Delete one first.")
    values = {"workspace_id": shown.workspace, "search": shown.search}
    SavedFilter.objects.update_or_create(user=user, name=name, defaults=values)


def address_of(saved: SavedFilter) -> str:
    """Return the address of the board with this filter."""
    values = {"workspace": saved.workspace_id or "", "q": saved.search}
    return f"{reverse('board')}?{urlencode({name: value for name, value in values.items() if value})}"

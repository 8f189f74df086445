"""Creating the tasks of a plan: all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from aitask.lib.errors import NotAllowed, Refused
from tasks import services
from tasks.models import Task
from tasks.order import services as order
from tasks.order.starts import check_start
from tasks.planning.order import MOST_PLANNED, circle_in
from workspaces.models import Workspace


class InvalidPlan(Refused):
    """One task of a plan can't be created; the reason begins with its index, counted from 0."""

    status = 422


def create_planned(
    *,
    workspace: Workspace,
    user: AbstractBaseUser,
    items: Sequence[Mapping[str, Any]],
    as_chosen: bool = False,
    attachments: Iterable[int] = (),
) -> list[Task]:
    """Create tasks in the backlog, in their order. All are created or none. Each gets the `attachments`.

    Each item has the fields of `create_task`; `after` has indexes of other items. Several may name the same
    file: each of them gets a copy. Raises InvalidPlan.
    """
    after = check_plan(items)
    _check_starts(workspace, items)
    with transaction.atomic():
        tasks = []
        for index, item in enumerate(items):
            fields = {**item, "after": (), "attachments": (), "as_chosen": as_chosen}
            with _named(index):
                task = services.create_task(workspace, user, services.TaskFields(**fields))
                services.give_files(task, (), item.get("attachments") or (), user)
                tasks.append(task)
        order.lock(workspace.pk)
        for index, places in enumerate(after):
            if places:
                with _named(index):
                    order.set_after(tasks[index], [tasks[place].pk for place in places])
        for index, task in enumerate(tasks):
            with _named(index):
                order.check_order(task)
        services.give_files(tasks[0], tasks[1:], attachments, user)
    return tasks


def check_plan(items: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Return which items each comes after. Raises InvalidPlan for indexes that are wrong, or a circle."""
    if not items:
        raise InvalidPlan("There are no tasks.", "Give at least one.")
    if len(items) > MOST_PLANNED:
        raise InvalidPlan(f"These are {len(items):,} tasks. At most {MOST_PLANNED} can be created at once.")
    after = [sorted(set(item.get("after") or ())) for item in items]
    for index, places in enumerate(after):
        wrong = next((place for place in places if not 0 <= place < len(items)), None)
        if wrong is not None:
            raise InvalidPlan(f"{index}: after names the index {wrong}, which no task of the list has.")
        if index in places:
            raise InvalidPlan(f"{index}: a task can't come after itself.")
        if len(places) > order.MOST:
            raise InvalidPlan(f"{index}: a task can come after at most {order.MOST} others.")
    if circle := circle_in(after):
        names = " → ".join(map(str, [*circle, circle[0]]))
        raise InvalidPlan(f"{circle[0]}: the tasks come after each other in a circle ({names}).")
    return after


def _check_starts(workspace: Workspace, items: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidPlan for a base branch that does not exist. Each name is looked up once."""
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(item.get("base_branch") or "", index)
    for name, index in first.items():
        with _named(index):
            check_start(workspace, name)


class _named:
    """Begins what is refused about a task with its index."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __enter__(self) -> None:
        """Nothing to do before."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NotAllowed):
            return
        if isinstance(error, ValidationError):
            raise InvalidPlan(f"{self.index}: {' '.join(error.messages)}") from error
        if isinstance(error, Refused):
            raise InvalidPlan(f"{self.index}: {error.reason}", error.hint) from error

"""The columns of the board: a window of each, however many tasks there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet

from aitask.lib.errors import Refused
from aitask.lib.text import storable, whole_number
from tasks.access import visible_tasks
from tasks.board.cards import Card, cards_of, lost_hosts
from tasks.models import Run, Spotlight, StartReport, Task, Verdict
from tasks.models.task import HIGHEST
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import BackendHold, InstalledCli, Workspace

WINDOW, LARGEST_WINDOW = 20, 500
"Cards of a column that a page starts with, and that an update of the page shows at most."
MOST_WORDS, MOST_SEARCHED = 12, 200
"Maximum number of words and of characters in a search."
BESIDE = 12
"Tasks of each column that are listed beside a task."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filter:
    """What a board shows: all workspaces that the user may see, or one; and the tasks that a search finds."""

    workspace: int | None = None
    search: str = ""
    by_workspace: bool = False
    "Whether each column shows one workspace after the other."

    @property
    def is_grouped(self) -> bool:
        """Whether there can be several groups."""
        return self.by_workspace and self.workspace is None

    def apply(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        """Return those of the tasks that the board shows. Raises Refused for a search that is too long.

        Archived tasks are shown only if they are searched for.
        """
        if not self.search:
            tasks = shown_at_first(tasks)
        if self.workspace is not None:
            tasks = tasks.filter(workspace=self.workspace)
        return matching(tasks, self.search)


ALL = Filter()


@dataclass(frozen=True)
class Column:
    """A column of the board. `count` includes the cards that are not shown."""

    status: str
    label: str
    cards: list[Card]
    count: int
    next: int | None = None
    "The first task that is not shown; None if all are."

    @property
    def place(self) -> str:
        """The place after which further cards stand, for `cards_after`."""
        if not self.cards:
            return ""
        last = self.cards[-1]
        return f"{last.order_text}:{last.task.pk}:{last.task.workspace_id}"


class Notices(NamedTuple):
    """What the notices above the columns are about, whoever sees them."""

    last_start: int
    "Id of the newest start report; 0 if there is none."
    held: tuple[object, ...]
    "CLIs on hold."
    logins: tuple[object, ...]
    "Refused logins."
    lost: tuple[str, ...]
    "Keys of the hosts whose link is down."
    spotlight: tuple[object, ...]
    "What Spotlight shows in the checkouts of workspaces."


@dataclass(frozen=True)
class Board:
    columns: list[Column]
    needs_you: int
    accepted: int
    "Number of the accepted tasks in Review."
    version: str
    "Changes with everything that the board shows at first."
    notices: Notices
    problem: str = ""
    "Why nothing was searched; empty if all is well."


def board(user: Visitor, shown: Filter = ALL, sizes: Mapping[str, int] | None = None) -> Board:
    """Return the first cards of each column, as many as in `sizes`, by status; WINDOW if it has none."""
    tasks, problem = visible_tasks(user), ""
    try:
        tasks = shown.apply(tasks)
    except Refused as error:
        tasks, problem = tasks.none(), str(error)
    groups = groups_of(user, tasks) if shown.is_grouped else {}
    windows = {
        status: Window(parts_of(tasks, status, groups.get(status)), (sizes or {}).get(status, WINDOW))
        for status in Task.Status.values
    }
    found, waiting, accepted = notices(), needs_you(user), accepted_of(user, shown, tasks)
    cards = cards_of((task for window in windows.values() for task in window.tasks), set(found.lost))
    next_tasks = {status: windows[status].next for status in windows}
    columns = columns_of(cards, dict(counts(tasks)), next_tasks, groups)
    version = _version(columns, (waiting, accepted), found)
    return Board(columns, waiting, accepted, version, found, problem)


def accepted_of(user: Visitor, shown: Filter, tasks: QuerySet[Task]) -> int:
    """Return how many accepted tasks in Review the filter shows; `tasks` are all that it shows."""
    if shown.search:
        review = tasks.filter(status=Task.Status.REVIEW)
        return review.filter(verdict__kind=Verdict.Kind.ACCEPTED).order_by().count()
    found = accepted_tasks(visible_workspaces(user))
    return sum(found.values()) if shown.workspace is None else found.get(shown.workspace, 0)


class Window:
    """The first tasks of a column, whose parts are one below the other, and the task after them."""

    def __init__(self, parts: Iterable[QuerySet[Task]], size: int) -> None:
        rows: list[Task] = []
        for part in parts:
            rows += part[: size + 1 - len(rows)]
            if len(rows) > size:
                break
        self.tasks = rows[:size]
        self.next = rows[size].pk if len(rows) > size else None


def parts_of(tasks: QuerySet[Task], status: str, groups: Sequence[int] | None) -> Iterator[QuerySet[Task]]:
    """Return a column as one part, or as one for each of these workspaces: none is sorted as a whole."""
    if groups is None:
        yield ordered(tasks, status)
    for workspace in groups or ():
        yield ordered(tasks.filter(workspace=workspace), status)


def groups_of(user: Visitor, tasks: QuerySet[Task]) -> dict[str, list[int]]:
    """Return column → the workspaces that have tasks there, by name."""
    found = set(tasks.order_by().values_list("status", "workspace").distinct())
    names = list(visible_workspaces(user).order_by("name", "pk").values_list("pk", flat=True))
    return {
        status: [workspace for workspace in names if (status, workspace) in found]
        for status in Task.Status.values
    }


def columns_of(
    cards: list[Card],
    counts: Mapping[str, int],
    next_tasks: Mapping[str, int | None],
    groups: Mapping[str, Sequence[int]] | None = None,
) -> list[Column]:
    """Return the columns with these cards, in their order. The mappings are by status."""
    of_status: dict[str, list[Card]] = {status: [] for status in Task.Status.values}
    for card in sorted(cards, key=sort_key):
        of_status[card.task.status].append(card)
    for status, workspaces in (groups or {}).items():
        of_group: dict[int, list[Card]] = {workspace: [] for workspace in workspaces}
        for card in of_status[status]:
            of_group[card.task.workspace_id].append(card)
        of_status[status] = [card for group in of_group.values() for card in group]
    return [
        Column(status, str(label), shown, max(counts.get(status, 0), len(shown)), next_tasks.get(status))
        for status, label in Task.Status.choices
        for shown in [of_status[status]]
    ]


def counts(tasks: QuerySet[Task]) -> list[tuple[str, int]]:
    """Return the number of tasks in each column that has any."""
    return list(tasks.order_by().values_list("status").annotate(Count("pk")))


def ordered(tasks: QuerySet[Task], status: str) -> QuerySet[Task]:
    """Return the tasks of a column in its order."""
    by: tuple[str, ...] = ("-updated_at", "-pk") if status == Task.Status.DONE else ("rank", "pk")
    by = ("-priority", *by) if status in Task.BY_PRIORITY else by
    return without_prompts(tasks.filter(status=status)).order_by(*by)


def shown_at_first(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Return those that a board without a filter shows."""
    return tasks.filter(archived_at=None)


def without_prompts(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Leave out what no card shows and can be large. The workspaces, which many share, are read later."""
    return tasks.select_related(None).defer("prompt").order_by()


def sort_key(card: Card) -> tuple[tuple[float, float], int]:
    is_done = card.task.status == Task.Status.DONE
    return card.order, -card.task.pk if is_done else card.task.pk


def cards_after(user: Visitor, shown: Filter, status: str, place: str) -> Column:
    """Return the cards of a column that follow a place. Raises Refused for an invalid search or place."""
    try:
        order, pk, workspace = place.split(":")
        first, second = order.split(" ")
        after, group = _after(status, (float(first), float(second)), int(pk)), int(workspace)
    except (ValueError, OverflowError):
        raise Refused("There is no such place in a column.", "Reload the page.") from None
    tasks = shown.apply(visible_tasks(user))
    if not shown.is_grouped:
        window = Window([ordered(tasks.filter(after), status)], WINDOW)
    else:
        groups = groups_of(user, tasks)[status]
        below = groups[groups.index(group) + 1 :] if group in groups else []
        rest = ordered(tasks.filter(after, workspace=group), status)
        window = Window([rest, *parts_of(tasks, status, below)], WINDOW)
    cards = cards_of(window.tasks)
    return Column(status, Task.Status(status).label, cards, len(cards), window.next)


def _after(status: str, order: tuple[float, float], pk: int) -> Q:
    first, second = order
    if abs(first) > HIGHEST:
        raise ValueError(order)
    if status != Task.Status.DONE:
        below = Q(rank__gt=second) | Q(rank=second, pk__gt=pk)
        if status not in Task.BY_PRIORITY:
            return below
        return Q(priority__lt=-int(first)) | Q(Q(priority=-int(first)) & below)
    at = EPOCH + timedelta(microseconds=-int(second))
    return Q(updated_at__lt=at) | Q(updated_at=at, pk__lt=pk)


def needs_you(user: Visitor) -> int:
    """Return the number of runs that wait for an answer, in all workspaces that the user may see."""
    waiting = Run.objects.filter(state=Run.State.WAITING)
    return waiting.filter(task__workspace__in=visible_workspaces(user)).count()


def accepted_tasks(workspaces: QuerySet[Workspace] | None = None) -> dict[int, int]:
    """Return workspace → number of its tasks in Review that are accepted."""
    accepted = Verdict.objects.filter(kind=Verdict.Kind.ACCEPTED, task__status=Task.Status.REVIEW).order_by()
    if workspaces is not None:
        accepted = accepted.filter(task__workspace__in=workspaces)
    return dict(accepted.values_list("task__workspace").annotate(Count("pk")))


def waiting_runs() -> dict[int, int]:
    """Return workspace → number of runs that wait for an answer there."""
    waiting = Run.objects.filter(state=Run.State.WAITING).order_by()
    return dict(waiting.values_list("task__workspace").annotate(Count("pk")))


def first_tasks() -> set[int]:
    """Return the tasks that a board without a filter starts with."""
    windows = (ordered(shown_at_first(Task.objects.all()), status)[:WINDOW] for status in Task.Status.values)
    return {pk for window in windows for pk in window.values_list("pk", flat=True)}


def matching(tasks: QuerySet[Task], search: str) -> QuerySet[Task]:
    """Return the tasks that contain every word of the search, or have the label of each `label:WORD`.

    Raises Refused for a search that is too long. Each word compares the prompts of all tasks in the web
    process.
    """
    words = storable(search[: MOST_SEARCHED + 1]).split()
    if len(search) > MOST_SEARCHED or len(words) > MOST_WORDS:
        reason = f"A search has at most {MOST_WORDS} words and {MOST_SEARCHED} characters."
        raise Refused(reason, "Leave out some words.")
    for word in words:
        if filtered := _by_property(tasks, word):
            tasks = filtered[0]
            continue
        number = Q(pk=whole_number(word.lstrip("#")) or 0)
        tasks = tasks.filter(Q(title__icontains=word) | Q(prompt__icontains=word) | number)
    return tasks


def _by_property(tasks: QuerySet[Task], word: str) -> tuple[QuerySet[Task]] | None:
    """Return the tasks that `label:WORD` or `is:archived` names; None for other words."""
    name, _, value = word.partition(":")
    if name == "label" and value:
        return (tasks.filter(labels__contains=f" {value.lower()} "),)
    if word == "is:archived":
        return (tasks.exclude(archived_at=None),)
    return None


def siblings(user: Visitor, task: Task) -> list[Column]:
    """Return the first tasks of each column, and those around this task, to be listed beside it."""
    tasks = shown_at_first(visible_tasks(user))
    windows = [ordered(tasks, status)[:BESIDE] for status in Task.Status.values]
    mine = tasks.filter(status=task.status)
    above, below = mine.filter(rank__lt=task.rank), mine.filter(rank__gt=task.rank)
    if task.status in Task.BY_PRIORITY:
        above = mine.filter(Q(priority__gt=task.priority) | Q(priority=task.priority, rank__lt=task.rank))
        below = mine.filter(Q(priority__lt=task.priority) | Q(priority=task.priority, rank__gt=task.rank))
    if task.status == Task.Status.DONE:
        above, below = (
            mine.filter(updated_at__gt=task.updated_at),
            mine.filter(updated_at__lt=task.updated_at),
        )
    nearest = ordered(above, task.status).reverse()[: BESIDE // 2], ordered(below, task.status)[:BESIDE]
    rows = {row.pk: row for window in (*windows, *nearest, [task]) for row in window}
    return columns_of(cards_of(rows.values()), dict(counts(tasks)), {})


def notices() -> Notices:
    """Read what the notices are about, which changes when one of them does."""
    held = InstalledCli.objects.filter(state=InstalledCli.State.HELD).order_by("pk")
    logins = BackendHold.objects.filter(held_since__isnull=False).order_by("pk")
    return Notices(
        StartReport.objects.values_list("pk", flat=True).last() or 0,
        tuple(held.values_list("pk", "reason", "allowed_fingerprint")),
        tuple(logins.values_list("pk", "reason")),
        tuple(sorted(lost_hosts())),
        tuple(Spotlight.objects.order_by("pk").values_list("pk", "state", "changed_at")),
    )


def _version(columns: list[Column], numbers: tuple[int, int], found: Notices) -> str:
    """Return a digest of what a page shows that has just been opened."""
    digest = hashlib.blake2b(repr((found, numbers)).encode(), digest_size=8)
    for column in columns:
        digest.update(f"{column.status} {column.count}".encode())
        for card in column.cards[:WINDOW]:
            digest.update(card.shown.encode())
    return digest.hexdigest()

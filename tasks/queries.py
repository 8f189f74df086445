"""What the pages, sockets and the API read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, F, Max, Prefetch, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from aitask.lib.badges import Badge
from aitask.lib.text import storable, whole_number
from tasks.access import visible_tasks
from tasks.badges import run_badge
from tasks.models import Event, Run, StartReport, Task
from tasks.review.card_badges import SETTLED, marks_of
from tasks.verbs import possible_on_card
from workspaces.access import Visitor
from workspaces.catalog import queries as catalog_queries
from workspaces.models import Host, Workspace

DONE_SHOWN = 50
"Most cards of the Done column; older ones are found by search."


@dataclass(frozen=True)
class Card:
    """A task as the board shows it, with its newest run."""

    task: Task
    run: Run | None
    badge: Badge | None
    link_lost: bool
    warning: str = ""
    "What is wrong with the model that the next run would ask for."
    marks: tuple[Badge, ...] = ()
    "How its work stands on the way into main."

    @property
    def verbs(self) -> list[str]:
        """What its menu and the keys can do with it now."""
        return possible_on_card(self.task, self.run)

    @property
    def needs_you(self) -> bool:
        return self.run is not None and self.run.state == Run.State.WAITING

    @property
    def to_merge(self) -> bool:
        """Whether a move to Done is a question: it has a branch that is in main by no train's word."""
        is_open = self.task.status != Task.Status.DONE and SETTLED.isdisjoint(self.marks)
        return bool(self.task.branch) and is_open

    @property
    def activity(self) -> str:
        """The last thing it did, while it is at it."""
        return self.run.activity if self.run and self.run.is_active else ""

    @property
    def waits_because(self) -> str:
        return self.run.reason if self.run and self.run.state == Run.State.QUEUED else ""

    @property
    def trouble(self) -> str:
        """Why it did not end well, in one sentence."""
        bad = (Run.State.FAILED, Run.State.LOST)
        return self.run.reason if self.run and self.run.state in bad else ""

    @property
    def since(self) -> datetime | None:
        """From when the running clock counts."""
        if self.run is None or not self.run.is_active:
            return None
        return self.run.started_at or self.run.queued_at

    @property
    def quiet_since(self) -> datetime | None:
        """Since when its busy agent has said nothing, as far as its host can be heard."""
        return self.run.quiet_since if self.run and not self.link_lost else None

    @property
    def tokens(self) -> int:
        """All tokens of the newest run, cached ones too."""
        run = self.run
        if run is None:
            return 0
        return run.input_tokens + run.output_tokens + run.cache_read_tokens + run.cache_write_tokens

    @property
    def cost(self) -> Decimal | None:
        return self.run.cost_usd if self.run else None


@dataclass(frozen=True)
class Column:
    """One column of the board; `count` is how many there are, shown or not."""

    status: str
    label: str
    cards: list[Card]
    count: int


@dataclass(frozen=True)
class Board:
    columns: list[Column]
    needs_you: int
    version: str
    "Changes whenever anything that the board shows has changed."


def with_newest_run(user: Visitor) -> QuerySet[Task]:
    """The tasks that the user may see, each with its workspace and newest run."""
    return visible_tasks(user).prefetch_related(newest_run())


def newest_run() -> Prefetch[str]:
    """Only the newest run of each task, whatever the number of runs."""
    newest = Window(RowNumber(), partition_by=F("task_id"), order_by=F("number").desc())
    return Prefetch("runs", queryset=Run.objects.annotate(place=newest).filter(place=1))


def card_of(task: Task, lost_hosts: set[str]) -> Card:
    run = task.last_run
    link_lost = task.workspace.address.key in lost_hosts
    # Of a queued run the column says it already.
    badge = run_badge(run, link_lost=link_lost) if run and run.state != Run.State.QUEUED else None
    return Card(task=task, run=run, badge=badge, link_lost=link_lost)


def lost_hosts() -> set[str]:
    """Keys of the hosts whose link is down just now."""
    return set(Host.objects.filter(link=Host.Link.DOWN).values_list("key", flat=True))


def board(user: Visitor, *, workspace: Workspace | None = None, search: str = "") -> Board:
    """All cards that the user may see, in their columns, in order."""
    tasks = with_newest_run(user)
    if workspace is not None:
        tasks = tasks.filter(workspace=workspace)
    for word in storable(search).split():
        number = Q(pk=whole_number(word.lstrip("#")) or 0)
        tasks = tasks.filter(Q(title__icontains=word) | Q(prompt__icontains=word) | number)
    lost = lost_hosts()
    cards = with_warnings(with_marks([card_of(task, lost) for task in tasks]))
    columns = [_column(status, label, cards) for status, label in Task.Status.choices]
    needs_you = sum(card.needs_you for card in cards)
    return Board(columns=columns, needs_you=needs_you, version=_version(cards, last_start()))


def with_marks(cards: list[Card]) -> list[Card]:
    marks = marks_of([card.task for card in cards])
    return [replace(card, marks=marks.get(card.task.pk, ())) for card in cards]


def with_warnings(cards: list[Card]) -> list[Card]:
    """Cards that are still to run say when the host does not list their model."""
    waiting = [card for card in cards if card.task.status in (Task.Status.BACKLOG, Task.Status.QUEUED)]
    places = {card.task.workspace_id: catalog_queries.place_of(card.task.workspace) for card in waiting}
    lists = catalog_queries.lists_at(places.values())
    warned = {}
    for card in waiting:
        task = card.task
        offer = lists.get(places[task.workspace_id], {}).get(task.backend)
        warned[task.pk] = catalog_queries.warning(offer, task.model, task.reasoning_effort)
    return [replace(card, warning=warned.get(card.task.pk, "")) for card in cards]


def board_stamp() -> tuple[object, ...]:
    """Changes with nearly everything that a board shows, at the price of two small queries."""
    tasks = Task.objects.aggregate(Count("pk"), Max("updated_at"), Sum("rank"))
    moving = (Sum("last_seq"), Max("finished_at"), Count("cancel_requested_at"))
    runs = Run.objects.aggregate(Count("pk"), *moving)
    return (*tasks.values(), *runs.values(), last_start(), *sorted(lost_hosts()))


def last_start() -> int:
    """The report of the app's last start, which the board shows on top; 0 when there is none."""
    return StartReport.objects.values_list("pk", flat=True).last() or 0


def _column(status: str, label: str, cards: list[Card]) -> Column:
    mine = [card for card in cards if card.task.status == status]
    shown = mine
    if status == Task.Status.DONE:
        shown = sorted(mine, key=lambda card: card.task.updated_at, reverse=True)[:DONE_SHOWN]
    return Column(status=status, label=label, cards=shown, count=len(mine))


def _version(cards: list[Card], start: int) -> str:
    digest = hashlib.blake2b(str(start).encode(), digest_size=8)
    for card in cards:
        task, run = card.task, card.run
        seen = (
            task.pk,
            task.title,
            task.status,
            task.rank,
            task.model,
            (task.files_changed, task.lines_added, task.lines_deleted),
            card.badge,
            card.warning,
            card.marks,
        )
        of_run = run and (run.pk, run.activity, run.reason, card.tokens, run.cost_usd, len(run.open_requests))
        quiet = card.quiet_since and card.quiet_since.replace(second=0, microsecond=0)
        digest.update(repr((seen, of_run, quiet)).encode())
    return digest.hexdigest()


def events(
    task: Task,
    *,
    after: tuple[int, int] | None = None,
    before: tuple[int, int] | None = None,
    limit: int = 200,
) -> list[tuple[Run, Event]]:
    """Events of all runs of a task in the order they happened, places given as (run number, seq).

    With `after` the oldest `limit` behind that place, else the newest `limit` (before `before`).
    """
    rows = Event.objects.filter(run__task=task).select_related("run")
    if after is not None:
        number, seq = after
        rows = rows.filter(Q(run__number__gt=number) | Q(run__number=number, seq__gt=seq))
        return [(row.run, row) for row in rows.order_by("run__number", "seq")[:limit]]
    if before is not None:
        number, seq = before
        rows = rows.filter(Q(run__number__lt=number) | Q(run__number=number, seq__lt=seq))
    newest = list(rows.order_by("-run__number", "-seq")[:limit])
    return [(row.run, row) for row in reversed(newest)]

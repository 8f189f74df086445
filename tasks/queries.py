"""The board and the events of tasks, as pages, sockets and the API read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, F, Max, Prefetch, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from aitask.lib.badges import Badge
from aitask.lib.errors import Refused
from aitask.lib.text import storable, whole_number
from tasks.access import visible_tasks
from tasks.badges import run_badge
from tasks.models import Event, Run, StartReport, Task
from tasks.review.card_badges import SETTLED, marks_of
from tasks.runs.agent_settings import waiting_for
from tasks.verbs import CARD_VERBS, possible
from workspaces.access import Visitor
from workspaces.catalog import queries as catalog_queries
from workspaces.models import Host, InstalledCli, Workspace

MOST_WORDS, MOST_SEARCHED = 12, 200
"Maximum number of words and of characters in a search."
MOST_RAW, LONGEST_RAW = 1000, 4000
"Maximum number of raw lines that are shown, and of characters of each."
DONE_SHOWN = 50
"Maximum number of cards in the Done column; older ones are found by search."


@dataclass(frozen=True)
class Card:
    """A task as the board shows it, with its newest run."""

    task: Task
    run: Run | None
    badge: Badge | None
    link_lost: bool
    warning: str = ""
    "A problem with the model that the next run would use."
    marks: tuple[Badge, ...] = ()
    "Its verdict, merge state and overlaps."

    @property
    def verbs(self) -> list[str]:
        """The verbs that its menu and the keyboard shortcuts offer now."""
        return sorted(possible(self.task, self.run, CARD_VERBS))

    @property
    def needs_you(self) -> bool:
        return self.run is not None and self.run.state == Run.State.WAITING

    @property
    def to_merge(self) -> bool:
        """Whether a move to Done must be confirmed, because its branch was not merged by a train."""
        is_open = self.task.status != Task.Status.DONE and SETTLED.isdisjoint(self.marks)
        return bool(self.task.branch) and is_open

    @property
    def activity(self) -> str:
        """What the agent did last; empty unless a run is active."""
        return self.run.activity if self.run and self.run.is_active else ""

    @property
    def mode(self) -> str:
        """The permissions of a live run, or else of the task, if they are not the workspace's."""
        shown: Run | Task = self.run if self.run and self.run.is_live else self.task
        is_own = shown.permission_mode in ("", self.task.workspace.permission_mode)
        return "" if is_own else str(shown.get_permission_mode_display())

    @property
    def steps(self) -> int:
        """How many steps the agent's own list has; 0 if it is not shown: it is done, and so is the run."""
        run = self.run
        if run is None or (not run.is_live and run.steps_done == len(run.progress)):
            return 0
        return len(run.progress)

    @property
    def waits_because(self) -> str:
        return self.run.reason if self.run and self.run.state == Run.State.QUEUED else ""

    @property
    def asks_first(self) -> bool:
        """Whether the run waits until somebody has allowed what the branch brings for agents."""
        return waiting_for(self.run, self.task.workspace)

    @property
    def trouble(self) -> str:
        """Why the last run failed, in one sentence."""
        bad = (Run.State.FAILED, Run.State.LOST)
        return self.run.reason if self.run and self.run.state in bad else ""

    @property
    def since(self) -> datetime | None:
        """When the timer of an active run started."""
        if self.run is None or not self.run.is_active:
            return None
        return self.run.started_at or self.run.queued_at

    @property
    def quiet_since(self) -> datetime | None:
        """When its busy agent was last active; None while the link to its host is lost."""
        return self.run.quiet_since if self.run and not self.link_lost else None

    @property
    def tokens(self) -> int:
        """All tokens of the newest run, including cached ones."""
        run = self.run
        if run is None:
            return 0
        return run.input_tokens + run.output_tokens + run.cache_read_tokens + run.cache_write_tokens

    @property
    def cost(self) -> Decimal | None:
        return self.run.cost_usd if self.run else None


@dataclass(frozen=True)
class Column:
    """A column of the board. `count` includes the cards that are not shown."""

    status: str
    label: str
    cards: list[Card]
    count: int


@dataclass(frozen=True)
class Board:
    columns: list[Column]
    needs_you: int
    version: str
    "Changes whenever anything on the board changes."
    problem: str = ""
    "Why nothing was searched; empty if all is well."


def with_newest_run(user: Visitor) -> QuerySet[Task]:
    """Return the tasks that the user may see, each with its workspace and newest run."""
    return visible_tasks(user).prefetch_related(newest_run())


def newest_run() -> Prefetch[str]:
    """Prefetch only the newest run of each task."""
    newest = Window(RowNumber(), partition_by=F("task_id"), order_by=F("number").desc())
    return Prefetch("runs", queryset=Run.objects.annotate(place=newest).filter(place=1))


def card_of(task: Task, lost_hosts: set[str]) -> Card:
    run = task.last_run
    link_lost = task.workspace.address.key in lost_hosts
    # A queued run needs no badge: the card is in the Queued column.
    badge = run_badge(run, link_lost=link_lost) if run and run.state != Run.State.QUEUED else None
    return Card(task=task, run=run, badge=badge, link_lost=link_lost)


def lost_hosts() -> set[str]:
    """Return the keys of the hosts whose link is down."""
    return set(Host.objects.filter(link=Host.Link.DOWN).values_list("key", flat=True))


def board(user: Visitor, *, workspace: Workspace | None = None, search: str = "") -> Board:
    """Return all cards that the user may see, in their columns, in order."""
    tasks, problem = with_newest_run(user), ""
    if workspace is not None:
        tasks = tasks.filter(workspace=workspace)
    try:
        tasks = matching(tasks, search)
    except Refused as error:
        tasks, problem = tasks.none(), str(error)
    lost = lost_hosts()
    cards = with_warnings(with_marks([card_of(task, lost) for task in tasks]))
    columns = [_column(status, label, cards) for status, label in Task.Status.choices]
    needs_you = sum(card.needs_you for card in cards)
    version = _version(cards, (last_start(), *held_clis()))
    return Board(columns=columns, needs_you=needs_you, version=version, problem=problem)


def matching(tasks: QuerySet[Task], search: str) -> QuerySet[Task]:
    """Return the tasks that contain every word of the search. Raises Refused for a search that is too long.

    Each word compares the prompts of all tasks in the web process.
    """
    words = storable(search[: MOST_SEARCHED + 1]).split()
    if len(search) > MOST_SEARCHED or len(words) > MOST_WORDS:
        reason = f"A search has at most {MOST_WORDS} words and {MOST_SEARCHED} characters."
        raise Refused(reason, "Leave out some words.")
    for word in words:
        number = Q(pk=whole_number(word.lstrip("#")) or 0)
        tasks = tasks.filter(Q(title__icontains=word) | Q(prompt__icontains=word) | number)
    return tasks


def with_marks(cards: list[Card]) -> list[Card]:
    marks = marks_of([card.task for card in cards])
    return [replace(card, marks=marks.get(card.task.pk, ())) for card in cards]


def with_warnings(cards: list[Card]) -> list[Card]:
    """Add a warning to the cards in Backlog and Queued whose model the host does not list."""
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
    """Return a value that changes with nearly everything on a board, from a few small queries."""
    tasks = Task.objects.aggregate(Count("pk"), Max("updated_at"), Sum("rank"))
    moving = (Sum("last_seq"), Max("finished_at"), Count("cancel_requested_at"))
    runs = Run.objects.aggregate(Count("pk"), *moving)
    return (*tasks.values(), *runs.values(), last_start(), *sorted(lost_hosts()))


def last_start() -> int:
    """Return the id of the newest start report, which the board shows on top; 0 if there is none."""
    return StartReport.objects.values_list("pk", flat=True).last() or 0


def held_clis() -> list[tuple[object, ...]]:
    """Return what changes when the notices about CLIs on hold do, whoever sees them."""
    held = InstalledCli.objects.filter(state=InstalledCli.State.HELD).order_by("pk")
    return list(held.values_list("pk", "reason", "allowed_fingerprint"))


def _column(status: str, label: str, cards: list[Card]) -> Column:
    in_column = [card for card in cards if card.task.status == status]
    shown = in_column
    if status == Task.Status.DONE:
        shown = sorted(in_column, key=lambda card: card.task.updated_at, reverse=True)[:DONE_SHOWN]
    return Column(status=status, label=label, cards=shown, count=len(in_column))


def _version(cards: list[Card], notices: tuple[object, ...]) -> str:
    digest = hashlib.blake2b(repr(notices).encode(), digest_size=8)
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
            card.mode,
        )
        of_run = run and (run.pk, run.activity, run.reason, card.tokens, run.cost_usd, len(run.open_requests))
        steps = run and (card.steps, run.steps_done, run.step_now)
        quiet = card.quiet_since and card.quiet_since.replace(second=0, microsecond=0)
        digest.update(repr((seen, of_run, steps, quiet)).encode())
    return digest.hexdigest()


def raw_lines(run: Run) -> Iterator[str]:
    """Yield the first lines of the run that the app does not know, each with its type and shortened."""
    rows = run.events.filter(kind="raw").exclude(data__has_key="unread").order_by("seq")
    for row in rows[:MOST_RAW]:
        line = row.data.get("line")
        text = line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
        count = row.data.get("count")
        words = f"(further lines of this type: {count})" if count else text[:LONGEST_RAW]
        yield f"{row.data.get('type') or ''}\t{words}"


def events(
    task: Task,
    *,
    after: tuple[int, int] | None = None,
    before: tuple[int, int] | None = None,
    limit: int = 200,
) -> list[tuple[Run, Event]]:
    """Return events of all runs of a task, oldest first. Positions are (run number, seq).

    With `after`, return the oldest `limit` events after it; else the newest `limit` events, before
    `before` if given.
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

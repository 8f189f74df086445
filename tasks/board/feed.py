"""Reads and renders each card that has changed once, for all boards that are open in this process."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

from asgiref.sync import SyncToAsync
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.db.models import Count

from aitask.lib import columns, doorbell
from aitask.lib.text import whole_number
from tasks.board import queries, rendered
from tasks.board.cards import Card, cards_of
from tasks.models import Task
from workspaces.access import visible_workspaces

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.1, 0.3
"Seconds between two updates."
BUSY = 5
"How many times longer than the last update took the feed waits, which limits its use of a core."
COMPARE_PAUSE, COMPARE_SECONDS = 2.0, 5.0
"Least and most seconds between two comparisons of all known cards. They find changes whose ring was lost."
MOST_KNOWN = 500
RETRY = 1.0


@dataclass
class BoardUpdate:
    """What has changed on boards. Later updates can be merged into it."""

    cards: dict[int, Card] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    "Task that was deleted → its workspace."
    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    "Workspace → status → number of tasks."
    visible: dict[int, dict[int, int]] = field(default_factory=dict)
    "User → workspaces that the user may see, each with the number of its runs that wait for an answer."
    accepted: dict[int, int] = field(default_factory=dict)
    "Workspace → number of its accepted tasks in Review."
    notices: queries.Notices | None = None

    def copy(self) -> BoardUpdate:
        return replace(self, cards=dict(self.cards), gone=dict(self.gone))

    def merge(self, later: BoardUpdate) -> None:
        gone = self.gone | later.gone
        self.cards = {pk: card for pk, card in (self.cards | later.cards).items() if pk not in later.gone}
        self.gone = {pk: workspace for pk, workspace in gone.items() if pk not in self.cards}
        self.counts, self.visible, self.accepted = later.counts, later.visible, later.accepted
        self.notices = later.notices


class Listener(Protocol):
    """An open board."""

    user: User

    def deliver(self, update: BoardUpdate) -> None:
        """Take an update, at once. Called in the loop of the feed."""


class Shown(NamedTuple):
    """What listeners know of a task."""

    workspace: int
    status: str
    text: str


def shown_of(card: Card) -> Shown:
    status = "archived" if card.task.is_archived else card.task.status
    return Shown(card.task.workspace_id, status, card.shown)


@dataclass(frozen=True)
class KnownCards:
    """What the listeners of a feed know."""

    cards: dict[int, Shown] = field(default_factory=dict)
    counts: dict[int, dict[str, int]] | None = None
    around: tuple[object, object, object] = (None, None, None)
    "The notices, who sees which workspaces, and what is accepted."


def read_update(
    known: KnownCards, tasks: set[int], users: Iterable[User], *, compare: bool
) -> tuple[BoardUpdate, KnownCards] | None:
    """Return what has changed in these tasks, and what is known then; None if nothing has.

    With `compare` it also looks at all tasks that are known or that a new page would show. The number and
    size of its queries depend neither on how many tasks there are nor on how many boards.
    """
    named = tasks | set(known.cards) if compare else tasks
    rendered_for = rendered.kept.tasks()
    wanted = named | set(rendered_for) | queries.first_tasks() if compare else named
    notices = queries.notices()
    rows = queries.without_prompts(Task.objects.filter(pk__in=wanted))
    cards = {card.task.pk: card for card in cards_of(rows, set(notices.lost))}
    now = {pk: shown_of(card) for pk, card in cards.items()}
    changed = {pk: card for pk, card in cards.items() if known.cards.get(pk) != now[pk]}
    deleted = wanted - set(cards)
    workspace_of = rendered_for | {pk: shown.workspace for pk, shown in known.cards.items()}
    gone = {pk: workspace_of[pk] for pk in deleted if pk in workspace_of}
    rendered.kept.forget(deleted)
    counts = known.counts
    if counts is None or deleted or any(_status(known, pk) != now[pk].status for pk in changed):
        counts = _counts()
    waiting, accepted = queries.waiting_runs(), queries.accepted_tasks()
    visible = {user.pk: _visible_to(user, waiting) for user in users}
    around = (notices, visible, accepted)
    if not changed and not gone and (counts, *around) == (known.counts, *known.around):
        return None
    left = {pk: shown for pk, shown in known.cards.items() if pk not in gone and pk not in changed}
    kept = dict(list((left | {pk: now[pk] for pk in changed}).items())[-MOST_KNOWN:])
    update = BoardUpdate(changed, gone, counts, visible, accepted, notices)
    return update, KnownCards(kept, counts, around)


def _status(known: KnownCards, pk: int) -> str:
    return known.cards[pk].status if pk in known.cards else ""


def _visible_to(user: User, waiting: dict[int, int]) -> dict[int, int]:
    workspaces = visible_workspaces(user).values_list("pk", flat=True)
    return {pk: waiting.get(pk, 0) for pk in workspaces}


def _counts() -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    tasks = queries.shown_at_first(Task.objects.order_by())
    rows = tasks.values_list("workspace", "status").annotate(Count("pk"))
    for workspace, status, count in rows:
        found.setdefault(workspace, {})[status] = count
    return found


class BoardFeed:
    """Waits for rings about tasks as long as somebody listens."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._known = KnownCards()
        self._compared = 0.0
        self._must_compare = False

    def join(self, listener: Listener) -> None:
        """Announce to the listener what changes from now on."""
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            # Not in the thread of the listener's socket, which ends before others do.
            context = contextvars.copy_context()
            context.run(SyncToAsync.thread_sensitive_context.set, None)  # type: ignore[arg-type]
            self._task = asyncio.get_running_loop().create_task(self._serve(), context=context)

    def note(self, cards: Iterable[Card]) -> None:
        """Note that the first listener has these cards. Another one may have them as they were before."""
        if not self._known.cards:
            shown = {card.task.pk: shown_of(card) for card in cards}
            self._known = replace(self._known, cards=shown)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners and self._task:
            self._task.cancel()
            self._task, self._known = None, KnownCards()

    async def _serve(self) -> None:
        with doorbell.subscribe({"board", "task:*"}) as subscription:
            while True:
                rung = await subscription.wait(COMPARE_PAUSE if self._must_compare else COMPARE_SECONDS)
                try:
                    pause = await self._announce(rung)
                except Exception as error:
                    if not columns.is_outage(error):
                        log.exception("board: an update failed")
                    self._must_compare, pause = True, RETRY
                await asyncio.sleep(pause)

    async def _announce(self, rung: frozenset[str]) -> float:
        """Tell the listeners what has changed, and return for how many seconds to rest."""
        tasks = {
            number for topic in rung if (number := whole_number(topic.removeprefix("task:"))) is not None
        }
        self._must_compare |= not rung or doorbell.ANYTHING in rung
        is_due = self._must_compare and time.monotonic() - self._compared >= COMPARE_PAUSE
        compare = is_due or "board" in rung
        if compare:
            self._compared, self._must_compare = time.monotonic(), False
        if not compare and not tasks:
            return 0.0
        users = {listener.user.pk: listener.user for listener in self._listeners}.values()
        known = self._known
        started = time.monotonic()
        found = await database_sync_to_async(read_update)(known, tasks, list(users), compare=compare)
        # A comparison, which takes longer, has a pace of its own.
        busy = BUSY * (time.monotonic() - started)
        rest = PAUSE if compare else min(max(PAUSE, busy), LONGEST_PAUSE)
        if found is None:
            return rest
        update, now = found
        joined = {pk: shown for pk, shown in self._known.cards.items() if pk not in known.cards}
        self._known = replace(now, cards=joined | now.cards)
        for listener in list(self._listeners):
            listener.deliver(update)
        return rest


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, BoardFeed] = WeakKeyDictionary()


def feed() -> BoardFeed:
    """Return the feed of the running loop. A process has one loop, and each of many tests has its own."""
    return _feeds.setdefault(asyncio.get_running_loop(), BoardFeed())

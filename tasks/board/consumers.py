"""The WebSocket of the board, and of the list of tasks beside a task."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from aitask.lib.errors import Refused
from aitask.lib.sockets import LiveConsumer
from aitask.lib.text import whole_number
from tasks.access import visible_tasks
from tasks.board import queries, rendered
from tasks.board.cards import Card
from tasks.board.feed import BoardUpdate, feed
from tasks.board.queries import Board, Filter
from tasks.live import LiveLines, LivePlace, place_of
from tasks.models import Run, Task
from tasks.previews.live import LivePorts
from tasks.previews.places import PortPlace, place_of_card
from workspaces.access import visible_workspaces

MOST_UNREAD = 64 * 1024
"Bytes that a page may have unread before further changes are merged in place of being sent."


class BoardConsumer(LiveConsumer):
    """Sends the page each card that has changed, as HTML, with its column and its place there.

    The page tells what it shows: {"t": "show", "view": number, "workspace": pk or "", "q": words, "group":
    "workspace" or nothing, "version": version of its HTML, "rows": whether it lists tasks in place of cards}.
    Nothing is sent before. All messages have the `view` that they are for. {"t": "changed"} asks the page to
    load everything again.
    """

    async def connect(self) -> None:
        self.shown = Filter()
        self.has_read = asyncio.Event()
        "Set while `figures`, `visible` and `notices` are those of the view."
        self.view: object = None
        self.form: rendered.Form = "card"
        self.visible: set[int] = set()
        self.notices: queries.Notices | None = None
        self.places: dict[int, tuple[int, LivePlace | None, PortPlace | None]] = {}
        "Task → its workspace, where its agent writes, and where its ports are."
        self.figures: dict[str, Any] = {}
        "The numbers that the page has."
        self.pending: BoardUpdate | None = None
        self.is_pending = asyncio.Event()
        self.lines = LiveLines(self)
        self.ports = LivePorts(self, on_card=True)
        await super().connect()

    async def topics(self) -> set[str]:
        return set()  # the feed listens for all boards

    async def changed(self, topics: frozenset[str]) -> None:
        """Do nothing: what changes comes from the feed."""

    async def received(self, message: dict[str, Any]) -> None:
        if message.get("t") != "show":
            return
        search, version = (str(message.get(name) or "") for name in ("q", "version"))
        feed().join(self)
        self.has_read.clear()
        self.view = message.get("view")
        workspace = whole_number(str(message.get("workspace") or ""))
        self.shown = Filter(workspace, search, message.get("group") == "workspace")
        board = await database_sync_to_async(self._read)(rows=bool(message.get("rows")))
        feed().note(card for column in board.columns for card in column.cards)
        self._follow_lines()
        self.has_read.set()
        if board.version != version:
            await self.push({"t": "changed", "view": self.view})

    async def disconnect(self, code: int) -> None:
        feed().leave(self)
        await super().disconnect(code)

    def deliver(self, update: BoardUpdate) -> None:
        if self.pending:
            self.pending.merge(update)
        else:
            self.pending = update.copy()
        self.is_pending.set()

    async def beside(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.lines.serve())
            tasks.create_task(self.ports.serve())
            tasks.create_task(self._send_updates())

    async def _send_updates(self) -> None:
        while True:
            await self.is_pending.wait()
            await self.until_read(MOST_UNREAD)
            await self.has_read.wait()
            self.is_pending.clear()
            update, self.pending = self.pending, None
            if update:
                await self._send(update, self.shown)

    async def _send(self, update: BoardUpdate, shown: Filter) -> None:
        view = self.view
        workspaces = update.visible.get(self.user.pk, {})
        if update.notices != self.notices or set(workspaces) != self.visible:
            self.notices, self.visible = update.notices, set(workspaces)
            self._follow_lines()
            await self.push({"t": "changed", "view": view})
        cards = [card for card in update.cards.values() if card.task.workspace_id in workspaces]
        counts, accepted = self._counts(update, workspaces), self._accepted(update, workspaces)
        if shown.search and (cards or update.gone):
            cards, counts, accepted = await database_sync_to_async(self._found)(cards, shown)
            if view != self.view:
                return  # what the page shows now is read after this update
        elif shown.search:
            counts, accepted = self.figures["counts"], self.figures["accepted"]
        else:
            chosen = workspaces if shown.workspace is None else (shown.workspace,)
            cards = [c for c in cards if not c.task.is_archived and c.task.workspace_id in chosen]
        for pk in (*update.cards, *update.gone):
            self.places.pop(pk, None)
        self.places |= {c.task.pk: _places(c.task, c.run) for c in cards}
        self._follow_lines()
        here = {card.task.pk for card in cards}
        seen = (card.task for card in update.cards.values() if card.task.workspace_id in workspaces)
        gone = {pk for pk, workspace in update.gone.items() if workspace in workspaces}
        gone |= {task.pk for task in seen} - here
        figures = {"counts": counts, "needs_you": sum(workspaces.values()), "accepted": accepted}
        if not cards and not gone and figures == self.figures:
            return
        self.figures = figures
        sent = [self._as_sent(card) for card in cards]
        await self.push({"t": "cards", "view": view, "cards": sent, "gone": sorted(gone), **figures})

    def _as_sent(self, card: Card) -> dict[str, Any]:
        task = card.task
        html = rendered.kept.html(card, self.form)
        place = {"status": task.status, "workspace": task.workspace_id, "order": card.order}
        return {"pk": task.pk, **place, "html": html}

    def _counts(self, update: BoardUpdate, workspaces: dict[int, int]) -> dict[str, int]:
        """Return the numbers of tasks in the columns that this page shows."""
        chosen = self.shown.workspace
        seen = [pk for pk in workspaces if chosen in (None, pk)]
        by_status = [update.counts.get(pk, {}) for pk in seen]
        return {status: sum(counts.get(status, 0) for counts in by_status) for status in Task.Status.values}

    def _accepted(self, update: BoardUpdate, workspaces: dict[int, int]) -> int:
        """Return how many accepted tasks in Review this page shows."""
        chosen = self.shown.workspace
        return sum(update.accepted.get(pk, 0) for pk in workspaces if chosen in (None, pk))

    def _found(self, cards: list[Card], shown: Filter) -> tuple[list[Card], dict[str, int], int]:
        """Return the cards that the search finds, how many it finds by column, and how many accepted."""
        tasks = visible_tasks(self.user)
        try:
            tasks = shown.apply(tasks)
        except Refused:
            tasks = tasks.none()
        wanted = tasks.filter(pk__in=[card.task.pk for card in cards])
        found = set(wanted.values_list("pk", flat=True))
        counts = dict.fromkeys(Task.Status.values, 0) | dict(queries.counts(tasks))
        accepted = queries.accepted_of(self.user, shown, tasks)
        return [card for card in cards if card.task.pk in found], counts, accepted

    def _follow_lines(self) -> None:
        """Watch what agents write in the workspaces that the user may see. Rows show nothing of it."""
        if self.form != "row":
            seen = {pk: places for pk, places in self.places.items() if places[0] in self.visible}
            self.lines.follow({pk: live for pk, (_, live, _) in seen.items()})
            self.ports.follow({pk: ports for pk, (_, _, ports) in seen.items()})

    def _read(self, *, rows: bool) -> Board:
        """Read what the page should show by now, and where agents write meanwhile."""
        board = queries.board(self.user, self.shown)
        self.visible = set(visible_workspaces(self.user).values_list("pk", flat=True))
        self.notices = board.notices
        counts = {column.status: column.count for column in board.columns}
        self.figures = {"counts": counts, "needs_you": board.needs_you, "accepted": board.accepted}
        if rows:
            self.form = "row"
            return board
        self.form = rendered.form_for(self.user)
        live = Run.objects.filter(state__in=Run.ACTIVE, task__workspace__in=self.visible)
        fields = ("number", "state", "run_dir", "task__workspace", "task__status", "task__worktree_path")
        runs = live.select_related("task__workspace").only(*fields)
        self.places = {run.task_id: _places(run.task, run) for run in runs}
        return board


def _places(task: Task, run: Run | None) -> tuple[int, LivePlace | None, PortPlace | None]:
    return task.workspace_id, place_of(task, run), place_of_card(task, run)

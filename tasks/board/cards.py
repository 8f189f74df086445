"""Cards: tasks as the board shows them, each with its newest run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.db.models import prefetch_related_objects

from aitask.lib.badges import Badge
from tasks.attachments.queries import count_by_task
from tasks.badges import VERDICTS, run_badge
from tasks.models import Run, Task, Verdict
from tasks.order.predecessors import Predecessor, predecessors_by_task
from tasks.review.card_badges import SETTLED, marks_of
from tasks.runs.agent_settings import waiting_for
from tasks.runs.queries import with_newest_runs
from tasks.verbs import CARD_VERBS, TaskVerb, possible
from workspaces.catalog import queries as catalog_queries
from workspaces.models import Host

RUN_FIELDS = (
    *("task", "number", "backend", "state", "reason_code", "reason", "permission_mode", "agent_settings"),
    *("starts_anyway",),
    *("run_dir", "cli_session", "queued_at", "started_at", "finished_at", "last_heard_at", "last_event_at"),
    *("cancel_requested_at", "activity", "open_requests", "progress", "limit_resets_at", "cost_usd"),
    *("cost_source", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
)
"The columns of runs that cards need. Others can be large."


MERGED = VERDICTS[Verdict.Kind.MERGED.value]
MOST_NAMED = 3
"Predecessors that a card names by their numbers."
DATE = re.compile(r"-20\d{6}$")
"The end of a model's name that says when it was released."


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
    files: int = 0
    "Files of its prompt, its runs and their messages."
    after: tuple[Predecessor, ...] = ()
    "The tasks that it comes after, without those that are merged."

    @property
    def order(self) -> tuple[float, float]:
        """Its place in its column, smallest first. Done has the card that was changed last on top."""
        task = self.task
        if task.status == Task.Status.DONE:
            return 0, -round(task.updated_at.timestamp() * 1_000_000)
        return -task.priority if task.status in Task.BY_PRIORITY else 0, task.rank

    @property
    def order_text(self) -> str:
        return " ".join(map(repr, self.order))

    @cached_property
    def verbs(self) -> list[str]:
        """The verbs that its menu and the keyboard shortcuts offer now."""
        is_done = self.task.status == Task.Status.DONE  # a query would tell whether it is merged
        offered = CARD_VERBS if is_done else (*CARD_VERBS, TaskVerb.SPOTLIGHT)
        return sorted(possible(self.task, self.run, offered))

    @property
    def needs_you(self) -> bool:
        return self.run is not None and self.run.state == Run.State.WAITING

    @property
    def to_merge(self) -> bool:
        """Whether a move to Done must be confirmed, because its branch was not merged by a train."""
        is_open = self.task.status != Task.Status.DONE and SETTLED.isdisjoint(self.marks)
        return bool(self.task.branch) and is_open

    @property
    def shown_badge(self) -> Badge | None:
        """The state of its run, unless the column says the same: a task in Review or Done has finished."""
        is_expected = self.run is not None and self.run.state == Run.State.SUCCEEDED
        return (
            None if is_expected and self.task.status in (Task.Status.REVIEW, Task.Status.DONE) else self.badge
        )

    @property
    def shown_marks(self) -> list[Badge]:
        """Its marks; not that it is merged, which is what a task in Done is."""
        is_done = self.task.status == Task.Status.DONE
        return [mark for mark in self.marks if not (is_done and mark == MERGED)]

    @property
    def after_text(self) -> str:
        """The tasks that it comes after, in few characters."""
        if len(self.after) > MOST_NAMED:
            return f"after {len(self.after)} tasks"
        return f"after {', '.join(f'#{each.number}' for each in self.after)}" if self.after else ""

    @property
    def after_in_full(self) -> str:
        return "\n".join(f"{each.name}: {each.progress}" for each in self.after)

    @property
    def has_state(self) -> bool:
        """Whether there is anything to say in the line of its state."""
        return bool(
            self.shown_badge or self.shown_marks or self.waits_because or self.trouble or self.warning
        )

    @property
    def how(self) -> str:
        """CLI and model in few characters."""
        task = self.task
        model = DATE.sub("", task.model.removeprefix("claude-"))
        return " · ".join(filter(None, [task.get_backend_display().split()[0], model]))

    @property
    def how_in_full(self) -> str:
        task = self.task
        return " · ".join(filter(None, [task.get_backend_display(), task.model, task.reasoning_effort]))

    @property
    def activity(self) -> str:
        """What the agent did last; empty unless a run is active."""
        return self.run.activity if self.run and self.run.is_active else ""

    @property
    def mode(self) -> str:
        """The permissions of a live run, or else of the task, if they are not the workspace's."""
        shown: Run | Task = self.run if self.run and self.run.is_live else self.task
        is_own = shown.permission_mode in ("", self.task.workspace.permission_mode)
        return shown.permission_words if self.task.is_plan or not is_own else ""

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
    def is_stuck(self) -> bool:
        """Whether its queued run waits for a predecessor that does not go on by itself."""
        if self.run is None or self.run.state != Run.State.QUEUED:
            return False
        is_first = not self.run.starts_anyway and not self.task.branch
        return is_first and any(each.is_stuck for each in self.after)

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

    @cached_property
    def shown(self) -> str:
        """A text that changes whenever the card would look different or stand elsewhere."""
        task, run = self.task, self.run
        quiet = self.quiet_since and self.quiet_since.replace(second=0, microsecond=0)
        of_task = (
            (task.pk, task.mark, task.title, task.status, self.order, task.branch),
            (task.workspace.name, task.workspace.base_branch, task.workspace.check_command),
            (task.get_backend_display(), task.model, task.reasoning_effort),
            (task.files_changed, task.lines_added, task.lines_deleted),
            (task.labels, task.priority, task.is_archived, self.files),
            (self.badge, self.warning, self.marks, self.mode, self.verbs, self.link_lost),
            (self.after_text, self.after_in_full, self.is_stuck),
        )
        of_run = run and (
            (run.pk, run.state, run.was_cut_off, self.activity),
            (run.reason, run.reason_code, run.limit_resets_at, run.limit_holds),
            (self.tokens, run.cost_usd, run.cost_source, self.since, quiet, self.asks_first),
            (run.open_requests[:1], len(run.open_requests), self.steps, run.steps_done, run.step_now),
            run.last_heard_at if self.link_lost and run.is_active else None,
        )
        return repr((of_task, of_run))


def cards_of(tasks: Iterable[Task], lost: set[str] | None = None) -> list[Card]:
    """Return the cards of these tasks, with all that a card shows. `lost`: see `lost_hosts`."""
    found = with_newest_runs(tasks, only=RUN_FIELDS)
    prefetch_related_objects(found, "workspace")
    lost = lost_hosts() if lost is None else lost
    cards = [card_of(task, lost) for task in found]
    return _with_files(_with_warnings(_with_marks(_with_order(cards))))


def card_of(task: Task, lost_hosts: set[str]) -> Card:
    """Return the card of a task, without marks and warnings."""
    run = task.last_run
    link_lost = task.workspace.address.key in lost_hosts
    # A queued run needs no badge: the card is in the Queued column.
    badge = run_badge(run, link_lost=link_lost) if run and run.state != Run.State.QUEUED else None
    return Card(task=task, run=run, badge=badge, link_lost=link_lost)


def lost_hosts() -> set[str]:
    """Return the keys of the hosts whose link is down."""
    return set(Host.objects.filter(link=Host.Link.DOWN).values_list("key", flat=True))


def _with_order(cards: Sequence[Card]) -> list[Card]:
    """Add the tasks that each comes after, unless it is done."""
    found = predecessors_by_task(card.task for card in cards if card.task.status != Task.Status.DONE)
    after = {pk: tuple(each for each in before if not each.is_merged) for pk, before in found.items()}
    return [replace(card, after=after.get(card.task.pk, ())) for card in cards]


def _with_marks(cards: Sequence[Card]) -> list[Card]:
    marks = marks_of([card.task for card in cards])
    return [replace(card, marks=marks.get(card.task.pk, ())) for card in cards]


def _with_files(cards: Sequence[Card]) -> list[Card]:
    counts = count_by_task([card.task for card in cards])
    return [replace(card, files=counts.get(card.task.pk, 0)) for card in cards]


def _with_warnings(cards: list[Card]) -> list[Card]:
    """Add a warning to the cards in Backlog and Queued whose model the host does not list."""
    waiting = [card for card in cards if card.task.status in (Task.Status.BACKLOG, Task.Status.QUEUED)]
    workspaces = {card.task.workspace_id: card.task.workspace for card in waiting}
    places = {pk: catalog_queries.place_of(workspace) for pk, workspace in workspaces.items()}
    lists = catalog_queries.lists_at(places.values())
    warned = {}
    for card in waiting:
        task = card.task
        offer = lists.get(places[task.workspace_id], {}).get(task.backend)
        warned[task.pk] = catalog_queries.warning(offer, task.model, task.reasoning_effort)
    return [replace(card, warning=warned.get(card.task.pk, "")) for card in cards]

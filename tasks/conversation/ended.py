"""Runs that have finished or failed, and that a user has not marked as seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import OuterRef, Subquery

from aitask.lib import doorbell
from aitask.lib.badges import Badge
from tasks.access import visible_tasks
from tasks.badges import VERDICTS, run_badge
from tasks.conversation.last_words import last_words
from tasks.models import Run, SeenRun, Task, Verdict
from tasks.verbs import TASK_RULES, TaskFacts, TaskVerb
from workspaces.access import Visitor

LOOKED_AT = 100
"Tasks in Review, those that have changed last, among which the inbox looks. The others are on the board."
FAILED = (Run.State.FAILED, Run.State.LOST)
VERBS = (TaskVerb.ACCEPT, TaskVerb.RUN, TaskVerb.RESUME)


class Tab(StrEnum):
    """The parts of the inbox. The values are in its addresses."""

    NEEDS_YOU = "needs_you"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass
class UnseenRuns:
    """The newest runs of tasks in Review, by their primary keys, the last changed task first."""

    finished: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    is_cut: bool = False
    "Whether there are more tasks in Review than were looked at."

    def of(self, tab: Tab) -> list[int]:
        return {Tab.FINISHED: self.finished, Tab.FAILED: self.failed}.get(tab, [])


def unseen(user: Visitor) -> UnseenRuns:
    """Return the runs that have finished or failed and wait for a look of this user."""
    newest = Run.objects.filter(task=OuterRef("pk")).order_by("-number")
    tasks = visible_tasks(user).select_related(None).filter(status=Task.Status.REVIEW, archived_at=None)
    ordered = tasks.order_by("-updated_at", "-pk").annotate(newest=Subquery(newest.values("pk")[:1]))
    pks: list[int] = list(ordered.values_list("newest", flat=True)[: LOOKED_AT + 1])
    states = dict(Run.objects.filter(pk__in=pks[:LOOKED_AT]).order_by().values_list("pk", "state"))
    seen = set(SeenRun.objects.filter(user=user.pk, run__in=states).values_list("run", flat=True))
    found = UnseenRuns(is_cut=len(pks) > LOOKED_AT)
    for pk in pks[:LOOKED_AT]:
        if pk in seen or pk not in states:
            continue
        if states[pk] == Run.State.SUCCEEDED:
            found.finished.append(pk)
        elif states[pk] in FAILED:
            found.failed.append(pk)
    return found


@dataclass(frozen=True)
class EndedRow:
    """A run that has ended, as the inbox shows it."""

    run: Run
    said: str
    "The last sentence of its agent."
    verdict: Verdict | None

    @property
    def badges(self) -> list[Badge]:
        found = [] if self.run.state == Run.State.SUCCEEDED else [run_badge(self.run)]
        return [*found, *([VERDICTS[self.verdict.kind]] if self.verdict else [])]

    @cached_property
    def verbs(self) -> frozenset[str]:
        """The verbs that its buttons and the keyboard offer. None of their rules reads the database here."""
        facts = TaskFacts(self.run.task)
        facts.run, facts.verdict = self.run, self.verdict
        asked = [verb for verb in VERBS if verb != TaskVerb.RESUME or not self.run.is_failed_resume]
        return TASK_RULES.possible(facts, asked)

    @property
    def is_failed(self) -> bool:
        return self.run.state in FAILED

    @property
    def is_accepted(self) -> bool:
        return self.verdict is not None and self.verdict.kind == Verdict.Kind.ACCEPTED

    @property
    def stamp(self) -> str:
        """A text that changes whenever the row looks different."""
        task = self.run.task
        diff = (task.files_changed, task.lines_added, task.lines_deleted, task.branch)
        shown = (task.title, self.said, self.badges, sorted(self.verbs), diff, self.run.reason)
        return hashlib.sha256(repr((shown, task.workspace.name)).encode()).hexdigest()[:16]


def rows_of(pks: list[int]) -> list[EndedRow]:
    """Return the rows of these runs, in their order."""
    runs = Run.objects.select_related("task__workspace", "task__verdict").defer("prompt", "task__prompt")
    found = runs.in_bulk(pks)
    said = last_words(list(found.values()))
    return [
        EndedRow(run, said.get(pk, ""), getattr(run.task, "verdict", None))
        for pk in pks
        if (run := found.get(pk))
    ]


def mark_seen(user: AbstractBaseUser, runs: Iterable[Run]) -> None:
    """Take these runs out of the user's inbox."""
    rows = [SeenRun(user_id=user.pk, run=run) for run in runs]
    SeenRun.objects.bulk_create(rows, ignore_conflicts=True)
    doorbell.ring("inbox")


def mark_unseen(user: AbstractBaseUser, runs: Iterable[Run]) -> None:
    SeenRun.objects.filter(user_id=user.pk, run__in=list(runs)).delete()
    doorbell.ring("inbox")

"""The verbs for many tasks at once, and which of the tasks allow them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from aitask.lib.errors import Refused
from tasks.board.cards import RUN_FIELDS
from tasks.models import MergeStep, MergeTrain, Run, Task, Verdict
from tasks.runs.queries import with_newest_runs
from tasks.verbs import TASK_RULES, TaskFacts, TaskVerb

Status = Task.Status


class ManyVerb(StrEnum):
    """What a user can do with many tasks; the values are used in templates, scripts and the API."""

    RUN = "run"
    CANCEL = "cancel"
    UNQUEUE = "unqueue"
    ACCEPT = "accept"
    UNACCEPT = "unaccept"
    MERGE = "merge"
    MOVE_TO_BACKLOG = "move-backlog"
    MOVE_TO_REVIEW = "move-review"
    CLOSE = "close"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETE = "delete"
    UNCREATE = "uncreate"
    "Deletes tasks that no agent has worked on: takes back that they were created."


@dataclass(frozen=True)
class LeftOut:
    """A task with which the verb was not or can not be done, and why."""

    task: int
    title: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class ManyPlan:
    """What a verb would do with some tasks."""

    verb: ManyVerb
    ready: list[Task]
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def workspaces(self) -> dict[str, list[Task]]:
        """The tasks that are ready, by the name of their workspace."""
        by_name = sorted(self.ready, key=lambda task: (task.workspace.name, task.workspace_id))
        return {name: list(tasks) for name, tasks in groupby(by_name, key=lambda task: task.workspace.name)}

    @property
    def reasons(self) -> list[str]:
        """Why tasks are left out, as one sentence for each reason."""
        return in_words(self.left_out)


def in_words(left_out: Iterable[LeftOut], *, named: int = 3) -> list[str]:
    """Return one line for each reason, with its first tasks: “2 left out (#4, #7): …”."""
    tasks: dict[str, list[int]] = {}
    for one in left_out:
        tasks.setdefault(f"{one.reason} {one.hint}".strip(), []).append(one.task)
    lines = []
    for reason, pks in tasks.items():
        numbers = ", ".join(f"#{pk}" for pk in pks[:named]) + ("…" if len(pks) > named else "")
        lines.append(f"{len(pks)} left out ({numbers}): {reason}")
    return lines


def plan(verb: ManyVerb, facts: Sequence[TaskFacts]) -> ManyPlan:
    """Return with which of these tasks the verb can be done now."""
    ready, left_out = [], []
    for each in facts:
        refusal = _refusal(verb, each)
        if refusal is None:
            ready.append(each.task)
        else:
            left_out.append(LeftOut(each.task.pk, each.task.title, refusal.reason, refusal.hint))
    return ManyPlan(verb, ready, left_out)


def facts_of(tasks: Iterable[Task]) -> list[TaskFacts]:
    """Read what the rules need for all of these tasks with a few queries."""
    found = with_newest_runs(tasks, only=RUN_FIELDS)
    verdicts = {verdict.task_id: verdict for verdict in Verdict.objects.filter(task__in=found)}
    steps = MergeStep.objects.filter(task__in=found, state__in=MergeStep.OPEN, train__dry_run=False)
    in_train = set(steps.filter(train__state__in=MergeTrain.LIVE).values_list("task", flat=True))
    result = []
    for task in found:
        facts = TaskFacts(task)
        facts.run, facts.verdict = task.last_run, verdicts.get(task.pk)
        facts.in_train = task.pk in in_train
        result.append(facts)
    return result


def _refusal(verb: ManyVerb, facts: TaskFacts) -> Refused | None:
    return next((error for rule in RULES[verb] if (error := rule(facts))), None)


def _can(verb: TaskVerb) -> Callable[[TaskFacts], Refused | None]:
    return lambda facts: TASK_RULES.refusal(facts, verb)


def _moves_to(status: Task.Status) -> tuple[Callable[[TaskFacts], Refused | None], ...]:
    def elsewhere(facts: TaskFacts) -> Refused | None:
        return Refused(f"It is in {status.label} already.") if facts.task.status == status else None

    return elsewhere, _can(TaskVerb(f"move-{status}"))


def _with_prompt(facts: TaskFacts) -> Refused | None:
    return None if facts.task.prompt.strip() else Refused("The task has no prompt.", "Write one first.")


def _has_run(facts: TaskFacts) -> Refused | None:
    queued = TASK_RULES.refusal(facts, TaskVerb.UNQUEUE)
    return TASK_RULES.refusal(facts, TaskVerb.CANCEL) if queued else None


def _succeeded(facts: TaskFacts) -> Refused | None:
    if facts.run is None or facts.run.state == Run.State.SUCCEEDED:
        return None
    return Refused("Its last run did not succeed.", "Look at it, then accept it on its page.")


def _untouched(facts: TaskFacts) -> Refused | None:
    was_run = facts.run is not None and not (
        facts.run.state == Run.State.CANCELLED and facts.run.started_at is None
    )
    if not was_run and not facts.task.branch:
        return None
    return Refused("An agent has worked on it.", "Delete it in its menu, if it should go.")


def _not_accepted(facts: TaskFacts) -> Refused | None:
    accepted = facts.verdict is not None and facts.verdict.kind == Verdict.Kind.ACCEPTED
    return Refused("It is accepted already.") if accepted else None


def _in_review(facts: TaskFacts) -> Refused | None:
    return None if facts.task.status == Status.REVIEW else Refused("It is not in Review.")


def _not_merging(facts: TaskFacts) -> Refused | None:
    return Refused("It is in a merge train already.") if facts.in_train else None


RULES: dict[ManyVerb, tuple[Callable[[TaskFacts], Refused | None], ...]] = {
    ManyVerb.RUN: (_can(TaskVerb.RUN), _with_prompt),
    ManyVerb.CANCEL: (_has_run,),
    ManyVerb.UNQUEUE: (_can(TaskVerb.UNQUEUE),),
    ManyVerb.ACCEPT: (_can(TaskVerb.ACCEPT), _not_accepted, _succeeded),
    ManyVerb.UNACCEPT: (_can(TaskVerb.UNACCEPT),),
    ManyVerb.MERGE: (_in_review, _can(TaskVerb.UNACCEPT), _can(TaskVerb.ACCEPT), _not_merging),
    ManyVerb.MOVE_TO_BACKLOG: _moves_to(Status.BACKLOG),
    ManyVerb.MOVE_TO_REVIEW: _moves_to(Status.REVIEW),
    ManyVerb.CLOSE: (*_moves_to(Status.DONE), _not_merging),
    ManyVerb.ARCHIVE: (_can(TaskVerb.ARCHIVE),),
    ManyVerb.UNARCHIVE: (_can(TaskVerb.UNARCHIVE),),
    ManyVerb.DELETE: (_can(TaskVerb.DELETE), _not_merging),
    ManyVerb.UNCREATE: (_can(TaskVerb.DELETE), _untouched),
}
"What must hold for each verb, the most important first. The services check again when they change a task."

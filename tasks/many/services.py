"""Does one verb with many tasks. The service for one task changes each, and checks its state again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.contrib.auth.models import AbstractBaseUser

from aitask.lib.answers import attempt
from aitask.lib.errors import Refused
from tasks import services
from tasks.access import visible_tasks
from tasks.board.queries import Filter, ordered
from tasks.many.verbs import LeftOut, ManyPlan, ManyVerb, facts_of, in_words, plan
from tasks.models import MergeTrain, Task, Verdict
from tasks.review import verdicts
from tasks.runs import services as run_services
from tasks.trains import overlap
from tasks.trains import services as trains
from workspaces.models import Workspace

MOST_AT_ONCE = 200
"Maximum number of tasks of one request."
Do = Callable[[Task, AbstractBaseUser], object]


@dataclass(frozen=True)
class UndoStep:
    """What takes a part of an outcome back."""

    verb: ManyVerb
    tasks: list[int]


@dataclass(frozen=True)
class ManyOutcome:
    """What a verb has done with some tasks."""

    verb: ManyVerb
    done: list[Task]
    left_out: list[LeftOut]
    undo: list[UndoStep] = field(default_factory=list)
    trains: list[MergeTrain] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What was done, with the number for each workspace if there are several."""
        count, asked = len(self.done), len(self.done) + len(self.left_out)
        if not count:
            return "Nothing was changed."
        numbers = f"{count} of {asked}" if self.left_out else str(count)
        places = ManyPlan(self.verb, self.done).workspaces
        each = "; ".join(f"{name}: {len(tasks)}" for name, tasks in places.items())
        where = f" ({each})" if len(places) > 1 else ""
        return f"{DONE[self.verb].capitalize()} {numbers} task{'' if asked == 1 else 's'}{where}."

    @property
    def reasons(self) -> list[str]:
        return in_words(self.left_out)


DONE = {
    ManyVerb.RUN: "queued",
    ManyVerb.CANCEL: "cancelled",
    ManyVerb.UNQUEUE: "unqueued",
    ManyVerb.ACCEPT: "accepted",
    ManyVerb.UNACCEPT: "unaccepted",
    ManyVerb.MERGE: "merging",
    ManyVerb.MOVE_TO_BACKLOG: "moved to Backlog",
    ManyVerb.MOVE_TO_REVIEW: "moved to Review",
    ManyVerb.CLOSE: "closed without merging",
    ManyVerb.ARCHIVE: "archived",
    ManyVerb.UNARCHIVE: "unarchived",
    ManyVerb.DELETE: "deleted",
    ManyVerb.UNCREATE: "removed",
}


def tasks_named(user: AbstractBaseUser, pks: Sequence[int]) -> list[Task]:
    """Return those of these tasks that the user may see, in order. Raises Refused if there are too many."""
    wanted = list(dict.fromkeys(pks))
    if len(wanted) > MOST_AT_ONCE:
        raise Refused(f"At most {MOST_AT_ONCE} tasks can be changed at once.", "Select fewer tasks.")
    found = {task.pk: task for task in visible_tasks(user).filter(pk__in=wanted)}
    return [found[pk] for pk in wanted if pk in found]


def tasks_in(user: AbstractBaseUser, column: str, shown: Filter, verb: ManyVerb) -> list[Task]:
    """Return the tasks of a column that a verb in its head is about, in its order; at most MOST_AT_ONCE."""
    tasks = shown.apply(visible_tasks(user))
    if verb in VERDICT_OF_COLUMN_VERB:
        tasks = tasks.filter(verdict__kind=VERDICT_OF_COLUMN_VERB[verb])
    pks = ordered(tasks, column).values_list("pk", flat=True)[:MOST_AT_ONCE]
    return tasks_named(user, list(pks))


VERDICT_OF_COLUMN_VERB = {ManyVerb.MERGE: Verdict.Kind.ACCEPTED, ManyVerb.ARCHIVE: Verdict.Kind.MERGED}


def plan_for(verb: ManyVerb, tasks: Sequence[Task]) -> ManyPlan:
    return plan(verb, facts_of(tasks))


def act(user: AbstractBaseUser, verb: ManyVerb, pks: Sequence[int]) -> ManyOutcome:
    """Do the verb with each of these tasks that allows it, and say why not with the others."""
    tasks = tasks_named(user, pks)
    planned = plan_for(verb, tasks)
    unknown = set(pks) - {task.pk for task in tasks}
    left_out = [LeftOut(pk, "", "There is no such task.") for pk in sorted(unknown)] + planned.left_out
    if verb == ManyVerb.MERGE:
        return _merge(planned.ready, left_out, user)
    before = {task.pk: task.status for task in planned.ready}
    done = []
    for task in planned.ready:
        pk = task.pk  # a deleted task has none
        result = attempt(partial(VERBS[verb], task, user))
        task.pk = pk
        if isinstance(result, Refused):
            left_out.append(LeftOut(pk, task.title, result.reason, result.hint))
        else:
            done.append(task)
    return ManyOutcome(verb, done, left_out, _undo(verb, done, before))


def _undo(verb: ManyVerb, done: Sequence[Task], before: dict[int, str]) -> list[UndoStep]:
    """Return what takes the verb back, task by task."""
    if verb in INVERSE:
        return [UndoStep(INVERSE[verb], [task.pk for task in done])] if done else []
    if verb not in (ManyVerb.MOVE_TO_BACKLOG, ManyVerb.MOVE_TO_REVIEW, ManyVerb.CLOSE):
        return []
    by_status: dict[str, list[int]] = {}
    for task in done:
        by_status.setdefault(before[task.pk], []).append(task.pk)
    return [UndoStep(BACK_TO[status], pks) for status, pks in by_status.items() if status in BACK_TO]


def _merge(tasks: Sequence[Task], left_out: list[LeftOut], user: AbstractBaseUser) -> ManyOutcome:
    """Start one merge train for each workspace, in the order with the fewest conflicts."""
    by_workspace: dict[Workspace, list[Task]] = {}
    for task in tasks:
        by_workspace.setdefault(task.workspace, []).append(task)
    done, started = [], []
    for workspace, group in by_workspace.items():
        in_order = overlap.proposed_order(workspace, group)
        train = attempt(partial(trains.start_train, workspace, in_order, user=user))
        if isinstance(train, Refused):
            left_out += [LeftOut(task.pk, task.title, train.reason, train.hint) for task in group]
        else:
            done += group
            started.append(train)
    return ManyOutcome(ManyVerb.MERGE, done, left_out, trains=started)


def _run(task: Task, user: AbstractBaseUser) -> None:
    run_services.queue_run(task, user=user)


def _accept(task: Task, user: AbstractBaseUser) -> None:
    verdicts.accept(task, user=user)


def _move_to(status: Task.Status) -> Do:
    """Tasks keep their rank, so that moving them back puts each where it was."""
    return lambda task, user: services.change_column(task, status, user)


VERBS: dict[ManyVerb, Do] = {
    ManyVerb.RUN: _run,
    ManyVerb.CANCEL: lambda task, _: run_services.cancel_task(task),
    ManyVerb.UNQUEUE: lambda task, _: run_services.unqueue(task),
    ManyVerb.ACCEPT: _accept,
    ManyVerb.UNACCEPT: lambda task, _: verdicts.undo_accept(task),
    ManyVerb.MOVE_TO_BACKLOG: _move_to(Task.Status.BACKLOG),
    ManyVerb.MOVE_TO_REVIEW: _move_to(Task.Status.REVIEW),
    ManyVerb.CLOSE: _move_to(Task.Status.DONE),
    ManyVerb.ARCHIVE: lambda task, _: services.archive(task),
    ManyVerb.UNARCHIVE: lambda task, _: services.unarchive(task),
    ManyVerb.DELETE: lambda task, _: services.delete_task(task),
    ManyVerb.UNCREATE: lambda task, _: services.delete_task(task),
}
INVERSE = {
    ManyVerb.RUN: ManyVerb.UNQUEUE,
    ManyVerb.ACCEPT: ManyVerb.UNACCEPT,
    ManyVerb.UNACCEPT: ManyVerb.ACCEPT,
    ManyVerb.ARCHIVE: ManyVerb.UNARCHIVE,
    ManyVerb.UNARCHIVE: ManyVerb.ARCHIVE,
}
BACK_TO = {
    Task.Status.BACKLOG.value: ManyVerb.MOVE_TO_BACKLOG,
    Task.Status.REVIEW.value: ManyVerb.MOVE_TO_REVIEW,
    Task.Status.DONE.value: ManyVerb.CLOSE,
}

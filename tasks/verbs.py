"""Which verbs a task and a merge train allow right now.

Services enforce these rules, and pages, menus and keyboard shortcuts offer what the rules allow. What only
the host knows, such as the commits of a branch, is checked by the services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from itertools import takewhile
from typing import Generic, TypeVar

from aitask.lib.errors import Refused
from tasks.models import MergeStep, MergeTrain, Run, Task, Verdict
from tasks.models.run import SESSION_GONE
from tasks.models.trains import undone_step
from tasks.order.predecessors import predecessors_of, reason_to_wait

MAX_FAILED_RESUMES = 2
Facts = TypeVar("Facts")
VerbName = TypeVar("VerbName", bound=StrEnum)
Rule = Callable[[Facts], Refused | None]


class TaskVerb(StrEnum):
    """What a user can do with a task; the values are used in templates and scripts."""

    RUN = "run"
    UNQUEUE = "unqueue"
    START_ANYWAY = "start-anyway"
    CANCEL = "cancel"
    STOP = "stop"
    COMPACT = "compact"
    STOP_BACKGROUND = "stop-background"
    RESUME = "resume"
    CONTINUE = "continue"
    RESUME_AT_RESET = "resume-at-reset"
    START_NEW_CONVERSATION = "new-conversation"
    RESCUE = "rescue"
    OPEN_IN_CLI = "open-in-cli"
    ACCEPT = "accept"
    UNACCEPT = "unaccept"
    REQUEST_CHANGES = "request-changes"
    RESOLVE = "resolve"
    REAPPLY = "reapply"
    START_OVER = "start-over"
    SPOTLIGHT = "spotlight"
    DROP = "drop"
    RESTORE = "restore"
    DELETE = "delete"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    MOVE_TO_BACKLOG = "move-backlog"
    MOVE_TO_QUEUED = "move-queued"
    MOVE_TO_RUNNING = "move-running"
    MOVE_TO_REVIEW = "move-review"
    MOVE_TO_DONE = "move-done"


class TrainVerb(StrEnum):
    """What a user can do with a merge train."""

    STOP = "stop"
    CONTINUE = "continue"
    UNDO = "undo"


class Rules(Generic[Facts, VerbName]):
    """The rules that must hold for each verb, the most important one first."""

    def __init__(self, rules: Mapping[VerbName, Sequence[Rule[Facts]]]) -> None:
        self._rules = rules

    def refusal(self, facts: Facts, verb: VerbName) -> Refused | None:
        """Return why the verb can't be done now; None if it can."""
        return next((error for rule in self._rules[verb] if (error := rule(facts))), None)

    def possible(self, facts: Facts, verbs: Iterable[VerbName] | None = None) -> frozenset[str]:
        """Return those of `verbs` (default: all) that can be done now."""
        asked = self._rules if verbs is None else verbs
        return frozenset(verb.value for verb in asked if self.refusal(facts, verb) is None)

    def require(self, facts: Facts, verb: VerbName) -> None:
        """Raise Refused unless the verb can be done now."""
        if error := self.refusal(facts, verb):
            raise error


class TaskFacts:
    """The facts about a task that the rules use, each read when it is first needed."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @cached_property
    def run(self) -> Run | None:
        """The newest run: the only one that can be live."""
        return self.task.runs.order_by("-number").first()

    @property
    def begun_run(self) -> Run | None:
        """The newest run that was not unqueued: an unqueued run says nothing about the task."""
        if self.run is None or self.run.state != Run.State.CANCELLED or self.run.started_at:
            return self.run
        unqueued = {"state": Run.State.CANCELLED, "started_at": None}
        return self.task.runs.exclude(**unqueued).order_by("-number").first()

    @cached_property
    def verdict(self) -> Verdict | None:
        return Verdict.objects.filter(task=self.task).first()

    @cached_property
    def failed_resumes(self) -> int:
        """How often in a row, up to the newest run, a session failed before its agent said anything."""
        if self.run is None or not self.run.is_failed_resume:
            return 0
        runs = self.task.runs.filter(number__lte=self.run.number).order_by("-number")
        same = (run.is_failed_resume and run.resumes == self.run.resumes for run in runs.iterator(20))
        return sum(1 for _ in takewhile(bool, same))

    @cached_property
    def in_train(self) -> bool:
        steps = MergeStep.objects.filter(task=self.task, state__in=MergeStep.OPEN)
        return steps.filter(train__state__in=MergeTrain.LIVE).exists()

    @cached_property
    def has_session(self) -> bool:
        return self.task.runs.exclude(cli_session="").exclude(run_dir="").exists()

    @cached_property
    def waits_for(self) -> str:
        """Why the queued run waits for predecessors of the task; empty if it does not."""
        if self.run is None or self.run.state != Run.State.QUEUED or self.run.starts_anyway:
            return ""
        return "" if self.task.branch else reason_to_wait(predecessors_of(self.task))

    @cached_property
    def is_undone(self) -> bool:
        return undone_step(self.task) is not None


def possible(task: Task, run: Run | None, verbs: Iterable[TaskVerb] | None = None) -> frozenset[str]:
    """Return those of `verbs` (default: all) that `task` allows now; `run` is its newest run.

    Some rules query the database, so name the verbs where it is called often.
    """
    facts = TaskFacts(task)
    facts.run = run
    return TASK_RULES.possible(facts, verbs)


def require(task: Task, verb: TaskVerb) -> None:
    """Raise Refused unless the task allows the verb now."""
    TASK_RULES.require(TaskFacts(task), verb)


def _not_live(facts: TaskFacts) -> Refused | None:
    if facts.run is None or not facts.run.is_live:
        return None
    if facts.run.state == Run.State.QUEUED:
        return Refused("A run of this task is queued.", "Wait until it has ended, or unqueue it.")
    return Refused("A run of this task is in progress.", "Wait until it has ended, or cancel it.")


def _queued(facts: TaskFacts) -> Refused | None:
    if facts.run and facts.run.state == Run.State.QUEUED:
        return None
    return Refused("The run has started already.", "Cancel it if it should stop.")


def _waits_for_others(facts: TaskFacts) -> Refused | None:
    return None if facts.waits_for else Refused("This task does not wait for another one.")


def _active(facts: TaskFacts) -> Refused | None:
    return None if facts.run and facts.run.is_active else Refused("No run of this task is in progress.")


def _with_conversation(facts: TaskFacts) -> Refused | None:
    if facts.run is None or facts.run.started_at is None or not facts.run.context_used:
        return Refused("There is no conversation to compact yet.", "Wait for the agent's first answer.")
    if facts.run.compacting:
        return Refused("The conversation is being compacted already.")
    return None


def _with_background(facts: TaskFacts) -> Refused | None:
    if facts.run and facts.run.in_background:
        return None
    return Refused("Nothing runs in the background.")


def _interrupted(facts: TaskFacts) -> Refused | None:
    if facts.run and facts.run.was_cut_off:
        return None
    return Refused("The last run was not interrupted, or has no session to resume.", "Run it again.")


def _session_is_there(facts: TaskFacts) -> Refused | None:
    if not facts.failed_resumes or facts.run is None or facts.run.reason_code != SESSION_GONE:
        return None
    hint = "Go on in a new session: it works in the same worktree, and gets a record of this one."
    return Refused("The CLI no longer has the session of this conversation.", hint)


def _can_be_continued(facts: TaskFacts) -> Refused | None:
    count = facts.failed_resumes
    if count < MAX_FAILED_RESUMES:
        return None
    hint = "Go on in a new session: it works in the same worktree."
    return Refused(f"The last {count} attempts to continue this conversation failed.", hint)


def _can_not_be_continued(facts: TaskFacts) -> Refused | None:
    return None if _can_be_continued(facts) else Refused("This conversation can be continued.")


def _could_not_be_continued(facts: TaskFacts) -> Refused | None:
    return None if facts.failed_resumes else Refused("This conversation can be continued.")


def _limited(facts: TaskFacts) -> Refused | None:
    if facts.begun_run and facts.begun_run.limit_holds:
        return None
    return Refused("The last run was not ended by a limit with a known reset.", "Run it again.")


def _with_session(facts: TaskFacts) -> Refused | None:
    return None if facts.has_session else Refused("There is no session to open yet.", "Run the task first.")


def _with_prompt(facts: TaskFacts) -> Refused | None:
    if facts.task.prompt.strip():
        return None
    return Refused("The task has no prompt.", "Write what the agent should do, then run it.")


def _with_branch(facts: TaskFacts) -> Refused | None:
    return None if facts.task.branch else Refused("This task has no branch to merge.", "Run it first.")


def _with_change(facts: TaskFacts) -> Refused | None:
    return None if facts.task.branch else Refused("This task has no branch to show.", "Run it first.")


def _not_merged(facts: TaskFacts) -> Refused | None:
    if facts.task.status != Task.Status.DONE:
        return None
    merged = facts.verdict is not None and facts.verdict.kind == Verdict.Kind.MERGED
    return Refused("This task is merged already.") if merged else None


def _no_plan(facts: TaskFacts) -> Refused | None:
    if not facts.task.is_plan:
        return None
    return Refused("A plan has nothing to merge.", "Create the tasks that it proposes, then close it.")


def _accepted(facts: TaskFacts) -> Refused | None:
    accepted = facts.verdict is not None and facts.verdict.kind == Verdict.Kind.ACCEPTED
    return None if accepted else Refused("This task is not accepted.")


def _discarded(facts: TaskFacts) -> Refused | None:
    verdict = facts.verdict
    discarded = verdict is not None and verdict.kind == Verdict.Kind.DROPPED and bool(verdict.rescue_ref)
    return None if discarded and not facts.task.branch else Refused("There is nothing to restore.")


def _undone(facts: TaskFacts) -> Refused | None:
    if facts.is_undone:
        return None
    return Refused("There is nothing to reapply.", "No undo of a merge train has reverted this task.")


def _not_in_train(facts: TaskFacts) -> Refused | None:
    return Refused("This task is in a merge train.", "Stop the train first.") if facts.in_train else None


def _done(facts: TaskFacts) -> Refused | None:
    if facts.task.status == Task.Status.DONE:
        return None
    return Refused("Only tasks in Done can be archived.", "Merge or close it first.")


def _not_archived(facts: TaskFacts) -> Refused | None:
    return Refused("This task is archived already.") if facts.task.is_archived else None


def _archived(facts: TaskFacts) -> Refused | None:
    return None if facts.task.is_archived else Refused("This task is not archived.")


AT_REST = (Task.Status.BACKLOG, Task.Status.REVIEW, Task.Status.DONE)
"Columns between which a card moves without starting or ending a run."


def _may_move(target: Task.Status) -> Rule[TaskFacts]:
    def rule(facts: TaskFacts) -> Refused | None:
        status = Task.Status(facts.task.status)
        if target == status or (status in AT_REST and target in (*AT_REST, Task.Status.QUEUED)):
            return None
        if target == Task.Status.RUNNING:
            hint = "Move it to Queued: it starts when there is a free slot."
            return Refused("A card moves to Running by itself.", hint)
        if target == Task.Status.BACKLOG and status == Task.Status.QUEUED:
            return _queued(facts)
        return Refused("A run of this task is in progress.", "Cancel it, then move the card.")

    return rule


TASK_RULES: Rules[TaskFacts, TaskVerb] = Rules(
    {
        TaskVerb.RUN: (_not_live,),
        TaskVerb.UNQUEUE: (_queued,),
        TaskVerb.START_ANYWAY: (_queued, _waits_for_others),
        TaskVerb.CANCEL: (_active,),
        TaskVerb.STOP: (_active,),
        TaskVerb.COMPACT: (_active, _with_conversation),
        TaskVerb.STOP_BACKGROUND: (_active, _with_background),
        TaskVerb.RESUME: (_not_live, _interrupted, _session_is_there, _can_be_continued),
        TaskVerb.CONTINUE: (_not_live, _session_is_there),
        TaskVerb.START_NEW_CONVERSATION: (_not_live, _can_not_be_continued, _with_prompt),
        TaskVerb.RESCUE: (_not_live, _could_not_be_continued),
        TaskVerb.RESUME_AT_RESET: (_not_live, _limited),
        TaskVerb.OPEN_IN_CLI: (_not_live, _with_session),
        TaskVerb.ACCEPT: (_no_plan, _not_live, _not_merged, _with_branch),
        TaskVerb.UNACCEPT: (_accepted,),
        TaskVerb.REQUEST_CHANGES: (_not_live,),
        TaskVerb.RESOLVE: (_not_live,),
        TaskVerb.REAPPLY: (_not_live, _undone),
        TaskVerb.SPOTLIGHT: (_with_change, _not_merged),
        TaskVerb.START_OVER: (_not_live, _with_prompt, _not_in_train),
        TaskVerb.DROP: (_not_live, _not_in_train),
        TaskVerb.RESTORE: (_not_live, _discarded),
        TaskVerb.DELETE: (_not_live,),
        TaskVerb.ARCHIVE: (_done, _not_archived),
        TaskVerb.UNARCHIVE: (_archived,),
        **{TaskVerb(f"move-{status}"): (_may_move(status),) for status in Task.Status},
    }
)
HEAD_VERBS = (
    TaskVerb.UNQUEUE,
    TaskVerb.START_ANYWAY,
    TaskVerb.STOP,
    TaskVerb.COMPACT,
    TaskVerb.RESUME,
    TaskVerb.RESUME_AT_RESET,
    TaskVerb.START_NEW_CONVERSATION,
    TaskVerb.RESCUE,
)
"The buttons of the strip above the message box, which is rendered again with the events of a live run."
CARD_VERBS = (
    *(TaskVerb.RUN, TaskVerb.UNQUEUE, TaskVerb.CANCEL, TaskVerb.DELETE),
    *(TaskVerb.ARCHIVE, TaskVerb.UNARCHIVE),
    *(TaskVerb(f"move-{status}") for status in Task.Status),
)


def _train_live(train: MergeTrain) -> Refused | None:
    return None if train.is_live else Refused("This merge train is not running.")


def _train_stopped(train: MergeTrain) -> Refused | None:
    if train.state in (MergeTrain.State.STOPPED, MergeTrain.State.CANCELLED):
        return None
    return Refused("Only a stopped merge train can continue.")


def _steps_left(train: MergeTrain) -> Refused | None:
    unfinished = (*MergeStep.OPEN, MergeStep.State.BLOCKED)
    left = any(step.state in unfinished for step in train.steps.all())
    return None if left else Refused("All steps of this merge train have ended.", "Start a new one.")


def _train_merged(train: MergeTrain) -> Refused | None:
    if train.dry_run or not train.tip or train.tip == train.old_tip:
        return Refused("This merge train has merged nothing.")
    return None


def _train_not_undone(train: MergeTrain) -> Refused | None:
    if train.state == MergeTrain.State.UNDONE:
        return Refused("This merge train is undone already.")
    if train.state == MergeTrain.State.UNDOING:
        return Refused("This merge train is being undone.")
    return Refused("This merge train is still running.", "Stop it first.") if train.is_live else None


TRAIN_RULES: Rules[MergeTrain, TrainVerb] = Rules(
    {
        TrainVerb.STOP: (_train_live,),
        TrainVerb.CONTINUE: (_train_stopped, _steps_left),
        TrainVerb.UNDO: (_train_merged, _train_not_undone),
    }
)

"""Runs a merge train: each step merges, checks and moves main. Any process can continue after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.leases import LeaseLost
from tasks.models import MergeStep, MergeTrain, Task, Verdict
from tasks.order.predecessors import is_stacked
from tasks.order.services import announce_to_successors
from tasks.repository import Site
from tasks.runs import dispatch
from tasks.runs.queries import live_run
from tasks.trains.order import reason_to_leave_out
from tasks.trains.outside import blocked_by
from workspaces.git.portable import unportable_changes
from workspaces.git.repos import commits_between
from workspaces.hostkit.escapes import printed, visible
from workspaces.merging import (
    Attempt,
    Blocked,
    Change,
    Check,
    CheckLost,
    CheckResult,
    MainMoved,
    MergeResult,
    MergeWorktree,
    Strategy,
    attempt,
    foresee,
    onto_new_base,
)
from workspaces.merging.checks import Pause
from workspaces.merging.quick import is_plain, merge_options

MAX_TRIES = 20
MAX_CHECKS = 3
"Maximum restarts of a check that ended without a result."
TAIL_EVERY = 1.0
S = MergeStep.State

ENDS = {
    MergeResult.ALREADY: S.ALREADY,
    MergeResult.NOTHING: S.NOTHING,
    MergeResult.CONFLICT: S.CONFLICT,
    MergeResult.REFUSED: S.REFUSED,
}


class Parked(Exception):
    """A check takes longer than this worker waits; the job is enqueued again soon."""


class TrainRunner:
    """Runs one train whose lease this thread holds."""

    def __init__(
        self,
        train: MergeTrain,
        site: Site,
        *,
        patience: float,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.train = train
        self.on_change = on_change
        self.site = site
        self.deadline = time.monotonic() + patience
        self.at: str | None = None
        "HEAD of the merge worktree; None if unknown, because an earlier worker may have died there."
        self.dirty = False
        "Whether a check has run there since, which may have written files."
        self.plain: bool | None = None
        "Whether merges can be made without a worktree; None if unknown."
        self.options: tuple[str, ...] = ()
        "Options from the user's git configuration for each merge."
        self.last_check: Check | None = None
        self.resumed = True
        "Whether an earlier worker may have moved main for the first step without saving it."
        self.moved_to = ""
        "The tip that this worker has moved main to; reset if another process moves it."

    def run(self) -> None:
        """Run all open steps in order. Raises Parked, Blocked, LeaseLost and HostError."""
        for step in self.train.steps.filter(state__in=MergeStep.OPEN).order_by("position"):
            if self._stop_requested() and step.state != S.CHECKING:  # a running check is ended first
                return
            self._run_step(step)

    def _run_step(self, step: MergeStep) -> None:
        while step.is_open:
            if step.state == S.WAITING:
                if self._stop_requested():
                    return
                self._begin(step)
            elif step.state == S.MERGING:
                self._merge(step)
            elif step.state == S.CHECKING:
                self._check(step)
            else:
                self._move(step)
            doorbell.ring(f"train:{self.train.pk}", f"task:{step.task_id}")
            if self.on_change:
                self.on_change()

    def _begin(self, step: MergeStep) -> None:
        self.resumed = False
        reason = reason_to_skip(step) or reason_to_leave_out(step)
        if reason or not step.commit:
            self._end(step, S.LEFT_OUT, reason=reason or f"The branch {step.branch} no longer exists.")
            return
        if step.tries >= MAX_TRIES:
            self._end(step, S.LEFT_OUT, reason=f"{self.train.branch} moved during {step.tries} attempts.")
            return
        self._to(
            step,
            S.MERGING,
            onto=self._tip(),
            tries=step.tries + 1,
            started_at=step.started_at or timezone.now(),
            candidate="",
        )

    def _tip(self) -> str:
        known = self.train.tip if self.train.dry_run else self.moved_to
        return known or self.site.mainline.tip()

    def _merge(self, step: MergeStep) -> None:
        worktree, strategy = self.site.merge_worktree(step.onto), Strategy(self.train.strategy)
        if self.plain is None:
            self._read_git_config(worktree, step)
        change = replace(change_of(step), options=self.options)
        if change.since:
            self._reset_to(step.onto)
            self.at = None
            moved = onto_new_base(worktree, step.onto, change)
            if isinstance(moved, Attempt):
                self._not_merged(step, moved)
                return
            change = moved
        found = foresee(worktree, step.onto, change, strategy, quick=bool(self.plain))
        if found is None:
            self._reset_to(step.onto)
            self.at = None
            found = attempt(worktree, step.onto, change, strategy)
            self.at = found.commit or step.onto
        if found.verdict == MergeResult.CLEAN:
            self._merged_in_worktree(step, found)
        else:
            self._not_merged(step, found)

    def _not_merged(self, step: MergeStep, found: Attempt) -> None:
        files = [conflict.as_json() for conflict in found.conflicts]
        with transaction.atomic():
            self._end(step, ENDS[found.verdict], files=files, output=printed(found.output))
            if found.verdict == MergeResult.ALREADY and not self.train.dry_run:
                save_merged(step, self.train)

    def _read_git_config(self, worktree: MergeWorktree, step: MergeStep) -> None:
        """Read the git configuration and attributes that affect the remaining merges."""
        left = self.train.steps.filter(position__gte=step.position).exclude(commit="")
        commits = list(left.values_list("commit", flat=True))
        self.plain = is_plain(worktree, step.onto, commits, squash=self.train.strategy == Strategy.SQUASH)
        self.options = () if self.plain else merge_options(worktree, self.train.branch)

    def _merged_in_worktree(self, step: MergeStep, found: Attempt) -> None:
        if why := self._unportable(step, found.commit):
            self._end(step, S.LEFT_OUT, reason=why)
            return
        values = {"candidate": found.commit, "output": printed(found.output)}
        if not self.train.check_command:
            self._to(step, S.MOVING, **values)
            return
        first = self._to_be_checked(step.onto, found.commit)[0]
        self._to(step, S.CHECKING, **values, **self._new_check(step, first), check_seconds=None)

    def _unportable(self, step: MergeStep, commit: str) -> str:
        """Return why Windows could not check out the result, if the workspace wants that; else empty."""
        if not self.train.workspace.require_portable_names:
            return ""
        found = unportable_changes(self.site.host, self.site.place.path, step.onto, commit)
        if not found:
            return ""
        more = f" And {len(found) - 1} more files." if len(found) > 1 else ""
        return f"Windows can't check out {visible(found[0].path)}: {visible(found[0].why)}.{more}"

    def _to_be_checked(self, onto: str, candidate: str) -> list[str]:
        """Return the commits to check: one, or each commit of a rebased branch, oldest first."""
        if self.train.strategy != Strategy.REBASE:
            return [candidate]
        return commits_between(self.site.host, self.site.place.path, onto, candidate)

    @staticmethod
    def _new_check(step: MergeStep, commit: str, lost: int = 0) -> dict[str, object]:
        number = step.check_number + 1
        return {"checking": commit, "check_number": number, "checks_lost": lost, "checked_since": None}

    def _check(self, step: MergeStep) -> None:
        try:
            result = self._check_result(step)
        except CheckLost:
            if self._stop_requested():
                self._to(step, S.WAITING)
            elif step.checks_lost >= MAX_CHECKS:
                self._end(step, S.CHECK_FAILED, reason="The check was ended from outside several times.")
            else:
                again = self._new_check(step, step.checking, step.checks_lost + 1)
                self._to(step, S.CHECKING, **again)
            return
        self.dirty = True
        seconds = (step.check_seconds or 0) + result.seconds
        values = {"output": printed(result.output), "check_seconds": seconds}
        following = self._next_to_check(step) if result.passed else ""
        if not result.passed:
            parts = (step.reason, self._which(step), f"It ended with status {result.status}.")
            reason = " ".join(part for part in parts if part)
            self._end(step, S.CHECK_FAILED, reason=reason, **values)
        elif following:
            self._to(step, S.CHECKING, **values, **self._new_check(step, following))
        else:
            self._to(step, S.MOVING, **values)

    def _next_to_check(self, step: MergeStep) -> str:
        """Return the commit after the one that passed; empty if it was the candidate."""
        if step.checking in ("", step.candidate):
            return ""
        commits = self._to_be_checked(step.onto, step.candidate)
        return commits[commits.index(step.checking) + 1]

    def _check_result(self, step: MergeStep) -> CheckResult:
        """Start the check, or find the running one, and wait for its result."""
        check = self.site.check(f"{step.position}-{step.check_number}")
        if step.checked_since is None:
            worktree = self._reset_to(step.checking or step.candidate)
            notice = worktree.prepare_submodules()
            workspace = self.train.workspace
            check.start(
                self.train.check_command,
                worktree.path,
                workspace.environment,
                ssh_agent=workspace.ssh_agent,
                after=self.last_check,
            )
            self._to(step, S.CHECKING, checked_since=timezone.now(), reason=visible(notice))
        result = self._wait(step, check)
        self.last_check = check
        return result

    def _which(self, step: MergeStep) -> str:
        """Return which commit of a rebased branch failed; empty if there is only one."""
        commits = self._to_be_checked(step.onto, step.candidate)
        if step.checking not in commits or len(commits) == 1:
            return ""
        return f"Commit {commits.index(step.checking) + 1} of {len(commits)} ({step.checking[:10]}) fails."

    def _wait(self, step: MergeStep, check: Check) -> CheckResult:
        pause, saved_at = Pause(), time.monotonic()
        since = step.checked_since or timezone.now()
        while True:
            ago = (timezone.now() - since).total_seconds()
            result = check.look(ago)
            if result is not None:
                return result
            if self._stop_requested():
                check.stop()
            if time.monotonic() > self.deadline:
                raise Parked
            if time.monotonic() - saved_at > TAIL_EVERY:
                saved_at = time.monotonic()
                self._to(step, S.CHECKING, output=printed(check.tail()))
                doorbell.ring(f"train:{self.train.pk}")
            pause.wait()

    def _reset_to(self, commit: str) -> MergeWorktree:
        """Return the merge worktree, reset to this commit."""
        self._stop_requested()
        worktree = self.site.merge_worktree(commit)
        if self.at is None:
            worktree.recover(commit)
        elif self.dirty or self.at != commit:
            worktree.reset(commit)
        self.at, self.dirty = commit, False
        return worktree

    def _move(self, step: MergeStep) -> None:
        reflog = f"aitask: merge {step.branch}"
        try:
            if self.train.dry_run:
                self.site.mainline.check_room(step.onto, step.candidate)
            elif self.resumed and self.site.mainline.contains(step.candidate):
                self.resumed = False
            else:
                self.site.mainline.advance(step.onto, step.candidate, reflog)
        except MainMoved:
            self.moved_to, self.plain = "", None
            self._to(step, S.WAITING, reason=f"{self.train.branch} has moved; retrying on its new tip.")
            return
        except Blocked as error:
            known = blocked_by(error)
            self._end(step, S.BLOCKED, reason=str(known))
            raise known from error
        self.moved_to = step.candidate
        with transaction.atomic():
            self._end(step, S.CLEAN if self.train.dry_run else S.MERGED)
            self._set_tip(step.candidate)
            if not self.train.dry_run:
                save_merged(step, self.train)

    def _set_tip(self, commit: str) -> None:
        if not self.train.change((MergeTrain.State.RUNNING,), tip=commit):
            raise LeaseLost

    def _to(self, step: MergeStep, state: str, **values: object) -> None:
        """Set the next state of a step. Raises LeaseLost if another worker has changed it."""
        if not step.change((step.state,), state=state, **values):
            raise LeaseLost

    def _end(self, step: MergeStep, state: str, **values: object) -> None:
        self._to(step, state, finished_at=timezone.now(), **values)

    def _stop_requested(self) -> bool:
        """Whether a user has stopped the train. Raises LeaseLost if another worker has taken over."""
        self.train.refresh_from_db(fields=["stop_requested_at", "lease_owner"])
        if self.train.lease_owner != leases.me():
            raise LeaseLost
        return self.train.stop_requested_at is not None


def change_of(step: MergeStep) -> Change:
    """Return the step as a change for the merging package."""
    since = step.fork if step.task and is_stacked(step.task) else ""
    return Change(step.commit, step.fork, step.branch, message_of(step), since=since)


def message_of(step: MergeStep) -> str:
    """Return the message of the merge commit, with the task's title first."""
    title = " ".join(step.title.split()) or step.branch
    name = f"{title} (task {step.task_id})" if step.task_id else title
    return f"{name}\n\nBranch: {step.branch}\n"


def reason_to_skip(step: MergeStep) -> str:
    """Return why the task can't be merged now; empty if it can."""
    if step.task_id is None:
        return "The task was deleted."
    return "A run of this task is in progress." if live_run(step.task_id) else ""


def save_merged(step: MergeStep, train: MergeTrain) -> None:
    """Save the verdict, and move the task from Review to Done."""
    if step.task_id is None:
        return
    values = {
        "kind": Verdict.Kind.MERGED,
        "commit": step.commit,
        "by": train.created_by,
        "at": timezone.now(),
    }
    Verdict.objects.update_or_create(task_id=step.task_id, defaults=values)
    Task.objects.filter(pk=step.task_id, status=Task.Status.REVIEW).update(
        status=Task.Status.DONE, updated_at=timezone.now()
    )
    announce_to_successors([step.task_id])
    dispatch.start_after_commit(train.workspace_id)

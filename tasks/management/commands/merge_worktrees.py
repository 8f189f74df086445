"""Merge the work of tasks into the base branch of their workspace."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aitask.lib.errors import Refused
from aitask.lib.printer import Printer
from tasks.models import MergeStep, MergeTrain, Task
from tasks.models.trains import tip_before
from tasks.trains import jobs
from tasks.trains import services as trains
from workspaces.hostkit.escapes import visible
from workspaces.management.names import workspace_named
from workspaces.merging import Strategy
from workspaces.models import Workspace

PAUSE = 0.2
AWAY_PAUSE = 2.0
PATIENCE = 20.0
"Maximum seconds to wait for a check before --timeout is checked."
REPEAT_AFTER = 60.0
"Seconds after which an unchanged reason for waiting is printed again."
MARKS = {"merged": "✓", "clean": "✓", "already": "=", "nothing": "="}


class Command(BaseCommand):
    help = (
        "Merge accepted tasks (or --task, --all) into the workspace's base branch, one after another, each "
        "checked before main moves. The exit status is 1 if some were left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--task", action="append", type=int, metavar="ID", help="may be repeated")
        parser.add_argument(
            "--all", action="store_true", help="all finished tasks in review, accepted or not"
        )
        parser.add_argument(
            "--strategy",
            choices=[str(known) for known in Strategy],
            default="merge",
            help="a merge commit, one squashed commit, or the branch's own commits, each of which is checked",
        )
        parser.add_argument("--no-check", action="store_true", help="do not run the check command")
        parser.add_argument(
            "--dry-run", action="store_true", help="try and check the merges without moving the base branch"
        )
        parser.add_argument(
            "--push", action="store_true", help="push the base branch afterwards, without force"
        )
        parser.add_argument("--undo", type=int, metavar="TRAIN", help="undo what a merge train merged")
        parser.add_argument(
            "--timeout",
            type=seconds,
            metavar="SECONDS",
            help="stop waiting after this time; a worker continues the train (default: no limit)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = workspace_named(options["workspace"])
        if workspace is None:
            raise CommandError(f"There is no workspace named {options['workspace']}.")
        self.out = Printer(self.stdout)  # a train does not stop because nobody reads what it prints
        limit = options["timeout"]
        self._deadline = None if limit is None else time.monotonic() + limit
        refuse_contradictions(options)
        try:
            train = self._train(workspace, options)
            self._follow(train)
        except Refused as error:
            raise CommandError(str(error)) from error
        self._report(train)

    def _train(self, workspace: Workspace, options: dict[str, Any]) -> MergeTrain:
        if options["undo"] is not None:
            train = MergeTrain.objects.filter(workspace=workspace, pk=options["undo"]).first()
            if train is None:
                raise CommandError(f"There is no merge train #{options['undo']} in this workspace.")
            trains.undo_train(train)
            return train
        self._finish_earlier(workspace)
        tasks = self._tasks(workspace, options)
        self._print_files_that_run(workspace, tasks)
        return trains.start_train(
            workspace,
            tasks,
            user=None,
            strategy=options["strategy"],
            check=not options["no_check"],
            dry_run=options["dry_run"],
            push=options["push"],
        )

    def _print_files_that_run(self, workspace: Workspace, tasks: list[Task]) -> None:
        """Print what tools would run by themselves, for the check too, with the git objects to compare."""
        found = trains.files_that_run(workspace, tasks)
        for task in tasks:
            if found[task.pk]:
                title = f"#{task.pk} {task.title}"
                self.out.line(f"! {title} changes files that tools run by themselves:")
            for file in found[task.pk]:
                old, new = file.old[:10] or "new", file.new[:10] or "deleted"
                self.out.line(f"    {visible(file.path)} ({file.why}): {old}..{new}")

    def _finish_earlier(self, workspace: Workspace) -> None:
        """Finish trains that are queued or were interrupted."""
        for train in MergeTrain.objects.filter(workspace=workspace, state__in=MergeTrain.LIVE).order_by("pk"):
            self.out.line(f"Merge train #{train.pk} is in progress and runs first.")
            self._follow(train)

    def _tasks(self, workspace: Workspace, options: dict[str, Any]) -> list[Task]:
        if not options["task"]:
            return trains.finished(workspace) if options["all"] else trains.accepted(workspace)
        found = {task.pk: task for task in Task.objects.filter(workspace=workspace, pk__in=options["task"])}
        missing = [str(pk) for pk in options["task"] if pk not in found]
        if missing:
            raise CommandError(f"This workspace has no task {', '.join(missing)}.")
        return [found[pk] for pk in dict.fromkeys(options["task"])]

    def _follow(self, train: MergeTrain) -> None:
        """Run the train here, or watch the worker that runs it, and print each step when it ends."""
        printed: set[int] = set()
        waiting = WaitNotice(self.out.line)
        try:
            while True:
                jobs.run_train(
                    train.pk, patience=self._patience(), on_change=lambda: self._print_ended(train, printed)
                )
                train.refresh_from_db()
                self._print_ended(train, printed)
                if not train.is_live:
                    return
                waiting.update(train)
                self._check_deadline(train)
                time.sleep(AWAY_PAUSE if train.reason else PAUSE)
        except KeyboardInterrupt:
            trains.stop_train(train)
            jobs.run_train(train.pk, patience=PATIENCE)
            train.refresh_from_db()
            merged = f"Merged tasks stay merged; undo them with --undo {train.pk}."
            raise CommandError(
                f"Stopped. {merged if train.tip != train.old_tip else 'Nothing was merged.'}"
            ) from None

    def _patience(self) -> float:
        left = PATIENCE if self._deadline is None else self._deadline - time.monotonic()
        return max(0.0, min(PATIENCE, left))

    def _check_deadline(self, train: MergeTrain) -> None:
        """Raise CommandError after the deadline; a worker continues the train."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        why = f" {train.reason}" if train.reason else ""
        raise CommandError(
            f"Merge train #{train.pk} is still running.{why} A worker continues it; run the same command "
            "again to watch it."
        )

    def _print_ended(self, train: MergeTrain, printed: set[int]) -> None:
        if train.state in (MergeTrain.State.UNDOING, MergeTrain.State.UNDONE):
            return
        ended = train.steps.exclude(state__in=MergeStep.OPEN).exclude(pk__in=printed).order_by("position")
        for step in ended:
            printed.add(step.pk)
            mark = MARKS.get(step.state, "✗")
            self.out.line(f"{mark} {step.get_state_display():<16} #{step.task_id} {step.title}")
            for line in details(step):
                self.out.line(f"    {line}")

    def _report(self, train: MergeTrain) -> None:
        if train.state == MergeTrain.State.UNDONE:
            self._report_undone(train)
            return
        steps = list(train.steps.all())
        good = sum(step.state in MergeStep.GOOD for step in steps)
        verb = "would merge" if train.dry_run else "merged or up to date"
        self.out.line(
            f"Merge train #{train.pk} {train.get_state_display().lower()}: {good} of {len(steps)} {verb}."
        )
        if train.push:
            self.out.line(f"Push: {train.get_push_display().lower()}. {train.push_output}")
        if train.reason:
            raise CommandError(train.reason)
        if good < len(steps):
            raise CommandError(f"{len(steps) - good} left out.")
        if train.push == MergeTrain.Push.FAILED:
            raise CommandError(f"{train.branch} was not pushed.")

    def _report_undone(self, train: MergeTrain) -> None:
        for step in train.steps.filter(state=MergeStep.State.MERGED):
            self.out.line(f"↶ {'Undone':<16} #{step.task_id} {step.title}")
        revert = f"got commit {train.undo_commit[:10]}, which reverts it"
        reset = f"is back at {tip_before(train)[:10]}"
        self.out.line(
            f"Merge train #{train.pk} undone: {train.branch} {revert if train.undo_commit else reset}."
        )


def seconds(text: str) -> float:
    """Parse a number of seconds, finite and not negative. Raises ValueError."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def refuse_contradictions(options: dict[str, Any]) -> None:
    """Raise CommandError for options that exclude each other."""
    if options["task"] and options["all"]:
        raise CommandError("--task and --all contradict each other.")
    merging = ("task", "all", "no_check", "dry_run", "push")
    given = [f"--{name.replace('_', '-')}" for name in merging if options[name]]
    if options["undo"] is not None and given:
        raise CommandError(
            f"--undo undoes a whole merge train and can't be combined with {', '.join(given)}."
        )


class WaitNotice:
    """Prints why a train does not move, when the reason changes and from time to time."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._reason, self._at = "", 0.0

    def update(self, train: MergeTrain) -> None:
        why = reason_to_wait(train)
        if not why or (why == self._reason and time.monotonic() - self._at < REPEAT_AFTER):
            return
        self._reason, self._at = why, time.monotonic()
        self._write(f"… {why}")


def reason_to_wait(train: MergeTrain) -> str:
    """Return why the train does not move; empty if it does."""
    if train.state == MergeTrain.State.QUEUED:
        rivals = MergeTrain.objects.filter(repo_key=train.repo_key, state__in=MergeTrain.LIVE)
        first = rivals.exclude(pk=train.pk).order_by("pk").first()
        return (
            f"Merge train #{first.pk} is in progress in this repository; this one waits for it."
            if first
            else ""
        )
    if train.reason:
        return f"{train.reason} Retrying until it works; Ctrl-C stops the train."
    step = train.steps.filter(state=MergeStep.State.CHECKING).first()
    return f"Checking #{step.task_id} {step.title}" if step else ""


def details(step: MergeStep) -> list[str]:
    """Return the lines that say why a step did not end well. Why a train stopped is printed at its end."""
    if step.state in (*MergeStep.GOOD, MergeStep.State.BLOCKED):
        return []
    lines = [step.reason] if step.reason else []
    lines += [f"{found['path']}: {found['kind']}" for found in step.files]
    if step.state in (MergeStep.State.CHECK_FAILED, MergeStep.State.REFUSED):
        lines += step.output.strip().splitlines()[-10:]
    return lines

"""Merge the work of tasks into the base branch of their workspace."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tasks.models import Task
from tasks.review import jobs, trains
from tasks.review.models import MergeStep, MergeTrain
from workspaces.errors import Refused
from workspaces.hosts import HostError
from workspaces.merging import Strategy
from workspaces.models import Workspace

PAUSE = 0.2
PATIENCE = 3600.0
MARKS = {"merged": "✓", "clean": "✓", "already": "=", "nothing": "="}


class Command(BaseCommand):
    help = (
        "Merge accepted tasks (or --task, --all) into the workspace's base branch, one after another, each "
        "checked before main moves. Exit status 1 when some were left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--task", action="append", type=int, metavar="ID", help="may be given many times")
        parser.add_argument(
            "--all", action="store_true", help="all finished tasks in review, accepted or not"
        )
        parser.add_argument("--strategy", choices=[str(known) for known in Strategy], default="merge")
        parser.add_argument("--no-check", action="store_true", help="do not run the check command")
        parser.add_argument("--dry-run", action="store_true", help="try everything, move nothing")
        parser.add_argument(
            "--push", action="store_true", help="push the base branch afterwards, never by force"
        )
        parser.add_argument("--undo", type=int, metavar="TRAIN", help="take back what a train merged")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace named {options['workspace']}.")
        try:
            train = self._train(workspace, options)
            self._follow(train)
        except (Refused, HostError) as error:
            raise CommandError(str(error)) from error
        self._report(train)

    def _train(self, workspace: Workspace, options: dict[str, Any]) -> MergeTrain:
        if options["undo"]:
            train = MergeTrain.objects.filter(workspace=workspace, pk=options["undo"]).first()
            if train is None:
                raise CommandError(f"There is no train {options['undo']} in this workspace.")
            trains.undo_train(train)
            return train
        self._finish_earlier(workspace)
        return trains.start_train(
            workspace,
            self._tasks(workspace, options),
            user=None,
            strategy=options["strategy"],
            check=not options["no_check"],
            dry_run=options["dry_run"],
            push=options["push"],
        )

    def _finish_earlier(self, workspace: Workspace) -> None:
        """A train that was interrupted goes on first."""
        for train in MergeTrain.objects.filter(workspace=workspace, state__in=MergeTrain.LIVE).order_by("pk"):
            self.stdout.write(f"Train {train.pk} is under way; it goes first.")
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
        """Work on the train here, or watch whoever does, and tell each step as it ends."""
        told: set[int] = set()
        try:
            while True:
                jobs.run_train(train.pk, patience=PATIENCE, told=lambda: self._tell(train, told))
                train.refresh_from_db()
                self._tell(train, told)
                if not train.is_live:
                    return
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            trains.stop_train(train)
            raise CommandError(f"Stopped. What was merged stays; undo with --undo {train.pk}.") from None

    def _tell(self, train: MergeTrain, told: set[int]) -> None:
        ended = train.steps.exclude(state__in=MergeStep.OPEN).exclude(pk__in=told).order_by("position")
        for step in ended:
            told.add(step.pk)
            mark = MARKS.get(step.state, "✗")
            self.stdout.write(f"{mark} {step.get_state_display():<16} #{step.task_id} {step.title}")
            for line in details(step):
                self.stdout.write(f"    {line}")

    def _report(self, train: MergeTrain) -> None:
        steps = list(train.steps.all())
        good = sum(step.state in MergeStep.GOOD for step in steps)
        verb = "would merge" if train.dry_run else "merged or already there"
        self.stdout.write(
            f"Train {train.pk} {train.get_state_display().lower()}: {good} of {len(steps)} {verb}."
        )
        if train.push:
            self.stdout.write(f"Push: {train.get_push_display().lower()}. {train.push_output}")
        if train.reason:
            raise CommandError(train.reason)
        if train.state != MergeTrain.State.UNDONE and good < len(steps):
            raise CommandError(f"{len(steps) - good} left out.")
        if train.push == MergeTrain.Push.FAILED:
            raise CommandError("main was not pushed.")


def details(step: MergeStep) -> list[str]:
    """Why a step did not end well, in a few lines."""
    if step.state in MergeStep.GOOD:
        return []
    lines = [step.reason] if step.reason else []
    lines += [f"{found['path']}: {found['kind']}" for found in step.files]
    if step.state in (MergeStep.State.CHECK_FAILED, MergeStep.State.REFUSED):
        lines += step.output.strip().splitlines()[-10:]
    return lines

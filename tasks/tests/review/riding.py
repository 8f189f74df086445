"""Trains in tests: set out, ride to the end, see what became of main."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tasks.models import MergeTrain, Task
from tasks.trains import jobs
from tasks.trains import services as trains
from workspaces.models import Workspace


def ride(train: MergeTrain) -> MergeTrain:
    """Work on a train to its end, as the command does."""
    train.refresh_from_db()
    while train.is_live:
        jobs.run_train(train.pk, patience=60)
        train.refresh_from_db()
    return train


def merge(workspace: Workspace, tasks: Iterable[Task], **options: Any) -> MergeTrain:
    return ride(trains.start_train(workspace, list(tasks), user=None, **options))


def states(train: MergeTrain) -> list[str]:
    return [step.state for step in train.steps.all()]

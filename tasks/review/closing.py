"""Moving a card to Done: work that is not in main yet is merged, or a person says that it need not be."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser

from aitask.lib.errors import Refused
from tasks.models import MergeStep, MergeTrain, Task, Verdict
from tasks.review import trains, verdicts


def is_unmerged(task: Task) -> bool:
    """Whether it has a branch that no train has merged and nobody has dropped."""
    return bool(task.branch) and not Verdict.objects.filter(task=task, kind__in=Verdict.SETTLED).exists()


def merge_now(task: Task, *, user: AbstractBaseUser) -> MergeTrain:
    """Accept the branch as it is and merge it by a train of its own. Raises Refused and HostError."""
    waiting = MergeStep.objects.filter(task=task, state__in=MergeStep.OPEN)
    step = waiting.filter(train__state__in=MergeTrain.LIVE).first()
    if step:
        raise Refused(f"Train {step.train_id} is merging it already.", "The card moves when it is in.")
    verdicts.accept(task, user=user)
    return trains.start_train(task.workspace, [task], user=user)

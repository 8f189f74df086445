"""Attempts: several tasks for the same prompt, of which one is kept."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.utils.safestring import SafeString

from aitask.lib.badges import Badge
from tasks.badges import VERDICTS, run_badge
from tasks.many import services as many
from tasks.many.verbs import LeftOut, ManyVerb
from tasks.models import Event, Run, Task, Verdict
from tasks.rendering import markdown
from tasks.review import verdicts
from tasks.verbs import TaskVerb, possible
from workspaces.hostkit.escapes import prose

LAST_EVENTS = 30
"How many texts are looked through for one of the agent itself."


@dataclass(frozen=True)
class ComparedAttempt:
    """A task among those with the same prompt, and what its last run has come to."""

    task: Task
    run: Run | None
    badge: Badge | None
    "Of the verdict, or of the run."
    last_words: SafeString
    "The agent's last text."
    can_keep: bool

    @property
    def is_active(self) -> bool:
        return bool(self.run and self.run.is_active)


@dataclass(frozen=True)
class Kept:
    """What became of the other attempts."""

    closed: list[Task]
    left: list[tuple[Task, LeftOut]]
    "Those that could not be closed, and why."

    def __str__(self) -> str:
        parts = ["Accepted."]
        if self.closed:
            parts.append(f"Closed without merging: {', '.join(f'#{task.pk}' for task in self.closed)}.")
        parts += [f"#{task.pk} stays open: {why.reason}" for task, why in self.left]
        return " ".join(parts)


def siblings_of(task: Task) -> list[Task]:
    """Return all attempts at the task's prompt in their order; the task alone if there are no others."""
    if task.attempt_group is None:
        return [task]
    tasks = Task.objects.filter(attempt_group=task.attempt_group, workspace=task.workspace_id)
    return list(tasks.select_related("workspace", "verdict").order_by("attempt", "pk"))


def attempts_of(task: Task) -> list[ComparedAttempt]:
    return [_attempt(each) for each in siblings_of(task)]


def _attempt(task: Task) -> ComparedAttempt:
    run = task.last_run
    verdict: Verdict | None = getattr(task, "verdict", None)
    badge = VERDICTS[verdict.kind] if verdict else run_badge(run) if run else None
    return ComparedAttempt(task, run, badge, _last_words(run), TaskVerb.ACCEPT in possible(task, run))


def _last_words(run: Run | None) -> SafeString:
    if run is None:
        return SafeString("")
    texts = Event.objects.filter(run=run, kind="text").order_by("-seq")[:LAST_EVENTS]
    own = (str(event.data.get("text") or "") for event in texts if not event.data.get("parent"))
    return markdown.render(prose(next(own, "")))


def keep(task: Task, *, user: AbstractBaseUser) -> Kept:
    """Accept one attempt, and move the others to Done without merging. Their branches and worktrees stay.

    Raises Refused if the task can't be accepted. Others that can't be closed, because their agent is still
    at work, stay where they are.
    """
    verdicts.accept(task, user=user)
    siblings = (other for other in siblings_of(task) if other.pk != task.pk)
    others = {other.pk: other for other in siblings if other.status != Task.Status.DONE}
    outcome = many.act(user, ManyVerb.CLOSE, list(others))
    return Kept(outcome.done, [(others[why.task], why) for why in outcome.left_out])

"""Cleaning, checking and changing the fields of a task."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from copy import copy
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.hooks import Hook
from aitask.lib.text import storable
from tasks.models import Task
from tasks.order import services as order
from tasks.order.starts import check_start
from workspaces import access, clis, permission_modes
from workspaces.catalog import queries as catalog_queries
from workspaces.validators import LINE_BREAKERS, validate_word

EDITABLE = (
    *("title", "prompt", "backend", "model", "reasoning_effort", "permission_mode"),
    *("labels", "priority", "after", "after_until", "base_branch"),
)
MOST_LABELS, LONGEST_LABEL = 10, 30
LABEL = re.compile(r"[\w][\w.:/+-]*")


task_edited: Hook[[Task]] = Hook()
"""Fields of the task were changed, within the transaction that saves them."""


def clean_text(text: str) -> str:
    """Replace the characters that databases and CLIs can't hold."""
    return str(storable(text))


def one_line(text: str) -> str:
    """Return the text as one line without control characters, as a title in lists and in commits."""
    characters = (" " if unicodedata.category(c) in LINE_BREAKERS else c for c in clean_text(text))
    return " ".join("".join(characters).split())


def update_task(task: Task, *, user: AbstractBaseUser | None = None, **fields: Any) -> Task:
    """Change fields of a task. A run in progress keeps the values that it was started with.

    Raises NotAllowed for a permission mode that the user may not choose; ValidationError for invalid values;
    Refused if the fields were changed after `task` was read.
    """
    seen = task.after if "after" in fields else []
    after = fields.pop("after", None)
    unknown = set(fields) - set(EDITABLE)
    if unknown:
        raise Refused(f"{', '.join(sorted(unknown))} can't be changed.")
    edited = copy(task)
    for name, value in fields.items():
        setattr(edited, name, _cleaned(name, value))
    check(edited)
    if choice_of(edited) != choice_of(task):
        check_choice(edited)
    if (edited.permission_mode, edited.backend) != (task.permission_mode, task.backend):
        check_permission_mode(edited, user)
    if edited.base_branch != task.base_branch:
        check_start(task.workspace, edited.base_branch)
    read = {name: getattr(task, name) for name in fields}
    values = {**{name: getattr(edited, name) for name in fields}, "updated_at": timezone.now()}
    with transaction.atomic():
        if order_fields := order.FIELDS.intersection(fields) or after is not None:
            order.lock(task.workspace_id)
        if not Task.objects.filter(pk=task.pk, **read).update(**values):
            raise Refused("This task was changed at the same moment.", "Try again.")
        if after is not None:
            order.set_after(task, after, seen=seen)
        if order_fields:
            order.check_order(Task.objects.get(pk=task.pk))
            order.announce(task)
        for name, value in values.items():
            setattr(task, name, value)
        task_edited(task)
    doorbell.ring(f"task:{task.pk}")
    return task


def _cleaned(name: str, value: Any) -> Any:
    if name == "priority":
        return value
    if name == "labels":
        return clean_labels(value)
    if name == "base_branch":
        return clean_text(value).strip()
    return one_line(value) if name == "title" else clean_text(value)


def clean_labels(labels: Iterable[str]) -> list[str]:
    """Return each label once, in lower case. Raises ValidationError for what is no word."""
    words = list(dict.fromkeys(clean_text(label).strip().lower() for label in labels))
    words = [word for word in words if word]
    if len(words) > MOST_LABELS:
        raise ValidationError({"labels": f"A task has at most {MOST_LABELS} labels."})
    for word in words:
        if len(word) > LONGEST_LABEL or not LABEL.fullmatch(word):
            shown = word[:LONGEST_LABEL]
            text = f"“{shown}” is not a label: use one word of letters, digits and . : / + - _, at most"
            raise ValidationError({"labels": f"{text} {LONGEST_LABEL} characters."})
    return words


def check(task: Task) -> None:
    """Raise ValidationError, by field, for values that the user can correct."""
    problems: dict[str, ValidationError | str] = {}
    if not task.title:
        problems["title"] = "Give the task a title or a prompt."
    if task.backend not in clis.names():
        problems["backend"] = f"{task.backend!r} is not one of {', '.join(clis.names())}."
    for name in ("model", "reasoning_effort"):
        try:
            validate_word(getattr(task, name))
        except ValidationError as error:
            problems[name] = error
    if problems:
        raise ValidationError(problems)
    task.full_clean(exclude=["workspace", "created_by"])


def check_choice(task: Task) -> None:
    """Raise ValidationError for a model or effort that the host's CLI would refuse."""
    problems = catalog_queries.problem(task.workspace, *choice_of(task))
    if problems:
        raise ValidationError(problems)


def check_permission_mode(task: Task, user: AbstractBaseUser | None) -> None:
    """Raise ValidationError for a mode that the workspace or the CLI does not have.

    Raises NotAllowed for one that this user may not choose.
    """
    mode, workspace = task.permission_mode, task.workspace
    problem = permission_modes.problem_of_cli(task.backend, mode)
    if too_much := permission_modes.problem(workspace, mode):
        problem = f"{too_much} {permission_modes.RAISE_IT}"
    if problem:
        raise ValidationError({"permission_mode": problem})
    if mode:
        access.check_mode(user, workspace, mode)


def choice_of(task: Task) -> tuple[str, str, str]:
    return task.backend, task.model, task.reasoning_effort

"""Tasks as a person names them in a form: by number or by title."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError

from tasks.models import Task
from workspaces.models import Workspace

NUMBERS = re.compile(r"#?\d{1,19}(?:[\s#]+\d{1,19})*")
NUMBER_AND_TITLE = re.compile(r"#(\d{1,19})\s")
MOST_SHOWN = 3


def numbers_in(text: str, workspace: Workspace) -> list[int]:
    """Return the numbers of the tasks that a text names, separated by commas.

    Raises ValidationError for a title that no open task has, or several. Numbers are not looked up.
    """
    found: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if NUMBERS.fullmatch(part):
            found += map(int, re.findall(r"\d+", part))
        elif numbered := NUMBER_AND_TITLE.match(part):
            found.append(int(numbered[1]))
        else:
            found.append(_with_title(part, workspace))
    return sorted(set(found))


def _with_title(words: str, workspace: Workspace) -> int:
    tasks = Task.objects.filter(workspace=workspace).exclude(status=Task.Status.DONE)
    exact = list(tasks.filter(title__iexact=words).values_list("pk", flat=True)[:2])
    if len(exact) == 1:
        return exact[0]
    rows = list(
        tasks.filter(title__icontains=words).order_by("-pk").values_list("pk", "title")[: MOST_SHOWN + 1]
    )
    if len(rows) == 1:
        return int(rows[0][0])
    if not rows:
        raise ValidationError(f"No open task of this workspace has “{words}” in its title.")
    names = ", ".join(f"#{pk} “{title[:40]}”" for pk, title in rows[:MOST_SHOWN])
    more = " and others" if len(rows) > MOST_SHOWN else ""
    raise ValidationError(f"Several tasks have “{words}” in their titles: {names}{more}. Enter a number.")

"""Fills the database of `DATA_DIR`: python -m aitask.tests.benchmark.fill TASKS RUNS_OF_EACH

A third of the tasks is in Done, the rest in the other columns. With a third argument, `waiting`, each task
has one more run, which waits for an answer.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import django
from django.utils import timezone

STATUSES = ("backlog", "review", "done", "review", "done", "backlog", "queued", "review", "done", "backlog")


def main(tasks: int, runs: int, *, waiting: bool = False) -> None:
    """Create the rows, a hundred tasks in each transaction."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from workspaces.models import Workspace

    owner = User.objects.filter(is_superuser=True).order_by("pk")[0]
    workspace, _ = Workspace.objects.get_or_create(
        name="benchmark", defaults={"owner": owner, "repo_path": "/srv/benchmark"}
    )
    for first in range(0, tasks, 100):
        with transaction.atomic():
            made = make(workspace, range(first, min(first + 100, tasks)), runs)
            if waiting:
                ask(made, runs + 1)


def ask(tasks: list[Any], number: int) -> None:
    from tasks.models import Run, Task

    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(status="running")
    Run.objects.bulk_create(
        Run(
            task=task,
            number=number,
            state="waiting",
            backend="claude_code",
            permission_mode="ask",
            started_at=timezone.now(),
            open_requests=[
                {
                    "id": f"request{task.pk}",
                    "kind": "approval",
                    "tool": "Bash",
                    "title": f"make check-{task.pk}",
                    "input": {
                        "command": f"make check-{task.pk} && git status",
                        "description": "Run the check",
                    },
                    "at": timezone.now().isoformat(),
                }
            ],
        )
        for task in tasks
    )


def make(workspace: Any, numbers: range, runs: int) -> list[Any]:
    from tasks.models import Run, Task

    now = timezone.now()
    made = Task.objects.bulk_create(
        Task(
            workspace=workspace,
            title=f"Replace the parser of the {number}th module by one that reports its errors",
            prompt="Look at how it is done now, keep the tests green, and say what you changed and why. " * 5,
            backend="claude_code",
            model="claude-opus-4-5",
            status=STATUSES[number % len(STATUSES)],
            rank=float(number),
            branch=f"aitask/{number}-replace",
            files_changed=number % 9,
            lines_added=number % 300,
            lines_deleted=number % 70,
        )
        for number in numbers
    )
    Run.objects.bulk_create(
        Run(
            task=task,
            number=number,
            state="succeeded",
            backend="claude_code",
            permission_mode="edits",
            prompt=task.prompt,
            activity="Edited src/parser.py",
            queued_at=now - timedelta(minutes=number),
            started_at=now - timedelta(minutes=number),
            finished_at=now,
            input_tokens=1200,
            output_tokens=340,
            cost_usd="0.1234",
            cost_source="reported",
        )
        for task in made
        for number in range(1, runs + 1)
    )
    return made


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]), waiting="waiting" in sys.argv[3:])

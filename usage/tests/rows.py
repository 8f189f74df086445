"""Runs in large numbers, for tests of speed and of sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Model

from tasks.models import Run, Task, Verdict
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from usage import ledger
from usage.models import UsageByModel
from workspaces.models import Workspace

START = datetime(2026, 9, 1, tzinfo=UTC)
DOUBLINGS = 7
MODELS = ("claude-opus-4-8", "claude-sonnet-4-5", "gpt-5.5", "gpt-6-sol")


def used(task: Task | None = None, **fields: Any) -> Run:
    """A run that ended, and its rows."""
    given: dict[str, Any] = {
        "state": "succeeded",
        "model": "claude-sonnet-4-5",
        "queued_at": START,
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_tokens": 300,
        "cache_write_tokens": 40,
        **fields,
    }
    if "cost_usd" in given:
        given.setdefault("cost_source", "reported")
    run = make_run(task=task or make_task(), **given)
    ledger.record(run)
    return run


def merged(task: Task, at: datetime = START) -> Task:
    """The task, merged then."""
    Verdict.objects.create(task=task, kind=Verdict.Kind.MERGED, at=at)
    return task


def many(count: int, days: int = 60) -> list[Workspace]:
    """At least so many ended runs over so many days, in five workspaces, half of whose tasks are merged.

    A few are made, the others are copied by the database.
    """
    owner = make_user()
    workspaces = [make_workspace(owner=owner) for _ in range(5)]
    tasks = [make_task(workspace=workspaces[number % 5]) for number in range(200)]
    for task in tasks[:100]:
        merged(task, START + timedelta(days=days / 2))
    first = -(-count >> DOUBLINGS)
    Run.objects.bulk_create(_one(number, first, days, tasks[number % 200]) for number in range(first))
    ledger.catch_up()
    for doubling in range(DOUBLINGS):
        size = first << doubling
        later = days * 1440 // size // 2
        _copy(Run, id=size, number=size)
        _copy(UsageByModel, id=size, run_id=size, minute=later)
    return workspaces


def _copy(model: type[Model], **more: int) -> None:
    """All rows once more, with these numbers added."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f'"{name}" + {more.get(name)}' if name in more else f'"{name}"' for name in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}")


def _one(number: int, count: int, days: int, task: Task) -> Run:
    return Run(
        task=task,
        number=number // 200 + 1,
        state="succeeded",
        backend="codex" if number % 4 > 1 else "claude_code",
        model=MODELS[number % 4],
        permission_mode="edits",
        prompt="Do it.",
        mark="",  # like a run of before the marks: copies of a mark would be refused
        queued_at=START + timedelta(days=days) * number / count,
        input_tokens=number % 1000,
        output_tokens=number % 500,
        cache_read_tokens=number % 9000,
        cost_usd=Decimal("0.01") if number % 4 < 2 else None,
        cost_source="reported" if number % 4 < 2 else None,
    )

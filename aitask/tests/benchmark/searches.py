"""Searches of everything that agents have said and done: python -m aitask.tests.benchmark search

With `python -m aitask.tests.lab.services` before it, they are measured on PostgreSQL.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from aitask.tests.benchmark.pages import answer
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App

EVENTS, BATCH = 100_000, 2000
OF_TASK = 500
"Events of each task's run."
FILES = 20
"In the diff of each task."
MOST_MS = 100
WORDS = 20_000
"Different words; the first ones are frequent, the last ones rare, as in texts of people."
SEARCHES = {
    "a word of one event": "needle",
    "a frequent word": "word3",
    "three frequent words": "word3 word5 word8",
    "beginnings of frequent words": "wor word1",
    "words that stand together": '"looked at the parser"',
    "a file": "src/module7/parser.py",
    "nothing": "haystack",
}


def measure(events: int = EVENTS) -> Iterator[Row]:
    with App() as app:
        fill(app, events)
        app.start_role("web")
        app.wait_until_it_answers()
        database = "PostgreSQL" if "DATABASE_URL" in app.environment else "SQLite"
        for name, query in SEARCHES.items():
            figure, _, _ = answer(app, f"/search/results?q={quote(query)}")
            yield Row("search", f"{name}, {events:,} events, {database}", figure, "ms", most=MOST_MS)


def fill(app: App, events: int) -> None:
    command = [*app.python, "-m", "aitask.tests.benchmark.searches", str(events)]
    environment = app.environment | {"DJANGO_SETTINGS_MODULE": "aitask.settings"}
    subprocess.run(command, cwd=app.project, env=environment, check=True)


def write(events: int) -> None:
    """Save events with their words, as the follower does, into the database of `DATA_DIR`."""
    from django.db import connection, transaction

    from tasks.search import services
    from tasks.tests.factories import make_run, make_task, make_workspace

    chance = random.Random(16)
    workspace = make_workspace(name="benchmark")
    run = None
    for first in range(0, events, BATCH):
        with transaction.atomic():
            for number in range(first, min(first + BATCH, events)):
                if run is None or number % OF_TASK == 0:
                    title = f"Task {number // OF_TASK}: {text(chance, 4)}"
                    run = make_run(task=make_task(workspace=workspace, title=title), state="succeeded")
                    rows: list[Any] = []
                rows.append(event_of(run, number, chance))
                if number % OF_TASK == OF_TASK - 1 or number == events - 1:
                    services.note_rows(run, type(rows[0]).objects.bulk_create(rows))
                    services.index_work(run.task, changes(chance))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def changes(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield the files of a task's diff, and their changed lines."""
    for number in range(FILES):
        yield f"src/module{number}/parser.py", "\n".join(f"+{text(chance, 6)}" for _ in range(40))


def event_of(run: Any, number: int, chance: random.Random) -> Any:
    from django.utils import timezone

    from tasks.models import Event

    path = f"src/module{number % 97}/parser.py"
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("text", {"text": f"I looked at the parser. {text(chance, 40)}"}),
        ("tool", {"name": "Bash", "input": {"command": f"grep -rn {text(chance, 2)} {path}"}}),
        ("file_change", {"path": path, "diff": "\n".join(f"+{text(chance, 6)}" for _ in range(20))}),
        ("tool_result", {"output": text(chance, 60), "is_error": True}),
    )
    kind, data = kinds[number % len(kinds)]
    if number == EVENTS // 2:
        kind, data = "text", {"text": "Here is the needle."}
    return Event(run=run, seq=number % OF_TASK + 1, at=timezone.now(), kind=kind, data=data)


def text(chance: random.Random, words: int) -> str:
    return " ".join(f"word{int(WORDS ** chance.random())}" for _ in range(words))


if __name__ == "__main__":
    import django

    django.setup()
    write(int(sys.argv[1]))

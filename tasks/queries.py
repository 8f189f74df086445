"""The events of tasks, as pages, sockets and the API read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from django.db.models import Q

from tasks.models import Event, Run, Task

MOST_RAW, LONGEST_RAW = 1000, 4000
"Maximum number of raw lines that are shown, and of characters of each."
MOST_PASSED, MOST_WORDS = 1000, 600
"Events among which an agent's last words are searched, and the characters that are shown of them."


def raw_lines(run: Run) -> Iterator[str]:
    """Yield the first lines of the run that the app does not know, each with its type and shortened."""
    rows = run.events.filter(kind="raw").exclude(data__has_key="unread").order_by("seq")
    for row in rows[:MOST_RAW]:
        line = row.data.get("line")
        text = line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
        count = row.data.get("count")
        words = f"(further lines of this type: {count})" if count else text[:LONGEST_RAW]
        yield f"{row.data.get('type') or ''}\t{words}"


def last_words(run: Run | None) -> str:
    """Return the beginning of the agent's last text in a run, on one line; empty if it has said nothing.

    The commonest marks of Markdown are left out.
    """
    if run is None:
        return ""
    texts = run.events.filter(kind="text", seq__gt=run.last_seq - MOST_PASSED).order_by("-seq")
    own = (row.data.get("text") for row in texts.iterator() if not row.data.get("parent"))
    return " ".join(re.sub(r"\*\*|`|^#+ ", "", str(next(own, ""))[:MOST_WORDS], flags=re.MULTILINE).split())


def events(
    task: Task,
    *,
    after: tuple[int, int] | None = None,
    before: tuple[int, int] | None = None,
    limit: int = 200,
) -> list[tuple[Run, Event]]:
    """Return events of all runs of a task, oldest first. Positions are (run number, seq).

    With `after`, return the oldest `limit` events after it; else the newest `limit` events, before
    `before` if given.
    """
    rows = Event.objects.filter(run__task=task).select_related("run")
    if after is not None:
        number, seq = after
        rows = rows.filter(Q(run__number__gt=number) | Q(run__number=number, seq__gt=seq))
        return [(row.run, row) for row in rows.order_by("run__number", "seq")[:limit]]
    if before is not None:
        number, seq = before
        rows = rows.filter(Q(run__number__lt=number) | Q(run__number=number, seq__lt=seq))
    newest = list(rows.order_by("-run__number", "-seq")[:limit])
    return [(row.run, row) for row in reversed(newest)]

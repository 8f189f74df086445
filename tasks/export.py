"""A task's conversation as one Markdown document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from django.utils import timezone

from tasks import queries
from tasks.models import Event, Run, Task
from tasks.rendering import readable

PAGE = 500
"Number of events that are read at once."
BACKTICKS = re.compile("`+")


def as_markdown(task: Task) -> Iterator[str]:
    """Yield the parts of the document: the task, and what was said and done in each of its runs.

    Left out are what is not part of the conversation, such as token counts, and the CLI's raw output.
    """
    yield f"# {readable(task.title)}\n\n#{task.pk}, {readable(task.workspace.name)}\n\n"
    shown = 0
    place: tuple[int, int] | None = (0, 0)
    while place is not None:
        rows = queries.events(task, after=place, limit=PAGE)
        for run, event in rows:
            if run.number != shown:
                shown = run.number
                yield _heading(run)
            yield _part(event)
        place = (rows[-1][0].number, rows[-1][1].seq) if rows else None


def _heading(run: Run) -> str:
    agent = " · ".join(filter(None, (run.get_backend_display(), run.model, run.reasoning_effort)))
    at = timezone.localtime(run.queued_at).strftime("%Y-%m-%d %H:%M %Z")
    return f"## Run {run.number}: {readable(agent)}, {at}\n\n"


def _part(event: Event) -> str:
    show = PARTS.get(event.kind)
    text = show(event.data) if show else ""
    return f"{text.rstrip()}\n\n" if text.strip() else ""


def _text(data: dict[str, Any], name: str = "text") -> str:
    """Return a field with control characters escaped; what is no text, as JSON."""
    value = data.get(name)
    if not value:
        return ""
    return readable(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _fenced(text: str, language: str = "") -> str:
    """Return the text as a code block whose fence is longer than any in it."""
    if not text.strip():
        return ""
    fence = _ticks(text, 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _ticks(text: str, fewest: int) -> str:
    """Return more backticks than stand in a row in the text."""
    return "`" * max([fewest, *(len(found) + 1 for found in BACKTICKS.findall(text))])


def _code(text: str) -> str:
    """Return one line as inline code; empty for an empty one."""
    line = " ".join(text.split())
    if not line:
        return ""
    ticks = _ticks(line, 1)
    pad = " " if "`" in line else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _message(data: dict[str, Any]) -> str:
    return f"### You\n\n{_text(data)}" if _text(data) else ""


def _said(data: dict[str, Any]) -> str:
    return f"### Agent\n\n{_text(data)}" if _text(data) else ""


def _thinking(data: dict[str, Any]) -> str:
    return _quoted(_text(data))


def _tool(data: dict[str, Any]) -> str:
    return f"**{_text(data, 'name')}** {_code(_text(data, 'title'))}"


def _tool_result(data: dict[str, Any]) -> str:
    return _fenced(_text(data, "output"))


def _file_change(data: dict[str, Any]) -> str:
    return (
        f"**{_text(data, 'change')}** {_code(_text(data, 'path'))}\n\n{_fenced(_text(data, 'diff'), 'diff')}"
    )


def _request(data: dict[str, Any]) -> str:
    asked = _text(data, "plan") or _fenced(_text(data, "input"))
    return f"**Request: {_text(data, 'tool')}** {_code(_text(data, 'title'))}\n\n{asked}"


def _request_closed(data: dict[str, Any]) -> str:
    words = f": {_text(data)}" if _text(data) else ""
    return f"**Answer: {_text(data, 'decision')}** by {_text(data, 'by')}{words}"


def _finished(data: dict[str, Any]) -> str:
    reason = _text(data, "reason")
    return f"**{_text(data, 'state').capitalize() or 'Ended'}**{': ' if reason else ''}{reason}"


def _notice(data: dict[str, Any]) -> str:
    return _quoted(_text(data))


PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "message": _message,
    "text": _said,
    "thinking": _thinking,
    "tool": _tool,
    "tool_result": _tool_result,
    "file_change": _file_change,
    "request": _request,
    "request_closed": _request_closed,
    "finished": _finished,
    "notice": _notice,
    "error": _notice,
}

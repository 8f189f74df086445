"""What of an event can be found: texts with their kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tasks.models import Event, SearchEntry
from tasks.search.places import SLOTS
from tasks.search.words import MOST_TEXT

Kind = SearchEntry.Kind
Text = tuple[Kind, str]
PATHS = ("file_path", "path", "notebook_path")
PATTERNS = ("pattern", "query", "url")


def texts_of(event: Event, worktree: str = "") -> list[Text]:
    """Return at most SLOTS texts of an event, each with its first MOST_TEXT characters.

    Names of files are relative to the worktree: its path has words of the task's title.
    """
    reader = READERS.get(event.kind)
    found = reader(event.data) if reader else iter(())
    inside = f"{worktree}/" if worktree else ""
    short = ((kind, text.removeprefix(inside) if kind == Kind.FILE else text) for kind, text in found)
    return [(kind, text[:MOST_TEXT]) for kind, text in short if text.strip()][:SLOTS]


def _string(data: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that is a text with something in it."""
    return next((value for name in names if isinstance(value := data.get(name), str) and value), "")


def _only(kind: Kind, *names: str) -> Callable[[dict[str, Any]], Iterator[Text]]:
    def read(data: dict[str, Any]) -> Iterator[Text]:
        yield kind, "\n".join(filter(None, (_string(data, name) for name in names)))

    return read


def _tool(data: dict[str, Any]) -> Iterator[Text]:
    """A command, or the file that a tool reads or writes. What it writes is in the event of the change."""
    given = data.get("input")
    given = given if isinstance(given, dict) else {}
    command = given.get("command")
    if isinstance(command, list):
        command = " ".join(part for part in command if isinstance(part, str))
    name, title = _string(data, "name"), _string(data, "title")
    path, pattern = _string(given, *PATHS), _string(given, *PATTERNS)
    if isinstance(command, str) and command:
        yield Kind.COMMAND, command if title in command else f"{title}\n{command}"
    elif pattern or not path:
        words = title or pattern
        yield Kind.COMMAND, " ".join(filter(None, (name, words, "" if pattern in words else pattern)))
    if path:
        yield Kind.FILE, path


def _result(data: dict[str, Any]) -> Iterator[Text]:
    if data.get("is_error") or data.get("exit_code"):
        yield Kind.ERROR, _string(data, "output")


def _change(data: dict[str, Any]) -> Iterator[Text]:
    yield Kind.FILE, _string(data, "path")
    yield Kind.DIFF, _string(data, "diff")


def _request(data: dict[str, Any]) -> Iterator[Text]:
    """What an agent asks. A tool call that it asks about has an event of its own."""
    questions = data.get("questions")
    asked = [_string(each, "question") for each in questions if isinstance(each, dict)] if questions else []
    yield Kind.ANSWER, "\n".join(filter(None, [_string(data, "plan"), _string(data, "message"), *asked]))


def _finished(data: dict[str, Any]) -> Iterator[Text]:
    if data.get("state") in ("failed", "lost"):
        yield Kind.ERROR, _string(data, "reason")


def _proposals(data: dict[str, Any]) -> Iterator[Text]:
    items = data.get("items")
    proposed = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    yield Kind.ANSWER, "\n".join(f"{_string(each, 'title')}\n{_string(each, 'prompt')}" for each in proposed)


READERS: dict[str, Callable[[dict[str, Any]], Iterator[Text]]] = {
    "text": _only(Kind.ANSWER, "text"),
    "message": _only(Kind.PROMPT, "text"),
    "proposals": _proposals,
    "request": _request,
    "request_closed": _only(Kind.PROMPT, "text"),
    "tool": _tool,
    "tool_result": _result,
    "file_change": _change,
    "local_command": _only(Kind.COMMAND, "name", "output"),
    "error": _only(Kind.ERROR, "text"),
    "finished": _finished,
}

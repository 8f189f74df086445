"""The answer of an agent in a plan run: tasks that it proposes, or a sentence about what is wrong with it.

Nothing of an answer is trusted: CLIs do not check it (Codex), or give up (Claude Code), and the app reads it
from a file that an agent can write.
"""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import islice
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set

from ..files import loads
from ..wire import Json, ProposedTask

MOST = 200
"""Maximum number of tasks. The app creates no more at once."""
LONGEST_TITLE, LONGEST_PROMPT, LONGEST_WORDS = 200, 20_000, 600
MOST_TOUCHES = 40
MAX_SIZE = 200_000
"""Bytes of all proposals as JSON, so that they are one event."""
MAX_ANSWER = 4_000_000
READING_TOOLS = "Read,Grep,Glob"
ASK_AGAIN = "Send a message to ask again, or split the text yourself."
CODE = "proposals"
"""Reason code of a plan run whose answer can't be used."""
FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)
OBJECT = re.compile(r'\{\s*"tasks"\s*:')
"""The beginning of an answer between other words, which may have braces, too."""
MOST_TRIED = 5
_SCANNER = json.JSONDecoder(parse_int=len, parse_float=len)
"""Finds the end of an object. It reads no numbers: a long one would take Python minutes."""

_ITEM: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "prompt", "after", "touches", "check", "size"],
    "properties": {
        "title": {"type": "string", "description": "At most 80 characters, in the imperative"},
        "prompt": {
            "type": "string",
            "description": "Everything that an agent needs to do this task alone, without the other prompts",
        },
        "after": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "Indexes in this list, from 0, of tasks that must be merged before this one",
        },
        "touches": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Files and folders that this task will most likely change",
        },
        "check": {"type": "string", "description": "How to see that it is done: a command, or where to look"},
        "size": {"type": "string", "enum": ["S", "M", "L"]},
    },
}
SCHEMA: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tasks"],
    "properties": {"tasks": {"type": "array", "items": _ITEM}},
}


class AnswerReading(NamedTuple):
    """What an answer says: `items` with `notes` about what was put right, or a `problem`."""

    items: List[ProposedTask]
    notes: List[str]
    problem: str = ""


def read_text(text: str) -> AnswerReading:
    """Read an answer that is text: JSON, alone, in a code block or between other words."""
    if not text.strip():
        return _wrong("The agent gave no answer.")
    if len(text) > MAX_ANSWER:
        return _wrong(f"The agent's answer is too long ({len(text):,} characters).")
    for part in _parts(text):
        try:
            value = loads(part.encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, (dict, list)):
            return read(value)
    if OBJECT.search(text):
        return _wrong("The agent's list of tasks can't be read: it is cut off, or it is not valid JSON.")
    return _wrong("The agent answered in words, not with a list of tasks.")


def _parts(text: str) -> Iterator[str]:
    """Yield what may be the JSON in an answer, the most likely part first."""
    yield text
    yield from FENCE.findall(text)
    for found in islice(OBJECT.finditer(text), MOST_TRIED):
        try:
            end = _SCANNER.raw_decode(text, found.start())[1]
        except (ValueError, RecursionError):
            continue
        yield text[found.start() : end]
    yield text[text.find("{") : text.rfind("}") + 1]


def read(value: object) -> AnswerReading:
    """Read an answer that was JSON."""
    given = value.get("tasks") if isinstance(value, dict) else value
    if not isinstance(given, list):
        return _wrong("The agent's answer has no list of tasks.")
    if not given:
        return _wrong("The agent proposes no tasks.")
    if len(given) > MOST:
        return _wrong(f"The agent proposes {len(given):,} tasks. At most {MOST} can be created at once.")
    items: List[ProposedTask] = []
    notes: List[str] = []
    for number, each in enumerate(given, 1):
        item = _item(each, number, notes)
        if item is None:
            return _wrong(f"Task {number} of the agent's answer has neither a title nor a prompt.")
        items.append(item)
    _check_order(items, notes)
    _note_same_titles(items, notes)
    if len(json.dumps(items)) > MAX_SIZE:
        return _wrong("The agent's answer is too long to be kept.")
    return AnswerReading(items, notes[:50])


def _wrong(problem: str) -> AnswerReading:
    return AnswerReading([], [], problem)


def _item(value: object, number: int, notes: List[str]) -> Optional[ProposedTask]:
    """Return one task; None if it says nothing. What is of a wrong type is left out and noted."""
    given: Dict[str, Any] = value if isinstance(value, dict) else {}
    title, prompt = one_line(_text(given.get("title"))), _clean(_text(given.get("prompt"))).strip()
    if not title and not prompt:
        return None
    if not prompt:
        notes.append(f"Task {number} has no prompt; its title is used.")
    if not title:
        notes.append(f"Task {number} has no title; its prompt's first line is used.")
    if len(prompt) > LONGEST_PROMPT:
        notes.append(f"The prompt of task {number} was cut after {LONGEST_PROMPT:,} characters.")
    touches = given.get("touches")
    found = [touches] if isinstance(touches, str) else touches if isinstance(touches, list) else []
    return {
        "title": (title or one_line(prompt.split("\n")[0]))[:LONGEST_TITLE],
        "prompt": (prompt or title)[:LONGEST_PROMPT],
        "after": _indexes(given.get("after"), number, notes),
        "touches": [one_line(each)[:300] for each in found[:MOST_TOUCHES] if isinstance(each, str)],
        "check": _clean(_text(given.get("check"))).strip()[:LONGEST_WORDS],
        "size": one_line(_text(given.get("size")))[:40],
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """Return the text without control characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn"))
    return "".join(kept)


def one_line(text: str) -> str:
    """Return the text as one line without what can't be seen."""
    shown = (" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join("".join(shown).split())


def _indexes(value: object, number: int, notes: List[str]) -> List[int]:
    given = value if isinstance(value, list) else []
    found = {each for each in given if type(each) is int}
    if len(given) > 1000 or len([each for each in given if type(each) is int]) < len(given):
        notes.append(f"What task {number} comes after could not be read and is left out.")
        return []
    if value is not None and not isinstance(value, list):
        notes.append(f"What task {number} comes after could not be read and is left out.")
    return sorted(found)


def _check_order(items: List[ProposedTask], notes: List[str]) -> None:
    """Leave out what no task can come after: itself, a task that is not there, one that comes after it."""
    wanted = [item["after"] for item in items]
    for item in items:
        item["after"] = []
    for place, indexes in enumerate(wanted):
        number, later = place + 1, _later(items, place)
        for index in indexes[:50]:
            if not 0 <= index < len(items):
                notes.append(f"Task {number} was to come after task {index + 1}, which is not there.")
            elif index == place:
                notes.append(f"Task {number} was to come after itself.")
            elif index in later:
                notes.append(f"Tasks {number} and {index + 1} were to come after each other, in a circle.")
            else:
                items[place]["after"].append(index)


def _later(items: List[ProposedTask], place: int) -> Set[int]:
    """Return the places of the tasks that come after this one, also by way of others."""
    following: Dict[int, List[int]] = {}
    for other, item in enumerate(items):
        for index in item["after"]:
            following.setdefault(index, []).append(other)
    found: Set[int] = set()
    waiting = [place]
    while waiting:
        new = set(following.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _note_same_titles(items: List[ProposedTask], notes: List[str]) -> None:
    places: Dict[str, List[int]] = {}
    for number, item in enumerate(items, 1):
        places.setdefault(item["title"].casefold(), []).append(number)
    for numbers in places.values():
        if len(numbers) > 1:
            names = ", ".join(map(str, numbers[:5]))
            notes.append(f"Tasks {names} have the same title.")

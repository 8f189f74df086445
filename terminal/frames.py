"""Parsing and validation of the text frames that a page sends. Their values are untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aitask.lib import untrusted_json
from aitask.lib.text import whole_number
from terminal.control.viewer import Size

MIN_SIZE, MAX_SIZE = 2, 1000
"""Limits for the columns and rows of a window."""
MAX_PASTED = 16 << 20
"""Maximum length of a pasted text, in characters."""
Json = dict[str, Any]


def parse(text: str) -> Json:
    """Return the JSON object in `text`, or an empty dict if it is not one."""
    try:
        message = untrusted_json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def count(message: Mapping[str, Any], name: str) -> int:
    """Return a positive integer of the message, or 0 if the value is anything else."""
    value = message.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def string(message: Mapping[str, Any], name: str) -> str:
    """Return a string of the message, or an empty one if the value is anything else."""
    value = message.get(name)
    return value if isinstance(value, str) else ""


def size(message: Mapping[str, Any]) -> Size:
    """Return columns and rows, within the limits; 80×24 by default."""
    return clamp(count(message, "cols") or 80), clamp(count(message, "rows") or 24)


def clamp(value: int) -> int:
    return max(MIN_SIZE, min(MAX_SIZE, value))


def query(scope: Mapping[str, Any]) -> Json:
    """Return the query parameters of the socket's URL; numeric values as int."""
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    return {name: value if (number := whole_number(value)) is None else number for name, value in pairs}

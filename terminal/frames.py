"""What a page may say in a text frame, checked: sizes and counts of a stranger are never trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aitask.lib.text import whole_number
from terminal.control.viewer import Size

LEAST, MOST = 2, 1000
"""Columns and rows that a window can sensibly have."""
Json = dict[str, Any]


def parse(text: str) -> Json:
    """The message; empty when it is none."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def whole(message: Mapping[str, Any], name: str) -> int:
    """A count; 0 for what is none."""
    value = message.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def words(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def size(message: Mapping[str, Any]) -> Size:
    """Columns and rows, within what makes sense."""
    return clamp(whole(message, "cols") or 80), clamp(whole(message, "rows") or 24)


def clamp(value: int) -> int:
    return max(LEAST, min(MOST, value))


def query(scope: Mapping[str, Any]) -> Json:
    """The parameters of the socket's address; numbers are numbers."""
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    return {name: value if (number := whole_number(value)) is None else number for name, value in pairs}

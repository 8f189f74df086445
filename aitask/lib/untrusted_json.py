"""JSON from outside: browsers, hosts, other processes. Every door reads it with `loads`."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 100
"""How deep lists and objects may be nested: code that recurses over a value needs a limit."""
MAX_DIGITS = 400
"""Digits of a whole number."""


class Unreadable(ValueError):
    """Text that is not the JSON that we accept. The message says why, as the end of a sentence."""


class TooDeep(Unreadable):
    """JSON that is nested in too many levels."""

    def __init__(self, depth: int) -> None:
        super().__init__(f"it is nested in more than {depth} levels")


def loads(data: bytes | str, *, depth: int = MAX_DEPTH) -> Any:
    """Parse standard JSON in UTF-8: finite numbers, and at most `depth` levels of lists and objects.

    Raises Unreadable, and nothing else, whatever the text is.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(
            text, parse_int=_whole_number, parse_float=_decimal, parse_constant=_refuse_constant
        )
    except RecursionError:  # it may have no end, either
        raise Unreadable(f"it is nested in more than {depth} levels") from None
    except ValueError as error:
        raise Unreadable(str(error)) from None
    if text.count("[") + text.count("{") > depth and is_deeper(value, depth):
        raise TooDeep(depth)
    return value


def is_deeper(value: Any, depth: int) -> bool:
    """Return whether lists and dictionaries are nested in more than `depth` levels. Does not recurse."""
    level = [value]
    for _ in range(depth + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return False
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return True


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _decimal(text: str) -> float | str:
    """Return the number, or its text if it is too large for a float: infinity is no JSON."""
    value = float(text)
    return value if math.isfinite(value) else text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")

"""The tasks of a plan as a page sends them."""

from __future__ import annotations

from typing import Any

from aitask.lib import untrusted_json
from aitask.lib.errors import Malformed
from tasks.planning.order import MOST_PLANNED


def items_in(text: str) -> list[dict[str, Any]]:
    """Return the tasks in a JSON text: title, prompt, and indexes that each comes after. Raises Malformed."""
    try:
        found = untrusted_json.loads(text)
    except untrusted_json.Unreadable as error:
        raise Malformed(f"The tasks can't be read: {error}.") from None
    if not isinstance(found, list) or len(found) > MOST_PLANNED * 10:
        raise Malformed("The tasks are no list.")
    return [_item(each) for each in found]


def _item(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("A task is no object.")
    title, prompt, after = value.get("title", ""), value.get("prompt", ""), value.get("after", [])
    indexes = after if isinstance(after, list) else [""]
    if not isinstance(title, str) or not isinstance(prompt, str):
        raise Malformed("A title or a prompt is no text.")
    if not all(type(index) is int for index in indexes):
        raise Malformed("An index is no whole number.")
    return {"title": title, "prompt": prompt, "after": indexes}

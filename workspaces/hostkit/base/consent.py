"""What a user allows: exactly what was shown, and for the run only what was picked."""

from __future__ import annotations

import hashlib
import json
from typing import Any, List, Mapping, NamedTuple

from ..wire import Grant, Json

SHOWN = (
    *("tool", "input", "cwd", "reason", "description", "plan", "questions", "grants", "words"),
    *("server", "message", "schema", "order", "url"),
)
"""The fields of a request that a user decides by."""
SAME_CALL = "this very call ({tool}) and no other: one that differs in anything is asked about again"


class WideGrant(NamedTuple):
    """A permission for the rest of the run that is wider than one call."""

    text: str
    "What it allows, in full words."
    update: Json
    "What is sent to the CLI if the user picks it."
    mode: str = ""
    "Our permission mode, if it changes it."

    @property
    def identity(self) -> str:
        return _digest(self.update)[:16]

    def as_event(self) -> Grant:
        shown: Grant = {"id": self.identity, "text": self.text}
        if self.mode:
            shown["mode"] = self.mode
        return shown


def digest_of(request: Mapping[str, Any]) -> str:
    """Return the digest of all that a user decides by: equal only if two requests show exactly the same.

    It is empty for a request that is nested too deeply to be shown. Such a one can't be allowed.
    """
    return _digest({name: request[name] for name in SHOWN if request.get(name) is not None})


def same_call(tool: str, tool_input: object, cwd: object) -> str:
    """Return an id that is equal only for the same call: tool, folder and every field of its input.

    The description of a command is not part of the call: it explains it, and is not executed. The id is empty
    if the input is nested too deeply to be compared.
    """
    if isinstance(tool_input, dict) and isinstance(tool_input.get("command"), str):
        tool_input = {name: value for name, value in tool_input.items() if name != "description"}
    return _digest([tool, tool_input, cwd])


def picked(grants: List[WideGrant], identity: str) -> WideGrant:
    """Return the grant with this id. Raises KeyError if it was not offered."""
    return {grant.identity: grant for grant in grants}[identity]


def _digest(value: object) -> str:
    """Return a hash that survives JSON and databases, which may write 1e3 as 1000."""
    try:
        text = json.dumps(plain_numbers(value), sort_keys=True)
    except RecursionError:
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def plain_numbers(value: Any) -> Any:
    """Return a value of JSON whose whole numbers are all written in the same way."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(name): plain_numbers(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_numbers(item) for item in value]
    return value

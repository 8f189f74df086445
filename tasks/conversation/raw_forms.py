"""Forms of MCP servers that can't be shown as fields: an answer as JSON to begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workspaces.hostkit.base.json_schema import resolved
from workspaces.hostkit.base.submission import raw_schema

MAX_DEPTH, MAX_VALUES = 6, 200
EMPTY: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}


def example_of(request: Mapping[str, Any]) -> str:
    """Return an object with the required fields of the form, each with its default or an empty value."""
    example = _Example(raw_schema(request)).value
    return json.dumps(example, indent=2, ensure_ascii=True) if isinstance(example, dict) else "{}"


class _Example:
    """A value that a schema suggests, of a limited size."""

    def __init__(self, schema: object) -> None:
        self._root = schema
        self._left = MAX_VALUES
        self.value = self._of(schema, 0)

    def _of(self, given: object, depth: int) -> Any:
        schema = resolved(self._root, given)
        self._left -= 1
        if not isinstance(schema, dict) or self._left < 0 or depth > MAX_DEPTH:
            return ""
        options = schema.get("enum")
        if "default" in schema or "const" in schema:
            return schema.get("default", schema.get("const"))
        if isinstance(options, list) and options:
            return options[0]
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        properties = schema.get("properties")
        if kind == "object" or isinstance(properties, dict):
            return self._object(schema, properties if isinstance(properties, dict) else {}, depth)
        return EMPTY.get(kind, "") if isinstance(kind, str) else ""

    def _object(self, schema: dict[str, Any], properties: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        return {name: self._of(properties.get(name), depth + 1) for name in names or properties}

"""Pictures that an agent has read or made, below the call of the tool, or at the end of the run."""

from __future__ import annotations

import re
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from tasks.rendering.parts import NOTHING, Entry
from workspaces.hostkit.base.pictures import MOST
from workspaces.hostkit.escapes import visible

DIGEST = re.compile(r"[0-9a-f]{64}")


def shown(entry: Entry) -> SafeString:
    """Return thumbnails that open larger; nothing if the result has no pictures."""
    found = pictures_of(entry.data)
    if not found:
        return NOTHING
    for number, picture in enumerate(found, 1):
        count = f" {number}" if len(found) > 1 else ""
        picture["alt"] = picture["name"] or f"Picture{count} of the agent"
    context = {"run": entry.run, "pictures": found}
    return SafeString(render_to_string("tasks/_pictures.html", context))


def pictures_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pictures that an event names. A host is not trusted, so others are left out."""
    named = data.get("pictures")
    rows = [row for row in named if isinstance(row, dict)] if isinstance(named, list) else []
    valid = [row for row in rows if DIGEST.fullmatch(str(row.get("sha256")))]
    unique = {row["sha256"]: row for row in valid}
    return [
        {"sha256": key, "size": _size(row), "name": visible(str(row.get("name") or ""))[:200]}
        for key, row in list(unique.items())[:MOST]
    ]


def _size(row: dict[str, Any]) -> int:
    size = row.get("size")
    return size if isinstance(size, int) and size > 0 else 0

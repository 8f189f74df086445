"""The files of a form: a hidden field with what its page knows about each of them, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.template.defaultfilters import filesizeformat

from aitask.lib import untrusted_json
from tasks.attachments.kinds import note_about
from tasks.models import Attachment

UNREADABLE = "The list of attached files can't be read."


def posted_ids(post: QueryDict) -> list[int]:
    """Return the ids in the field `attachments`. Raises BadRequest."""
    text = post.get("attachments", "")
    if not text:
        return []
    try:
        return ids_in(untrusted_json.loads(text))
    except untrusted_json.Unreadable as error:
        raise BadRequest(UNREADABLE) from error


def ids_in(files: Any) -> list[int]:
    """Return the ids of files that a page describes. Raises BadRequest."""
    try:
        ids = [row["id"] for row in files]
    except (TypeError, KeyError) as error:
        raise BadRequest(UNREADABLE) from error
    if not all(type(pk) is int and 0 < pk.bit_length() < 64 for pk in ids):
        raise BadRequest(UNREADABLE)
    return ids


def as_field(rows: Iterable[Attachment]) -> str:
    """Return the value of the field for these files; empty for none, so that it is no draft."""
    found = described(rows)
    return json.dumps(found) if found else ""


def described(rows: Iterable[Attachment]) -> list[dict[str, Any]]:
    """Return the files as the scripts of pages know them."""
    return [
        {
            **{"id": row.pk, "name": row.name, "size": row.size, "kind": row.kind},
            "text": filesizeformat(row.size),
            "note": note_about(row),
        }
        for row in rows
    ]

"""Pictures in a diff: both versions side by side, each as our own copy or with a sentence why not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from django.template.loader import render_to_string

from aitask.lib.errors import Refused
from tasks.attachments import shown
from tasks.attachments.kinds import DECODED, extension_of
from workspaces.git.diffs import Range, file_content
from workspaces.hostkit.base.pictures import MAX_PICTURE
from workspaces.hosts import HostConnection


@dataclass(frozen=True)
class Side:
    """One version of a picture."""

    title: str
    size: int
    "Bytes."
    why: str = ""
    "Why it is not shown."
    copy: shown.PictureCopy | None = None

    @property
    def address(self) -> str:
        """Our own copy as a `data:` address: the page shows it without a further request."""
        if self.copy is None:
            return ""
        return f"data:{self.copy.content_type};base64,{base64.b64encode(self.copy.content).decode()}"


def render_sides(host: HostConnection, rng: Range, path: str, old_path: str) -> str:
    """Return the versions of a changed file as HTML; empty if no version is named like a picture."""
    if not {extension_of(path), extension_of(old_path)} & DECODED:
        return ""
    return render_to_string("tasks/review/_pictures.html", {"sides": list(_sides(host, rng, path, old_path))})


def _sides(host: HostConnection, rng: Range, path: str, old_path: str) -> Iterator[Side]:
    for title, name, old in (("Before", old_path, True), ("After", path, False)):
        found = file_content(host, rng, name, old=old, most=MAX_PICTURE)
        if found is not None:
            yield _side(title, *found)


def _side(title: str, content: bytes, size: int) -> Side:
    if size > MAX_PICTURE:
        return Side(title, size, f"It is larger than {MAX_PICTURE >> 20} MB.")
    try:
        return Side(title, size, copy=shown.copy_of(lambda: content))
    except Refused as error:
        return Side(title, size, error.reason)

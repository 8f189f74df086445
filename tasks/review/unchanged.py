"""Unchanged lines around the hunks of a diff."""

from __future__ import annotations

from dataclasses import dataclass

from aitask.lib.errors import Refused
from tasks.review.comparisons import View
from tasks.review.diff_rows import render_unchanged
from tasks.review.patches import Colours, DiffLine
from workspaces.git.diffs import MAX_FILE_BYTES, Range, file_text
from workspaces.hostkit.escapes import visible

MOST_LINES = 200
"Maximum number of lines in one response."


@dataclass(frozen=True)
class LinesWanted:
    """Numbers in the new file; `offset` plus the new number is the old one."""

    first: int
    last: int
    offset: int

    def check(self) -> None:
        """Raise Refused unless both sides can have these lines, and they are not too many."""
        if not 1 <= self.first <= self.last or self.first + self.offset < 1:
            raise Refused("These lines do not exist.")
        if self.last - self.first >= MOST_LINES:
            raise Refused(f"At most {MOST_LINES} lines can be loaded at once.")


def unchanged_rows(view: View, rng: Range, path: str, wanted: LinesWanted, *, split: bool) -> str:
    """Return these lines of a file as rows. Raises Refused and HostError."""
    wanted.check()
    text = file_text(view.site.host, rng, path, most=MAX_FILE_BYTES)
    if text is None:
        raise Refused("The file can't be read, or is larger than 4 MB.")
    found = lines_of(text)[wanted.first - 1 : wanted.last]
    numbered = enumerate(found, wanted.first)
    lines = [DiffLine(" ", number + wanted.offset, number, line) for number, line in numbered]
    return render_unchanged(lines, Colours(visible(path), None, text), split=split)


def lines_of(text: str) -> list[str]:
    """Return the lines of a file as git counts them."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]

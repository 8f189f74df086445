"""Which files two lines of work can't agree on, and the places in them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from workspaces.hosts import HostConnection

MAX_FILES = 50
MAX_FILES_READ = 12
MAX_HUNKS = 8
MAX_HUNK_LINES = 120
MAX_LINE = 400
MAX_BYTES = 512 * 1024
CONTEXT = 3
OURS, BETWEEN, THEIRS = (re.compile(words) for words in (r"<{7,} ", r"={7,}\r?$", r">{7,} "))
"Lines that git writes around a conflict; `conflict-marker-size` makes them longer."
HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
KINDS = {
    frozenset("123"): "both changed it",
    frozenset("23"): "both added it",
    frozenset("12"): "deleted on the branch, changed on main",
    frozenset("13"): "deleted on main, changed on the branch",
    frozenset("1"): "both moved or deleted it",
    frozenset("2"): "main has something else there",
    frozenset("3"): "the branch has something else there",
}


@dataclass(frozen=True)
class Conflict:
    """One file that git could not merge, with the places that disagree as git marks them."""

    path: str
    kind: str
    hunks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For a database that takes only whole characters: other bytes become visible escapes."""
        values = asdict(self)
        return {**values, "path": visible(self.path), "hunks": [visible(hunk) for hunk in self.hunks]}


def visible(text: str) -> str:
    """What every database and page can hold, and nobody is misled by: bytes that are no UTF-8, controls, and
    characters that turn the direction of writing, as `\\xff` or `\\u202e`."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), whole)


def kinds_by_path(records: list[str]) -> dict[str, str]:
    """From `<mode> <object> <stage>\\t<path>` records: each path with what happened to it."""
    stages: dict[str, set[str]] = defaultdict(set)
    for record in records:
        about, _, path = record.partition("\t")
        stages[path].add(about.rpartition(" ")[2])
    return {path: KINDS.get(frozenset(found), "both changed it") for path, found in stages.items()}


def from_merge_tree(host: HostConnection, repo: str, out: str, names: dict[str, str]) -> list[Conflict]:
    """What `git merge-tree -z` said. `names` says what to call the two commits in the hunks."""
    fields = out.split("\0")
    tree, records = fields[0], list(takewhile(bool, fields[1:]))
    kinds = kinds_by_path(records)
    found = []
    for number, (path, kind) in enumerate(list(kinds.items())[:MAX_FILES]):
        text = _blob(host, repo, f"{tree}:{path}") if number < MAX_FILES_READ else ""
        found.append(Conflict(path, kind, hunks_of(text, names)))
    return found


def said_by_merge_tree(out: str, names: dict[str, str]) -> str:
    """The sentences in which `git merge-tree -z` tells of conflicts."""
    fields = out.split("\0")
    at, told = fields.index("", 1) + 1, []
    while at < len(fields) and fields[at].isdecimal():
        kind, words = fields[at + int(fields[at]) + 1 : at + int(fields[at]) + 3]
        told += [words.strip()] if kind.startswith("CONFLICT") else []
        at += int(fields[at]) + 3
    said = "\n".join(told[:MAX_FILES])
    for commit, name in names.items():
        said = said.replace(commit, name)
    return said


def _blob(host: HostConnection, repo: str, name: str) -> str:
    """The beginning of a file in a tree; empty for a submodule or a path that is not there."""
    argv = ["git", "-C", repo, "cat-file", "blob", name]
    done = host.call("exec", {"argv": argv, "max_output": MAX_BYTES})
    return "" if done["rc"] else str(done["out"])


def hunks_of(text: str, names: dict[str, str] | None = None) -> list[str]:
    """The places between conflict markers, with a few lines around each."""
    if "\0" in text[:8000]:
        return []
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if OURS.match(line)]
    return [_hunk(lines, start, names or {}) for start in starts[:MAX_HUNKS]]


def _hunk(lines: list[str], start: int, names: dict[str, str]) -> str:
    following = range(start, len(lines))
    end = next((number for number in following if THEIRS.match(lines[number])), len(lines) - 1)
    shown = lines[max(0, start - CONTEXT) : end + 1 + CONTEXT]
    if len(shown) > MAX_HUNK_LINES:
        shown = [*shown[:MAX_HUNK_LINES], f"… {len(shown) - MAX_HUNK_LINES} more lines"]
    return "\n".join(_label(line[:MAX_LINE], names) for line in shown)


def _label(line: str, names: dict[str, str]) -> str:
    if OURS.match(line) or THEIRS.match(line):
        for commit, name in names.items():
            line = line.replace(commit, name)
    return line


def leftover_markers(text: str) -> bool:
    """Whether a file still holds a whole conflict as git writes it."""
    wanted = iter((OURS, BETWEEN, THEIRS))
    want = next(wanted)
    for line in text.split("\n"):
        if want.match(line):
            following = next(wanted, None)
            if following is None:
                return True
            want = following
    return False

"""Conflicts of a merge: the files, and the hunks in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import islice, takewhile
from typing import Any

from workspaces.git.commands import call_git
from workspaces.git.overlap import conflict_messages
from workspaces.hostkit.escapes import printed, visible
from workspaces.hosts import HostConnection

SUBMODULE = "160000 "
MAX_FILES = 50
MAX_FILES_READ = 12
MAX_HUNKS = 8
MAX_HUNK_LINES = 120
MAX_LINE = 400
MAX_BYTES = 512 * 1024
CONTEXT = 3
OURS, SEPARATOR, THEIRS = (re.compile(pattern) for pattern in (r"<{7,} ", r"={7,}\r?$", r">{7,} "))
MARKER_LINE = r"^(<{7,}|>{7,}|\|{7,}) "
MARKER = re.compile(MARKER_LINE)
"The conflict markers; git's attribute `conflict-marker-size` makes them longer."
KINDS = {
    frozenset("123"): "changed on both sides",
    frozenset("23"): "added on both sides",
    frozenset("12"): "deleted on the branch, changed on main",
    frozenset("13"): "deleted on main, changed on the branch",
    frozenset("1"): "moved or deleted on both sides",
    frozenset("2"): "main has another file or folder there",
    frozenset("3"): "the branch has another file or folder there",
}

UNCLEAR = "it is unclear where its new files belong"
"The kind of a conflict without an unmerged file: a folder was moved to several others."


@dataclass(frozen=True)
class Conflict:
    """One file that git could not merge, with its conflicting hunks including the markers."""

    path: str
    kind: str
    hunks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the fields for a JSON column, with `visible` texts."""
        values = asdict(self)
        return {**values, "path": visible(self.path), "hunks": [printed(hunk) for hunk in self.hunks]}


def kinds_by_path(records: list[str]) -> dict[str, str]:
    """Map each path of `<mode> <object> <stage>\\t<path>` records to its kind of conflict."""
    stages: dict[str, set[str]] = defaultdict(set)
    nested: set[str] = set()
    for record in records:
        header, _, path = record.partition("\t")
        stages[path].add(header.rpartition(" ")[2])
        if header.startswith(SUBMODULE):
            nested.add(path)
    kinds = {path: KINDS.get(frozenset(found), "changed on both sides") for path, found in stages.items()}
    return {path: f"submodule {kind}" if path in nested else kind for path, kind in kinds.items()}


def from_merge_tree(host: HostConnection, repo: str, out: str, names: dict[str, str]) -> list[Conflict]:
    """Parse the output of `git merge-tree -z`. `names` are the names of the two commits in the hunks."""
    fields = out.split("\0")
    tree, records = fields[0], list(takewhile(bool, fields[1:]))
    kinds = kinds_by_path(records)
    found = []
    for number, (path, kind) in enumerate(list(kinds.items())[:MAX_FILES]):
        text = read_blob(host, repo, f"{tree}:{path}", MAX_BYTES) if number < MAX_FILES_READ else ""
        found.append(Conflict(path, kind, hunks_of(text, names)))
    return found or [Conflict(path, UNCLEAR) for path in unclear_paths(out)]


def unclear_paths(out: str) -> list[str]:
    """Return the paths in the messages of `git merge-tree -z`, for conflicts without unmerged files."""
    return list(dict.fromkeys(path for paths, _ in conflict_messages(out) for path in paths))[:MAX_FILES]


def merge_tree_messages(out: str, names: dict[str, str]) -> str:
    """Return the messages about conflicts in the output of `git merge-tree -z`, one per line."""
    messages = (message for _, message in conflict_messages(out))
    text = "\n".join(islice(messages, MAX_FILES))
    for commit, name in names.items():
        text = text.replace(commit, name)
    return text


def read_blob(host: HostConnection, repo: str, name: str, limit: int) -> str:
    """Return up to `limit` bytes of a file in a tree; nothing for a submodule or a path that is not there."""
    done = call_git(host, {"path": repo, "args": ["cat-file", "blob", name], "max_output": limit})
    return "" if done.rc else done.out


def hunks_of(text: str, names: dict[str, str] | None = None) -> list[str]:
    """Return the conflicting hunks, with a few lines of context around each."""
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


def new_markers(text: str, sides: Iterable[str]) -> bool:
    """Return whether a file has a conflict marker that neither of the merged sides has.

    One is enough: a half-removed conflict is none that was resolved. Lines of `=` alone say nothing.
    """
    known = {line.rstrip("\r") for side in sides for line in side.split("\n")}
    return any(MARKER.match(line) and line.rstrip("\r") not in known for line in text.split("\n"))

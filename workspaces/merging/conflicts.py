"""Conflicts of a merge: the files, and the hunks in them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from workspaces.git.commands import call_git
from workspaces.hostkit.escapes import printed, visible
from workspaces.hosts import HostConnection

MAX_FILES = 50
MAX_FILES_READ = 12
MAX_HUNKS = 8
MAX_HUNK_LINES = 120
MAX_LINE = 400
MAX_BYTES = 512 * 1024
CONTEXT = 3
OURS, SEPARATOR, THEIRS = (re.compile(pattern) for pattern in (r"<{7,} ", r"={7,}\r?$", r">{7,} "))
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
    for record in records:
        header, _, path = record.partition("\t")
        stages[path].add(header.rpartition(" ")[2])
    return {path: KINDS.get(frozenset(found), "changed on both sides") for path, found in stages.items()}


def from_merge_tree(host: HostConnection, repo: str, out: str, names: dict[str, str]) -> list[Conflict]:
    """Parse the output of `git merge-tree -z`. `names` are the names of the two commits in the hunks."""
    fields = out.split("\0")
    tree, records = fields[0], list(takewhile(bool, fields[1:]))
    kinds = kinds_by_path(records)
    found = []
    for number, (path, kind) in enumerate(list(kinds.items())[:MAX_FILES]):
        text = _blob(host, repo, f"{tree}:{path}") if number < MAX_FILES_READ else ""
        found.append(Conflict(path, kind, hunks_of(text, names)))
    return found


def merge_tree_messages(out: str, names: dict[str, str]) -> str:
    """Return the messages about conflicts in the output of `git merge-tree -z`, one per line."""
    fields = out.split("\0")
    at, messages = fields.index("", 1) + 1, []
    while at < len(fields) and fields[at].isdecimal():
        kind, message = fields[at + int(fields[at]) + 1 : at + int(fields[at]) + 3]
        messages += [message.strip()] if kind.startswith("CONFLICT") else []
        at += int(fields[at]) + 3
    text = "\n".join(messages[:MAX_FILES])
    for commit, name in names.items():
        text = text.replace(commit, name)
    return text


def _blob(host: HostConnection, repo: str, name: str) -> str:
    """Return the start of a file in a tree; empty for a submodule or a path that does not exist."""
    done = call_git(host, {"path": repo, "args": ["cat-file", "blob", name], "max_output": MAX_BYTES})
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


def leftover_markers(text: str) -> bool:
    """Return whether a file still contains conflict markers."""
    wanted = iter((OURS, SEPARATOR, THEIRS))
    want = next(wanted)
    for line in text.split("\n"):
        if want.match(line):
            following = next(wanted, None)
            if following is None:
                return True
            want = following
    return False

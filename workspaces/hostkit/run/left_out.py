"""Work of a run that is in no commit: in a stash, in files that git overlooks, in ignored source files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List

from ..escapes import some_of
from ..git import unseen
from ..wire import RunSpec

if TYPE_CHECKING:
    from .commit import Git

ENDINGS = """
    .py .pyi .ipynb .js .mjs .cjs .jsx .ts .tsx .vue .svelte .go .rs .rb .java .kt .scala .c .h .cc .cpp .hpp
    .cs .fs .swift .m .php .pl .lua .r .jl .ex .exs .erl .hs .ml .clj .dart .zig .nim .sh .bash .ps1 .sql
    .html .css .scss .less .md .rst .tex .txt .yaml .yml .toml .proto .graphql .tf .patch
"""
SOURCE = frozenset(ENDINGS.split())
"""Endings of files that people and agents write, and tools seldom do."""
OUTPUT = {"build", "dist", "out", "target", "coverage", "htmlcov", "site", "tmp", "temp", "log", "logs"}
"""Ignored folders that tools write into."""
MAX_WALKED = 5000


def left_out(git: "Git", spec: RunSpec, since: float) -> List[str]:
    """Return a sentence for each kind of work that the branch lacks."""
    found = []
    stashes = _stashes(git, str(spec.get("branch") or ""))
    if stashes:
        found.append(f"Work of this branch is in a stash, not in a commit: {some_of(stashes)}.")
    hidden = unseen.hidden_changes(git.worktree, git.output_of)
    if hidden:
        marks = "assume-unchanged or skip-worktree"
        found.append(f"Not committed, because git is told to overlook changes ({marks}): {some_of(hidden)}.")
    ignored = _new_sources(git, spec, since)
    if ignored:
        found.append(f"Not committed, because git ignores these new files: {some_of(ignored)}.")
    return found


def _stashes(git: "Git", branch: str) -> List[str]:
    """Return the stashes that were made on the branch, which all worktrees of a repository share."""
    listed = git.output_of(["stash", "list", "-z", "--format=%gd: %gs"], {}, "").split("\0")
    kinds = (f": On {branch}: ", f": WIP on {branch}: ")
    return [line[:200] for line in listed if branch and any(kind in line for kind in kinds)]


def _new_sources(git: "Git", spec: RunSpec, since: float) -> List[str]:
    copied = set(spec.get("copied") or [])
    entries = unseen.ignored_files(git.worktree, git.output_of)
    names = [name for entry in entries for name in _sources(git.worktree, entry)]
    return [name for name in names if name not in copied and _is_new(git.worktree / name, since)]


def _sources(top: Path, entry: str) -> Iterator[str]:
    """Yield the source files of an ignored entry; none of folders that tools write into."""
    path = top / entry
    if not entry.endswith("/"):
        if path.suffix.lower() in SOURCE:
            yield entry
        return
    walked = 0
    for folder, folders, names in os.walk(str(path)):
        here = Path(folder)
        skipped = here.name.lower() in OUTPUT
        folders[:] = [] if skipped else sorted(n for n in folders if not unseen.is_regenerated(here / n))
        walked += len(names)
        if walked > MAX_WALKED:
            return
        for name in () if skipped else sorted(names):
            if Path(name).suffix.lower() in SOURCE:
                yield str((here / name).relative_to(top))


def _is_new(path: Path, since: float) -> bool:
    try:
        return path.lstat().st_mtime >= since
    except OSError:
        return False

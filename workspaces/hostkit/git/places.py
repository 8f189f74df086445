"""Where the git folders of worktrees are, as recorded when the app created or first opened them.

The `.git` file of a worktree is not asked: an agent could make it name any other folder.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple, Optional

from ..files import dumps, read_json, write_atomic
from ..folder import state_dir
from .trusted import TrustedFolder

MAX_LINK = 4096


class UnsafeGitFolder(Exception):
    """Something was changed in a worktree so that git would work in another folder, or wait for ever."""


class GitFolders(NamedTuple):
    """A worktree and its git folders, all as absolute paths."""

    top: str
    "Its top folder; empty for a repository without a worktree."
    git_dir: str
    common_dir: str

    @property
    def trusted(self) -> TrustedFolder:
        return TrustedFolder(self.common_dir)


def record(path: str, git_dir: str, common_dir: str) -> None:
    """Remember a worktree, and trust its repository as it is now unless it is known already."""
    place = {"path": path, "git_dir": git_dir, "common_dir": common_dir}
    if read_json(_record_path(path)) != place:
        write_atomic(_record_path(path), dumps(place))
    TrustedFolder(common_dir).trust_once()
    _repair_link(Path(path) / ".git", git_dir)


def _repair_link(link: Path, git_dir: str) -> None:
    """Let a new worktree's `.git` file name the repository: `git worktree add` names the trusted folder."""
    if link.is_file() and str(state_dir() / "git") in first_line(link):
        write_atomic(link, os.fsencode(f"gitdir: {git_dir}\n"), 0o644)


def find(path: str) -> Optional[GitFolders]:
    """Return the worktree or repository that contains `path`; None if there is none.

    Raises UnsafeGitFolder if its `.git` file names another repository than when it was recorded.
    """
    folder = Path(os.path.normpath(path))
    for candidate in (folder, *folder.parents):
        found = _recorded(candidate) or _discovered(candidate)
        if found:
            return found
    return None


def _record_path(path: str) -> Path:
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return state_dir() / "git" / "places" / f"{name}.json"


def _recorded(folder: Path) -> Optional[GitFolders]:
    known = read_json(_record_path(str(folder)))
    if not known or not folder.is_dir():
        return None
    git_dir, common_dir = known["git_dir"], known["common_dir"]
    if _belongs(git_dir, common_dir, folder):
        return GitFolders(_top(folder, git_dir), git_dir, common_dir)
    found = _discovered(folder)
    if found and not (
        found.common_dir == common_dir != found.git_dir and _belongs(found.git_dir, common_dir, folder)
    ):
        raise UnsafeGitFolder(f"{folder} does not belong to the repository {common_dir} any more.")
    return found


def _belongs(git_dir: str, common_dir: str, folder: Path) -> bool:
    """Return whether the git folder exists and is the one of the worktree at `folder`."""
    if git_dir == common_dir:
        return Path(git_dir).is_dir()
    back = first_line(Path(git_dir) / "gitdir")
    return bool(back) and os.path.realpath(_target(Path(git_dir), back)) == os.path.realpath(folder / ".git")


def _discovered(folder: Path) -> Optional[GitFolders]:
    link = folder / ".git"
    if link.is_dir():
        git_dir = os.path.realpath(link)
    elif link.is_file():
        # The real path: before `record`, a new worktree's link leads through the trusted folder.
        git_dir = os.path.realpath(_target(folder, first_line(link).partition("gitdir:")[2]))
    elif (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
        git_dir = str(folder)
    else:
        return None
    common = first_line(Path(git_dir) / "commondir")
    common_dir = _target(Path(git_dir), common) if common else git_dir
    return GitFolders(_top(folder, git_dir), git_dir, common_dir) if Path(git_dir).is_dir() else None


def _top(folder: Path, git_dir: str) -> str:
    """Return the top folder of the worktree; the parent folder for the path of a `.git` folder itself."""
    if str(folder) != git_dir:
        return str(folder)
    return str(folder.parent) if folder.name == ".git" else ""


def _target(folder: Path, link: str) -> str:
    return os.path.normpath(folder / link.strip())


def first_line(path: Path) -> str:
    """Return the content of a short file; empty if it is missing or not a regular file."""
    try:
        handle = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(handle, MAX_LINK).decode("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        return ""
    finally:
        os.close(handle)

"""Verbs that look for repositories and list folders. No link is followed, and each search has bounds."""

from __future__ import annotations

import os
import time
from collections import deque
from itertools import islice
from pathlib import Path
from stat import S_ISDIR
from typing import Deque, Iterator, List, Optional, Set, Tuple

from ..wire import (
    FilesInside,
    FilesParams,
    FindParams,
    FolderContent,
    FoundRepositories,
    FoundRepository,
    PathParams,
    SubFolder,
)
from .files import content_inside
from .requests import Request, RequestFailure

HOME_DEPTH, OTHER_DEPTH = 4, 2
"""Levels of folders below a place that are searched."""
OTHER_PLACES = (
    *("/srv", "/opt", "/work", "/workspace", "/workspaces", "/repos", "/projects", "/code", "/var/www"),
)
SKIPPED = {"node_modules", "__pycache__", "venv", "site-packages", "Library", "snap"}
WORKTREES = ".worktrees"
"""The end of the names of folders in which the app creates worktrees."""
MAX_ENTRIES = 100_000
"""Entries of all folders that a search looks at."""
MAX_LISTED, MAX_LOOKED_AT = 1000, 20_000
"""Folders in an answer, and entries of one folder that are looked at."""
MAX_HEAD = 500
BRANCH = "ref: refs/heads/"
USED = ("HEAD", "index", "logs/HEAD")
REMOTE_DISKS = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "autofs", "ceph", "gluster", "lustre")
"""Starts of the names of file systems that can be slow or not answer at all."""


def find_repositories(params: FindParams, request: Request) -> FoundRepositories:
    """Find repositories that have their git folder inside, the last used ones first."""
    search = _Search(time.monotonic() + float(params["seconds"]), request)
    found = sorted(search.run(), key=lambda each: each["used_at"], reverse=True)
    most = int(params["most"])
    return {"repositories": found[:most], "complete": search.complete and len(found) <= most}


class _Search:
    """A breadth-first search, so that what lies near is found before the time is over."""

    def __init__(self, deadline: float, request: Request) -> None:
        self.complete = True
        self._deadline = deadline
        self._request = request
        self._left = MAX_ENTRIES
        self._remote = set(_remote_disks())
        self._seen: Set[str] = set()

    def run(self) -> Iterator[FoundRepository]:
        home = str(Path.home())
        todo: Deque[Tuple[str, int]] = deque([(home, HOME_DEPTH)])
        todo.extend((place, OTHER_DEPTH) for place in OTHER_PLACES if not Path(place).is_symlink())
        while todo:
            path, depth = todo.popleft()
            if path in self._seen:
                continue
            self._seen.add(path)
            if self._is_over():
                self.complete = False
                return
            found = repository_at(path)
            if found:
                yield found
            if depth and (not found or path == home):  # some keep their home folder in git
                todo.extend((below, depth - 1) for below in self._below(path))

    def _is_over(self) -> bool:
        return self._left <= 0 or time.monotonic() > self._deadline or self._request.cancelled

    def _below(self, path: str) -> List[str]:
        if path in self._remote:
            self.complete = False
            return []
        below = []
        for entry in _entries(path):
            self._left -= 1
            if _is_folder(entry) and entry.name not in SKIPPED and not entry.name.endswith(WORKTREES):
                below.append(entry.path)
        return sorted(below)


def repository_at(path: str) -> Optional[FoundRepository]:
    """Return the repository whose git folder lies in this folder. Worktrees and submodules have none."""
    git = Path(path, ".git")
    if not _is_plain_folder(git):
        return None
    head = content_inside(str(git), "HEAD", MAX_HEAD)[0]
    if head is None:
        return None
    text = head.decode("utf-8", "surrogateescape").strip()
    branch = text[len(BRANCH) :] if text.startswith(BRANCH) else ""
    return {"path": path, "branch": branch, "used_at": max(_changed_at(git / name) for name in USED)}


def list_folder(params: PathParams, _request: Request) -> FolderContent:
    """Return the folders in a folder that a user has named."""
    path = os.path.normpath(params["path"])
    if not Path(path).is_dir():
        raise RequestFailure("not_found", f"There is no folder {path}.")
    names = sorted(
        (entry.name for entry in islice(os.scandir(path), MAX_LOOKED_AT) if _is_folder(entry)),
        key=lambda name: (name.lower(), name),
    )
    folders: List[SubFolder] = [
        {"name": name, "is_repository": _is_plain_folder(Path(path, name, ".git"))}
        for name in names[:MAX_LISTED]
    ]
    return {"path": path, "folders": folders, "left_out": len(names) - len(folders)}


def read_files(params: FilesParams, _request: Request) -> FilesInside:
    """Return the starts of the files that exist, without following a link below the folder."""
    result = {}
    for name in params["names"]:
        data, _ = content_inside(params["folder"], name, int(params["limit"]))
        if data is not None:
            result[name] = data.decode("utf-8", "surrogateescape")
    return result


def _entries(path: str) -> Iterator["os.DirEntry[str]"]:
    try:
        yield from islice(os.scandir(path), MAX_LOOKED_AT)
    except OSError:
        return


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_plain_folder(path: Path) -> bool:
    try:
        return S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _changed_at(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _remote_disks() -> Iterator[str]:
    """Yield where disks of other machines are mounted: to read there can take for ever."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 2 and fields[2].startswith(REMOTE_DISKS):
            yield fields[1].replace("\\040", " ")

"""Verbs that look for repositories on the host, and that clone one."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class FindParams(TypedDict):
    """Bounds of a search for repositories below the home folder and the usual folders for projects."""

    seconds: float
    most: int
    "Repositories; those that were used last are kept."


class FoundRepository(TypedDict):
    path: str
    branch: str
    "The branch that is checked out; empty if HEAD is detached, or can't be read."
    used_at: float
    "When git last changed HEAD or the index."


class FoundRepositories(TypedDict):
    repositories: List[FoundRepository]
    complete: bool
    "Whether the search ended before its bounds were reached."


class SubFolder(TypedDict):
    name: str
    is_repository: bool


class FolderContent(TypedDict):
    """The folders in a folder, without hidden ones and links."""

    path: str
    folders: List[SubFolder]
    left_out: int
    "Folders that are not listed, because there are too many."


class FilesParams(TypedDict):
    folder: str
    names: List[str]
    limit: int
    "Bytes to read of each file."


FilesInside = Dict[str, str]
"""The starts of those files that exist."""


class CloneParams(TypedDict):
    url: str
    "Passed on to git as one argument, after the end of its options."
    target: str
    "The absolute path of a folder that does not exist."


class StartedClone(TypedDict):
    id: str


class CloneId(TypedDict):
    id: str


class CloneState(TypedDict):
    state: Literal["running", "done", "failed"]
    line: str
    "The last line of git's progress."
    errors: List[str]
    "The last lines that git printed, if it failed."
    target: str


class CloneSpec(TypedDict):
    """What `hostkit clone DIR` does, in `spec.json`."""

    url: str
    target: str


class CloneOutcome(TypedDict):
    """How a clone ended, in `outcome.json`."""

    ok: bool
    errors: NotRequired[List[str]]

"""Verbs of `serve` about files and folders."""

from __future__ import annotations

import sys
from typing import List, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class InsideParams(TypedDict):
    """A file by its name in a folder, for example in a worktree. Links are not followed."""

    folder: str
    name: str
    limit: NotRequired[int]
    "Bytes to read; default 16 MiB."


class FileInside(TypedDict):
    """The start of a file. The text of a link is what it points to; pipes and devices have none."""

    exists: bool
    "Whether it is a file or a link."
    data: str
    size: int


class IndexParams(TypedDict):
    path: str
    "A worktree."
    index: str
    "Path of an index file; empty for the worktree's own."


class NamesParams(TypedDict):
    """Files by their names in a folder."""

    folder: str
    names: List[str]


class FileNames(TypedDict):
    names: List[str]


class UnseenParams(TypedDict):
    path: str
    "A worktree."
    untracked: List[str]
    "Its untracked files that are not folders."
    ignored: bool
    "Whether to list ignored files, too."


class Unseen(TypedDict):
    """Work that `git status` does not show."""

    hidden: List[str]
    "Changed files that are marked as assume-unchanged or skip-worktree."
    links: List[str]
    "Untracked links to folders that git would ignore if they were folders."
    ignored: List[str]
    "Ignored files, and folders with a `/` at the end, without what tools create again."


class ArchiveParams(TypedDict):
    path: str
    "A worktree."
    original: str
    "The main checkout, whose files need not be kept; empty if there is none."
    archive: str
    "Path of the archive."


class KeptFiles(TypedDict):
    kept: int
    "Number of files in the archive. There is no archive without files."
    too_large: List[str]
    "Ignored files and folders that are not kept because of their size."


class PathParams(TypedDict):
    path: str


class FileStat(TypedDict):
    exists: bool
    is_dir: bool
    size: int
    mtime: float


class ReadParams(TypedDict):
    path: str
    offset: NotRequired[int]
    limit: NotRequired[int]
    "Bytes; default 16 MiB."


class FileText(TypedDict):
    data: str
    size: int
    "Size of the whole file in bytes."


class WriteParams(TypedDict):
    path: str
    data: str
    mode: NotRequired[int]
    "Permissions; default 0600."
    exclusive: NotRequired[bool]
    "Fail with `exists` if the file exists."


class Nothing(TypedDict):
    """An empty answer."""


class CopyParams(TypedDict):
    source: str
    target: str
    patterns: List[str]
    "Globs relative to the source."


class SkippedFile(TypedDict):
    path: str
    why: str


class CopiedFiles(TypedDict):
    copied: List[str]
    skipped: List[SkippedFile]


class ListFilesParams(TypedDict):
    path: str
    "A worktree, or the repository of the commit."
    commit: str
    "A branch or commit; empty for the files of the worktree."
    known: str
    "Digest of the known list; empty if there is none."


class ListedFiles(TypedDict):
    names: List[str]
    digest: str
    unchanged: bool
    "The digest is the known one, and `names` is empty."
    left_out: int
    "Number of files that are not listed: names with control characters, and those beyond the limit."

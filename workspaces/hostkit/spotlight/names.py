"""Paths of files in a checkout: which are safe, and their parents opened without following links."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import Iterable, Iterator, List, Optional, Set

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
IGNORED_BY_HFS = {*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF}
"""Characters that some file systems leave out of names."""


def is_safe(path: str) -> bool:
    """Return whether a path leads to a file below the folder, outside of every git folder."""
    return all(_is_safe_part(part) for part in path.split("/"))


def _is_safe_part(part: str) -> bool:
    plain = part.translate(dict.fromkeys(IGNORED_BY_HFS)).casefold()
    bare = plain.partition(":")[0].rstrip(". ")
    return part not in ("", ".", "..") and "\0" not in part and bare not in (".git", "git~1")


def parents(path: str) -> List[str]:
    """Return the folders that a path is in, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def all_parents(paths: Iterable[str]) -> Set[str]:
    return {parent for path in paths for parent in parents(path)}


@contextmanager
def open_parent(top: int, path: str) -> Iterator[Optional[int]]:
    """Open the folder that a path is in, without following links; None if there is no such folder."""
    folder: Optional[int] = os.dup(top)
    try:
        for part in path.split("/")[:-1]:
            assert folder is not None
            inner = _open_folder(folder, part)
            os.close(folder)
            folder = inner
            if folder is None:
                break
        yield folder
    finally:
        if folder is not None:
            os.close(folder)


def _open_folder(parent: int, name: str) -> Optional[int]:
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def base(path: str) -> str:
    return path.rpartition("/")[2]


def look_at(top: int, path: str) -> Optional[os.stat_result]:
    """Return what is at a path, which may be a link; None if there is nothing, or a link before it."""
    with open_parent(top, path) as folder:
        if folder is None:
            return None
        try:
            return os.stat(base(path), dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None


def is_folder(top: int, path: str) -> bool:
    there = look_at(top, path)
    return bool(there and stat.S_ISDIR(there.st_mode))


def is_file(top: int, path: str) -> bool:
    """Return whether there is anything but a folder."""
    there = look_at(top, path)
    return bool(there and not stat.S_ISDIR(there.st_mode))


def files_below(top: int, path: str) -> List[str]:
    """Return the files in a folder, and the folders in it that are empty."""
    found: List[str] = []
    for folder, folders, names, _ in os.fwalk(path, dir_fd=top, follow_symlinks=False):
        found += [f"{folder}/{name}" for name in names]
        found += [f"{folder}/{name}" for name in folders if is_file(top, f"{folder}/{name}")]  # links
        if not folders and not names:
            found.append(folder)
    return found

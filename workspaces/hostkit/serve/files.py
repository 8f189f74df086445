"""Verbs for files. Bytes that are not UTF-8 are encoded as surrogates."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import Dict, Iterator, List, Optional, Set, Tuple

from ..files import write_atomic
from ..wire import (
    CopiedFiles,
    CopyParams,
    FileInside,
    FileNames,
    FileStat,
    FileText,
    InsideParams,
    NamesParams,
    Nothing,
    PathParams,
    ReadParams,
    SkippedFile,
    WriteParams,
)
from .requests import Request, RequestFailure

DEFAULT_LIMIT = 16 * 1024 * 1024
MAX_DIGESTED = 64 * 1024 * 1024
"""A change after these bytes changes a digest only if it changes the size."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def read(params: ReadParams, _request: Request) -> FileText:
    """Return a part of a file as text, and the size of the whole file in bytes."""
    # Not blocking: a pipe has no content, and opening it would wait for a writer for ever.
    with os.fdopen(os.open(params["path"], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as source:
        known = os.fstat(source.fileno())
        if not S_ISREG(known.st_mode):
            raise RequestFailure("not_found", f"{params['path']} is not a regular file")
        size = known.st_size
        source.seek(int(params.get("offset") or 0))
        limit = params.get("limit")
        data = source.read(DEFAULT_LIMIT if limit is None else int(limit))
    return {"data": data.decode("utf-8", "surrogateescape"), "size": size}


def read_inside(params: InsideParams, _request: Request) -> FileInside:
    """Return the start of a file below a folder, without following a link at any place below it."""
    limit = int(params.get("limit") or DEFAULT_LIMIT)
    data, size = content_inside(params["folder"], params["name"], limit)
    if data is None:
        return {"exists": False, "data": "", "size": 0}
    return {"exists": True, "data": data.decode("utf-8", "surrogateescape"), "size": size}


def read_binary(params: InsideParams, _request: Request) -> FileInside:
    """Like `read_inside`, with the data in base64: bytes that are no text need far less room then."""
    data, size = content_inside(params["folder"], params["name"], int(params.get("limit") or DEFAULT_LIMIT))
    return {"exists": data is not None, "data": base64.b64encode(data or b"").decode("ascii"), "size": size}


def digests(params: NamesParams, _request: Request) -> Dict[str, str]:
    """Return the object ids that git would give to the content of regular files below a folder."""
    found = {}
    for name in params["names"]:
        data, size = content_inside(params["folder"], name, MAX_DIGESTED)
        if data is not None:
            found[name] = hashlib.sha1(b"blob %d\0" % size + data).hexdigest()
    return found


def special_files(params: NamesParams, _request: Request) -> FileNames:
    """Return the names where there is neither a file nor a link nor a folder."""
    folder = Path(params["folder"])
    return {"names": [name for name in params["names"] if _is_special(folder / name)]}


def _is_special(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not (S_ISREG(mode) or S_ISLNK(mode) or S_ISDIR(mode))


def obstacles(params: NamesParams, _request: Request) -> FileNames:
    """Return what lies where git would create these files: the file, or what is in the place of a parent.

    An obstacle has the name that its folder gives it, which can differ in case or in Unicode form.
    """
    top = Path(params["folder"])
    known: Dict[PurePosixPath, Optional[str]] = {}
    found = {_obstacle(top, PurePosixPath(name), known) for name in params["names"]}
    return {"names": sorted(found - {""})}


def _obstacle(top: Path, name: PurePosixPath, known: Dict[PurePosixPath, Optional[str]]) -> str:
    """Return the obstacle of one path; empty if there is none. `known` has the results for folders."""
    for folder in reversed(list(name.parents)[:-1]):
        if folder not in known:
            mode = _mode(top / folder)
            known[folder] = _name_there(top, folder) if mode and not S_ISDIR(mode) else (None if mode else "")
        blocked = known[folder]
        if blocked is not None:
            return blocked
    return _name_there(top, name) if _mode(top / name) else ""


def _mode(path: Path) -> int:
    """Return the mode of what is at the path itself; 0 if there is nothing."""
    try:
        return path.lstat().st_mode
    except (OSError, ValueError):
        return 0


def _name_there(top: Path, name: PurePosixPath) -> str:
    """Return the name as its folder has it."""
    with suppress(OSError):
        entries = {entry.name: entry.inode() for entry in os.scandir(str((top / name).parent))}
        if name.name not in entries:
            inode = (top / name).lstat().st_ino
            return str(name.with_name(next((each for each in entries if entries[each] == inode), name.name)))
    return str(name)


def content_inside(folder: str, name: str, limit: int) -> Tuple[Optional[bytes], int]:
    """Return the start of a file and its size; the target of a link. None for all else."""
    opened: List[int] = []
    try:
        opened.append(os.open(folder, FOLDER))
        *parents, last = PurePosixPath(name).parts
        for part in parents:
            if part == "..":
                return None, 0
            opened.append(os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=opened[-1]))
        return _read_entry(opened[-1], last, limit)
    except (OSError, ValueError):
        return None, 0
    finally:
        for handle in opened:
            os.close(handle)


def _read_entry(folder: int, name: str, limit: int) -> Tuple[Optional[bytes], int]:
    """Read one entry of an open folder. Raises OSError."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if S_ISLNK(mode):
        target = os.fsencode(os.readlink(name, dir_fd=folder))
        return target, len(target)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as source:
        known = os.fstat(source.fileno())
        return (source.read(limit), known.st_size) if S_ISREG(known.st_mode) else (None, 0)


def write(params: WriteParams, _request: Request) -> Nothing:
    data = params["data"].encode("utf-8", "surrogateescape")
    mode = params.get("mode")
    write_atomic(
        Path(params["path"]), data, 0o600 if mode is None else int(mode), bool(params.get("exclusive"))
    )
    return {}


def stat(params: PathParams, _request: Request) -> FileStat:
    path = Path(params["path"])
    try:
        known = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False, "is_dir": False, "size": 0, "mtime": 0}
    return {"exists": True, "is_dir": path.is_dir(), "size": known.st_size, "mtime": known.st_mtime}


def copy(params: CopyParams, _request: Request) -> CopiedFiles:
    """Copy the files that match the globs from one folder to another. Existing files are not changed."""
    source, target = Path(params["source"]), Path(params["target"])
    if not source.is_dir():
        raise RequestFailure("not_found", f"{source}: no such folder")
    copied: List[str] = []
    skipped: List[SkippedFile] = []
    for name in _names(source, target, params["patterns"], skipped):
        reason = _copy_one(source, target, name)
        if reason:
            skipped.append({"path": name, "why": reason})
        else:
            copied.append(name)
    return {"copied": copied, "skipped": skipped}


def _names(source: Path, target: Path, patterns: List[str], skipped: List[SkippedFile]) -> Iterator[str]:
    seen: Set[str] = set()
    for pattern in patterns:
        if not _is_inside(pattern):
            skipped.append({"path": pattern, "why": "outside the folder"})
            continue
        for match in sorted(source.glob(pattern)):
            for path in _files_below(match):
                name = str(path.relative_to(source))
                if name not in seen and not _is_excluded(path, source, target):
                    seen.add(name)
                    yield name


def _is_inside(pattern: str) -> bool:
    path = PurePosixPath(pattern)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _is_excluded(path: Path, source: Path, target: Path) -> bool:
    """Whether a path must not be copied: git's own files, or a target folder inside the source folder."""
    return ".git" in path.relative_to(source).parts or target == path or target in path.parents


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(str(path)):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted(names + links):
            yield Path(folder) / name


def _copy_one(source: Path, target: Path, name: str) -> str:
    """Copy one file. Return why it was skipped, or an empty string."""
    path, destination = source / name, target / name
    if destination.is_symlink() or destination.exists():
        return "already exists"
    if not _is_below(destination.parent, target):
        return "its folder is a link out of the worktree"
    if path.is_symlink():
        return _copy_link(path, destination, source)
    if not path.is_file():
        return "not a regular file"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(path), str(destination))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _copy_link(path: Path, destination: Path, source: Path) -> str:
    if not _is_below(path, source):
        return "a link out of the folder"
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.symlink_to(os.readlink(path))  # noqa: PTH115 (Path.readlink needs Python 3.9)
    return ""


def _is_below(path: Path, folder: Path) -> bool:
    root = folder.resolve()
    resolved = path.resolve()
    return resolved == root or root in resolved.parents

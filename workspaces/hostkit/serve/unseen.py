"""Verbs for work that `git status` does not show: find it, keep ignored files, and put them back."""

from __future__ import annotations

import filecmp
import os
import shutil
import tarfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..files import make_private_folder
from ..git import unseen
from ..wire import ArchiveParams, GitParams, KeptFiles, Nothing, Unseen, UnseenParams
from .git import git
from .requests import Request, RequestFailure

SECONDS = 60.0
MAX_OUTPUT = 512 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
MAX_FILES = 5000
"""Limits of an archive of ignored files."""
MAX_WALKED = 50_000
MAX_NAMED = 50


def find(params: UnseenParams, request: Request) -> Unseen:
    """Return overlooked changes, ignored files, and which of `untracked` are links in place of folders."""
    top, run = Path(params["path"]), _runner(params["path"], request)
    return {
        "hidden": unseen.hidden_changes(top, run),
        "links": unseen.ignored_as_folders(top, params["untracked"], run),
        "ignored": unseen.ignored_files(top, run) if params["ignored"] else [],
    }


def _runner(path: str, request: Request) -> unseen.RunGit:
    def run(args: List[str], variables: Dict[str, str], stdin: str) -> str:
        params: GitParams = {"path": path, "args": args, "stdin": stdin, "max_output": MAX_OUTPUT}
        params["timeout"] = SECONDS
        if variables:
            params["env"] = variables
        done = git(params, request)
        return "" if done["truncated"] or done["rc"] else done["out"]

    return run


class Found(NamedTuple):
    """One ignored file or folder, with the files in it that are to be kept."""

    name: str
    files: List[Path]
    size: int
    complete: bool
    "False if the folder has too many files to look at all of them."


def keep_ignored(params: ArchiveParams, request: Request) -> KeptFiles:
    """Write the ignored files of a worktree into an archive, small ones first, as far as the limits allow.

    Copies that equal the file in the main checkout, and what tools create again, are left out.
    """
    top, original = Path(params["path"]), Path(params["original"]) if params["original"] else None
    names = unseen.ignored_files(top, _runner(params["path"], request))
    found = [_found(top, name, original) for name in names]
    kept: List[Path] = []
    too_large: List[str] = []
    size = 0
    for each in sorted((each for each in found if each.files or not each.complete), key=lambda e: e.size):
        fits = size + each.size <= MAX_BYTES and len(kept) + len(each.files) <= MAX_FILES
        if not (each.complete and fits):
            too_large.append(each.name)
            continue
        kept, size = kept + each.files, size + each.size
    if kept:
        _write(top, kept, Path(params["archive"]))
    return {"kept": len(kept), "too_large": sorted(too_large)[:MAX_NAMED]}


def _found(top: Path, name: str, original: Optional[Path]) -> Found:
    files: List[Path] = []
    size = 0
    for walked, path in enumerate(_files_below(top / name)):
        if walked > MAX_WALKED:
            return Found(name, files, size, complete=False)
        if original is None or not _is_same(path, original / path.relative_to(top)):
            files.append(path)
            size += path.lstat().st_size
    return Found(name, files, size, complete=True)


def _files_below(path: Path) -> Iterator[Path]:
    """Yield regular files and links below a path, without following links."""
    if path.is_symlink() or path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(str(path)):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if not unseen.is_regenerated(Path(folder) / name)]
        for name in (*names, *links):
            entry = Path(folder) / name
            if entry.is_symlink() or (entry.is_file() and not unseen.is_regenerated(entry)):
                yield entry


def _is_same(path: Path, original: Path) -> bool:
    """Return whether both are the same kind of file with the same content."""
    try:
        if path.is_symlink() or original.is_symlink():
            return os.readlink(str(path)) == os.readlink(str(original))  # noqa: PTH115 (needs Python 3.9)
        return original.is_file() and filecmp.cmp(str(path), str(original), shallow=False)
    except OSError:
        return False


def _write(top: Path, files: List[Path], archive: Path) -> None:
    make_private_folder(archive.parent)
    part = archive.with_name(archive.name + ".part")
    with os.fdopen(os.open(str(part), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        with tarfile.open(fileobj=target, mode="w:gz") as tar:
            for path in files:
                tar.add(str(path), arcname=str(path.relative_to(top)), recursive=False)
        target.flush()
        os.fsync(target.fileno())
    part.replace(archive)


def restore_ignored(params: ArchiveParams, _request: Request) -> Nothing:
    """Put the files of an archive back into a worktree. Existing files are not changed."""
    top = Path(params["path"])
    try:
        tar = tarfile.open(params["archive"])  # noqa: SIM115 (closed below)
    except (OSError, tarfile.TarError) as error:
        raise RequestFailure("not_found", f"{params['archive']}: {error}") from None
    with tar:
        for member, target in _inside(tar, top):
            if not os.path.lexists(str(target)) and target.parent.resolve() == _real(target.parent, top):
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract(tar, member, target)
    return {}


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        target.symlink_to(member.linkname)
        return
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(member.mode & 0o777)
    os.utime(str(target), (member.mtime, member.mtime))


def _inside(tar: tarfile.TarFile, top: Path) -> Iterator[Tuple[tarfile.TarInfo, Path]]:
    for member in tar:
        path = Path(member.name)
        if (member.isfile() or member.issym()) and not path.is_absolute() and ".." not in path.parts:
            yield member, top / path


def _real(folder: Path, top: Path) -> Path:
    """Return the folder's path if no part below the worktree is a link."""
    return top.resolve() / folder.relative_to(top)

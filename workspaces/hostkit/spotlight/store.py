"""The files that Spotlight has taken out of a checkout, and those that it has not put there yet.

`new/7` is there until it is put, `kept/7` from then until it is back. The store is on the same file system as
the checkout: files are renamed and linked, so that no content is copied, and each step is one system call.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Optional

from .names import FOLDER, base, look_at, open_parent

CHUNK = 1024 * 1024
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV)


class Store:
    """An open checkout, and the store of what is shown there."""

    def __init__(self, top: str, folder: Path) -> None:
        self.folder = folder
        for name in ("kept", "new"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.top = os.open(top, FOLDER & ~os.O_NOFOLLOW)
        self.kept, self.new = (os.open(str(folder / name), FOLDER) for name in ("kept", "new"))

    def close(self) -> None:
        for handle in (self.top, self.kept, self.new):
            os.close(handle)

    def remove(self) -> None:
        """Remove the store, unless it still has a file of the checkout."""
        if not os.listdir(self.kept):  # noqa: PTH208 (an open folder)
            shutil.rmtree(str(self.folder), ignore_errors=True)

    # what is where

    def is_put(self, number: int) -> bool:
        """Return whether the new file has left the store."""
        return _stat(self.new, str(number)) is None

    def has_kept(self, number: int) -> bool:
        return _stat(self.kept, str(number)) is not None

    def is_same(self, number: int, path: str) -> bool:
        """Return whether the kept file is still in its place, too."""
        kept, there = _stat(self.kept, str(number)), look_at(self.top, path)
        return bool(kept and there and os.path.samestat(kept, there))

    def is_new_there(self, number: int, path: str) -> bool:
        """Return whether the file to put is in its place already, too."""
        new, there = _stat(self.new, str(number)), look_at(self.top, path)
        if not new or not there:
            return False
        if stat.S_ISLNK(new.st_mode) and stat.S_ISLNK(there.st_mode):
            return self.mark_of_new(number) == self.mark_at(path)
        return os.path.samestat(new, there)

    def mark_at(self, path: str) -> Optional[str]:
        """Return the mark of what is at a path; None if there is nothing."""
        with open_parent(self.top, path) as folder:
            return mark(folder, base(path)) if folder is not None else None

    def mark_of_new(self, number: int) -> Optional[str]:
        return mark(self.new, str(number))

    # moves

    @contextmanager
    def folder_of(self, path: str) -> Iterator[int]:
        """Open the folder that a path is in. Raises NotADirectoryError."""
        with open_parent(self.top, path) as folder:
            if folder is None:
                raise NotADirectoryError(errno.ENOTDIR, "its folder is gone", path)
            yield folder

    def hold(self, number: int, path: str) -> None:
        """Keep the file that is about to be replaced. It stays in its place, if the file system has links."""
        with self.folder_of(path) as folder:
            try:
                os.link(
                    base(path), str(number), src_dir_fd=folder, dst_dir_fd=self.kept, follow_symlinks=False
                )
            except FileExistsError:
                raise
            except (OSError, NotImplementedError) as error:
                if isinstance(error, OSError) and error.errno not in NO_LINKS:
                    raise
                os.rename(base(path), str(number), src_dir_fd=folder, dst_dir_fd=self.kept)

    def take(self, number: int, path: str) -> None:
        """Move a file from the checkout to the kept ones."""
        with self.folder_of(path) as folder:
            os.rename(base(path), str(number), src_dir_fd=folder, dst_dir_fd=self.kept)

    def put_over(self, number: int, path: str) -> None:
        """Put the new file in place of the one that `hold` has kept."""
        with self.folder_of(path) as folder:
            os.rename(str(number), base(path), src_dir_fd=self.new, dst_dir_fd=folder)

    def put(self, number: int, path: str) -> None:
        """Put the new file where there is none. Raises FileExistsError."""
        with self.folder_of(path) as folder:
            known = os.stat(str(number), dir_fd=self.new, follow_symlinks=False)
            if stat.S_ISLNK(known.st_mode):
                os.symlink(os.readlink(str(number), dir_fd=self.new), base(path), dir_fd=folder)
            elif not self._link_new(number, path, folder):
                return
            os.unlink(str(number), dir_fd=self.new)

    def _link_new(self, number: int, path: str, folder: int) -> bool:
        """Return False if there are no links here, and the file was renamed instead."""
        try:
            os.link(str(number), base(path), src_dir_fd=self.new, dst_dir_fd=folder)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if look_at(self.top, path):
                raise FileExistsError(errno.EEXIST, "exists", path) from None
            os.rename(str(number), base(path), src_dir_fd=self.new, dst_dir_fd=folder)
            return False
        return True

    def fetch(self, number: int, path: str) -> None:
        """Move the new file, or what became of it, out of the checkout again."""
        with suppress(FileNotFoundError, NotADirectoryError), self.folder_of(path) as folder:
            os.rename(base(path), str(number), src_dir_fd=folder, dst_dir_fd=self.new)
            return
        self.touch_new(number)  # somebody has removed it

    def touch_new(self, number: int) -> None:
        os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=self.new))

    def give_back(self, number: int, path: str) -> None:
        """Move a kept file back to its place."""
        with self.folder_of(path) as folder:
            os.rename(str(number), base(path), src_dir_fd=self.kept, dst_dir_fd=folder)

    def drop_kept(self, number: int) -> None:
        with suppress(FileNotFoundError):
            os.unlink(str(number), dir_fd=self.kept)


def mark(folder: int, name: str) -> Optional[str]:
    """Return a text that identifies kind, executable bit and content of a file; None if there is none."""
    known = _stat(folder, name)
    if known is None:
        return None
    if stat.S_ISLNK(known.st_mode):
        target = os.fsencode(os.readlink(name, dir_fd=folder))
        return f"link {hashlib.sha256(target).hexdigest()}"
    if not stat.S_ISREG(known.st_mode):
        return f"other {stat.S_IFMT(known.st_mode)}"
    digest = hashlib.sha256()
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(handle, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return f"{'x' if known.st_mode & 0o100 else '-'} {digest.hexdigest()}"


def _stat(folder: int, name: str) -> Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None

"""What Spotlight does in a checkout, written down before it is done."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..files import dumps, make_private_folder, read_json, write_atomic
from .names import is_safe

VERSION = 1
PATIENCE = 30.0
"""Seconds to wait for another command of Spotlight in the same checkout."""


class Busy(Exception):
    """Another command of Spotlight is at work in this checkout."""


class ReplacedFile(NamedTuple):
    """One file that Spotlight puts, replaces or removes; its number is its place in the list."""

    path: str
    had: bool
    "Whether there was a file before, which is kept."
    new: Optional[str]
    "Mark of the file that is put there; None if there is none."
    clean: bool
    "Whether the file was as HEAD has it."


class SpotlightJournal(NamedTuple):
    """`phase` is `showing`, `shown` or `returning`."""

    phase: str
    store: str
    "Name of the folder with the files that are kept, and those to put."
    head: str
    "The commit that was checked out."
    head_ref: str
    "The branch that was checked out; empty if HEAD was detached."
    commit: str
    "The commit that is shown."
    tree: str
    "The tree of HEAD with the change of that commit."
    owner: Dict[str, Any]
    "What the app passed: who shows which task."
    rescue: str
    since: float
    entries: List[ReplacedFile]
    made: List[str]
    "Folders that Spotlight makes."
    removed: List[Tuple[str, int]]
    "Folders that become empty and are removed, with their modes."

    @property
    def paths(self) -> List[str]:
        return [entry.path for entry in self.entries]


class SpotlightRecords:
    """The files in which a checkout's Spotlight is recorded, in its git folder."""

    def __init__(self, git_dir: str) -> None:
        self.folder = Path(git_dir) / "aitask" / "spotlight"
        self.file = Path(git_dir) / "aitask" / "spotlight.json"

    def read(self) -> Optional[SpotlightJournal]:
        """Return the journal; None if nothing is shown. Raises ValueError if it is not one of ours."""
        if not os.path.lexists(str(self.file)):
            return None
        content = read_json(self.file)
        try:
            return _journal(content or {})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.file} can't be read: {error}") from None

    def write(self, journal: SpotlightJournal) -> None:
        content = dict(journal._asdict(), version=VERSION, entries=[list(each) for each in journal.entries])
        write_atomic(self.file, dumps(content))

    def clear(self) -> None:
        self.file.unlink()

    @contextmanager
    def locked(self, patience: Optional[float] = None) -> Iterator[None]:
        """Let one process at a time work in the checkout. Raises Busy."""
        make_private_folder(self.folder)
        if not stat.S_ISDIR(os.lstat(str(self.folder)).st_mode):
            raise ValueError(f"{self.folder} is not a folder.")
        with (self.folder / "lock").open("w") as lock:
            deadline = time.monotonic() + (PATIENCE if patience is None else patience)
            while not _try_to_lock(lock.fileno()):
                if time.monotonic() > deadline:
                    raise Busy
                time.sleep(0.02)
            yield

    def remove_stale(self) -> None:
        """Remove stores of killed processes, except for one that has files of the checkout."""
        journal = self.read()
        for store in self.folder.iterdir():
            is_current = journal is not None and journal.store == store.name
            if store.is_dir() and not is_current and not any((store / "kept").glob("*")):
                shutil.rmtree(str(store), ignore_errors=True)

    def is_idle(self) -> bool:
        """Return whether no process works in the checkout now."""
        try:
            with self.locked(patience=0.0):
                return True
        except Busy:
            return False


def originals(git_dir: str) -> Dict[str, Optional[Path]]:
    """Map the files that differ because of Spotlight to the user's own, or None if HEAD has the same."""
    records = SpotlightRecords(git_dir)
    try:
        journal = records.read()
    except ValueError:
        journal = None
    if journal is None:
        return {}
    kept = records.folder / journal.store / "kept"
    numbered = enumerate(journal.entries)
    return {entry.path: None if entry.clean else kept / str(number) for number, entry in numbered}


def _journal(content: Dict[str, Any]) -> SpotlightJournal:
    if content.get("version") != VERSION:
        raise ValueError("it is of another version")
    values = {name: content[name] for name in SpotlightJournal._fields}
    values["entries"] = [ReplacedFile(*each) for each in content["entries"]]
    values["removed"] = [(str(path), int(mode)) for path, mode in content["removed"]]
    journal = SpotlightJournal(**values)
    names = [*journal.paths, *journal.made, *(path for path, _ in journal.removed)]
    if not all(map(is_safe, names)) or not journal.store.isalnum():
        raise ValueError("it names files outside of the checkout")
    return journal


def _try_to_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

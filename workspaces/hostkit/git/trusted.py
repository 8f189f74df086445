"""The trusted folder of a repository: its objects and refs, with the configuration and hooks a person chose.

It is a git folder below the app's state folder, where agents can't write. Configuration and hooks are copies,
made when the repository was added and again when a person accepts a change. All else is links to the
repository, so that both have the same objects, refs and worktrees. git uses it as `GIT_COMMON_DIR`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..files import dumps, make_private_folder, read_json, write_atomic
from ..folder import state_dir
from . import settings
from .settings import Setting

if TYPE_CHECKING:
    from ..wire import Json

OWN = {"config", "config.worktree", "hooks", "index", "trusted.json"}
"""Names that are never linked to the repository's git folder. The index belongs to a worktree."""
CREATED_BY_GIT = ("worktrees", "logs")
"""Folders that git creates when it needs them. It could not create them behind a link."""
MAX_HOOK_BYTES = 4 * 1024 * 1024
MAX_HOOKS = 500
MAX_SHOWN_BYTES = 256 * 1024
CONFIG_SECONDS = 30.0
"""How long a configuration that did not change is not read again, in a process that lives long."""
TURN_SECONDS = 10.0
"""How long a command waits for others that change the list of worktrees."""


class PreparedFolder(NamedTuple):
    """A trusted folder that is up to date."""

    path: str
    drivers: List[str]
    "Keys of filters and drivers whose program lies in the worktree."


SETTLED_SECONDS = 2.0
"""A folder that was changed later than so long ago may change again without a new time."""

_linked: Dict[str, object] = {}
"""The state of a repository's git folder when all of it was linked, by trusted folder."""
_prepared: Dict[str, Tuple[object, float, PreparedFolder]] = {}


class ChangedHookFile(NamedTuple):
    """A hook that is new, changed or removed, with both contents; None if there is none."""

    name: str
    trusted: Optional[bytes]
    present: Optional[bytes]


class Untrusted(NamedTuple):
    """What differs from what is trusted: settings as (key, trusted, present), and hooks."""

    settings: List[Tuple[str, List[str], List[str]]]
    hooks: List[ChangedHookFile]
    digest: str
    "Identifies this state. Accepting it fails if something changed meanwhile."
    declined: bool
    "Whether a person has decided not to use this state."


class TrustedFolder:
    """The trusted folder of the repository whose shared git folder is `common_dir`."""

    def __init__(self, common_dir: str) -> None:
        self.common_dir = common_dir
        name = hashlib.sha256(os.fsencode(os.path.realpath(common_dir))).hexdigest()[:32]
        self.path = state_dir() / "git" / name

    def trust_once(self) -> None:
        """Trust the present configuration and hooks, unless a state of them is trusted already."""
        if self._record() is None:
            with self._locked():
                if self._record() is None:
                    self._trust()

    def prepare(self) -> PreparedFolder:
        """Bring the folder up to date.

        A repository that was never trusted gets no hooks and no setting that names a program.
        """
        make_private_folder(self.path)
        self._link()
        signature = _signature(Path(self.common_dir) / "config")
        known = _prepared.get(self.common_dir)
        if known and known[0] == signature and time.monotonic() - known[1] < CONFIG_SECONDS:
            return known[2]
        found = settings.effective(self._trusted_settings(), self._present(includes=False))
        self._write_config(settings.as_file(found))
        prepared = PreparedFolder(str(self.path), settings.drivers_in_the_tree(found))
        _prepared[self.common_dir] = (signature, time.monotonic(), prepared)
        return prepared

    def changes(self) -> Untrusted:
        """Return what a person has to look at before the app uses it."""
        record = self._record() or {}
        now = self._present(includes=True)
        hooks = _digests(self._hooks_of_repository)
        before = record.get("hooks") or {}
        names = sorted(name for name in {*before, *hooks} if before.get(name) != hooks.get(name))
        found = settings.changes(self._trusted_settings(), now)
        changed = [self._changed_hook(name) for name in names]
        digest = _digest([found, {name: hooks.get(name) for name in names}])
        return Untrusted(found, changed, digest, declined=digest == record.get("declined"))

    def decide(self, digest: str, *, use: bool) -> bool:
        """Use the present state, or keep the trusted one without asking again.

        Return whether the present state still is the one with this digest; nothing changes otherwise.
        """
        with self._locked():
            if self.changes().digest != digest:
                return False
            if use:
                self._trust()
            else:
                write_atomic(self.path / "trusted.json", dumps(dict(self._record() or {}, declined=digest)))
        _prepared.pop(self.common_dir, None)
        return True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the commands of all processes that change the list of worktrees run one after another.

        Goes on without a turn if another command takes long: git fails then at worst, and is run again.
        """
        make_private_folder(self.path)
        with (self.path / ".worktrees.lock").open("w") as lock:
            deadline = time.monotonic() + TURN_SECONDS
            while not _try_to_lock(lock) and time.monotonic() < deadline:
                time.sleep(0.02)
            yield

    # parts

    @property
    def _hooks_of_repository(self) -> Path:
        return Path(self.common_dir) / "hooks"

    def _record(self) -> "Optional[Json]":
        return read_json(self.path / "trusted.json")

    def _trusted_settings(self) -> List[Setting]:
        return [(key, value) for key, value in (self._record() or {}).get("settings") or []]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock, against other threads and processes."""
        make_private_folder(self.path)
        with (self.path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _changed_hook(self, name: str) -> ChangedHookFile:
        return ChangedHookFile(
            name, _content(self.path / "hooks" / name), _content(self._hooks_of_repository / name)
        )

    def _trust(self) -> None:
        make_private_folder(self.path)
        present = self._present(includes=True)
        self._copy_hooks()
        record = {
            "common_dir": self.common_dir,
            "settings": present,
            "hooks": _digests(self._hooks_of_repository),
        }
        write_atomic(self.path / "trusted.json", dumps(record))

    def _present(self, *, includes: bool) -> List[Setting]:
        path = Path(self.common_dir) / "config"
        if not path.is_file():  # a pipe would block git
            return []
        with suppress(subprocess.SubprocessError):  # not valid: git itself refuses it, too
            return settings.read_settings(path, includes=includes)
        return []

    def _write_config(self, content: bytes) -> None:
        path = self.path / "config"
        if not path.exists() or path.read_bytes() != content:
            write_atomic(path, content)

    def _link(self) -> None:
        """Link what the repository's git folder contains, except what is the folder's own."""
        content = _signature(Path(self.common_dir))
        if _linked.get(str(self.path)) == content and (self.path / "objects").exists():
            return
        (self.path / "hooks").mkdir(mode=0o700, exist_ok=True)
        for name in CREATED_BY_GIT:
            with suppress(OSError):  # git will say why it can't write there
                (Path(self.common_dir) / name).mkdir(exist_ok=True)
        names = {entry.name for entry in os.scandir(self.common_dir)} | {"packed-refs", "shallow"}
        for name in names - OWN:
            link = self.path / name
            if not name.endswith(".lock") and not os.path.lexists(str(link)):
                with suppress(FileExistsError):
                    link.symlink_to(Path(self.common_dir) / name)
        if time.time() - Path(self.common_dir).stat().st_mtime > SETTLED_SECONDS:
            _linked[str(self.path)] = content

    def _copy_hooks(self) -> None:
        target = self.path / "hooks"
        fresh = Path(tempfile.mkdtemp(prefix=".hooks-", dir=str(self.path)))
        for name, source in _hook_files(self._hooks_of_repository):
            copy = fresh / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(source), str(copy))
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=".hooks-old-", dir=str(self.path)))
            target.rename(old / "hooks")
            fresh.rename(target)
            shutil.rmtree(str(old), ignore_errors=True)
        else:
            fresh.rename(target)


def _try_to_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _hook_files(folder: Path) -> Iterator[Tuple[str, Path]]:
    """Return (relative name, path) of the files in the hooks folder, without git's samples."""
    count, size = 0, 0
    for parent, folders, names in os.walk(str(folder)):
        folders.sort()
        for name in sorted(names):
            path = Path(parent) / name
            if name.endswith(".sample") or not path.is_file():
                continue
            count, size = count + 1, size + path.stat().st_size
            if count > MAX_HOOKS or size > MAX_HOOK_BYTES:
                return
            yield str(path.relative_to(folder)), path


def _digests(folder: Path) -> Dict[str, str]:
    found = {}
    for name, path in _hook_files(folder):
        executable = os.access(path, os.X_OK)
        found[name] = hashlib.sha256(path.read_bytes() + bytes([executable])).hexdigest()
    return found


def _content(path: Path) -> Optional[bytes]:
    return path.read_bytes()[:MAX_SHOWN_BYTES] if path.is_file() else None


def _digest(value: object) -> str:
    return hashlib.sha256(dumps(value)).hexdigest()


def _signature(path: Path) -> object:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size, known.st_ino

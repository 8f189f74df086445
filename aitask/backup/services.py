"""Making, listing, checking and removing backups."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from aitask.backup import archive, database
from aitask.backup.archive import DATA, Manifest
from aitask.lib.errors import Refused
from tasks.attachments import store
from workspaces.models import Installation

NAME = re.compile(r"(aitask|before-restore)-\d{8}T\d{6}Z\.tar\.gz")
STATE = "state.json"
STAMP = "%Y%m%dT%H%M%SZ"
DAY = timedelta(days=1)
LATE = timedelta(days=2)
"""A newest backup that is older than this deserves a warning."""


@dataclass(frozen=True)
class Backup:
    """A backup in the folder of backups."""

    path: Path
    made_at: datetime
    size: int
    "Bytes."
    checked_at: datetime | None
    "When it was last read as a whole and compared with its manifest; None if never."
    error: str
    "What is wrong with it; empty if nothing is known."

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_from_restore(self) -> bool:
        """Whether it keeps what was there before a restore."""
        return self.name.startswith("before-restore")


def folder() -> Path:
    """Return the folder of the backups that are made without a file name."""
    path: Path = settings.BACKUP_DIR
    return path


def make(path: Path) -> Manifest:
    """Write a backup to a new file, while the app runs or not. Raises Refused."""
    if path.exists():
        raise Refused(f"{path} exists already.", "Choose another name: a backup replaces no file.")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch_folder = tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent)
        with scratch_folder as scratch, store.nothing_removed():
            manifest = _describe()
            copy = Path(scratch, manifest.database)
            database.dump(copy)
            archive.write(path, manifest, {manifest.database: copy, **_data_files()})
    except OSError as error:
        raise Refused(f"The backup {path} could not be written: {error.strerror or error}.") from error
    return manifest


def make_in_folder(prefix: str = "aitask") -> Backup:
    """Write a backup to the folder of backups, and note how that went. Raises Refused."""
    path = folder() / f"{prefix}-{datetime.now(UTC):{STAMP}}.tar.gz"
    try:
        make(path)
    except Refused as error:
        _note(failed_at=_now(), error=str(error))
        raise
    _note(failed_at="", error="")
    _note_check(path.name, "")
    return next(backup for backup in listed() if backup.path == path)


def make_due() -> Backup | None:
    """Make the backup of the day if it is due, remove old ones, and check one of the others."""
    _note(since=_state().get("since") or _now())
    with _alone() as first:
        if not first or not settings.BACKUP_DAYS or not is_due():
            return None
        made = make_in_folder()
        remove_old()
        check_oldest_check()
        return made


def is_due() -> bool:
    """Whether the newest backup is a day old. An hour less, because the job runs once per hour."""
    newest = _newest()
    return newest is None or newest.made_at <= timezone.now() - DAY + timedelta(hours=1)


def remove_old() -> list[str]:
    """Remove the backups that are older than BACKUP_DAYS, but never the newest one."""
    limit = timezone.now() - timedelta(days=settings.BACKUP_DAYS)
    old = [backup for backup in listed()[1:] if settings.BACKUP_DAYS and backup.made_at < limit]
    for backup in old:
        backup.path.unlink(missing_ok=True)
    return [backup.name for backup in old]


def check_oldest_check() -> None:
    """Read one backup as a whole, the one whose last check is longest ago."""
    if backups := listed():
        check(min(backups, key=lambda backup: backup.checked_at or datetime.min.replace(tzinfo=UTC)))


def check(backup: Backup) -> str:
    """Read a backup as a whole; return what is wrong with it, empty if nothing is."""
    try:
        archive.verify(backup.path)
    except (Refused, OSError) as error:
        _note_check(backup.name, str(error))
        return str(error)
    _note_check(backup.name, "")
    return ""


def listed() -> list[Backup]:
    """Return the backups in the folder, the newest first."""
    checks: dict[str, Any] = _state().get("checked", {})
    found = []
    with contextlib.suppress(OSError):
        for path in folder().iterdir():
            if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                noted = checks.get(path.name, {})
                made_at = _time_in(path.name)
                checked = datetime.fromisoformat(noted["at"]) if noted.get("at") else None
                found.append(Backup(path, made_at, path.stat().st_size, checked, noted.get("error", "")))
    return sorted(found, key=lambda backup: (backup.made_at, backup.name), reverse=True)


def _time_in(name: str) -> datetime:
    return datetime.strptime(name.removesuffix(".tar.gz")[-16:], STAMP).replace(tzinfo=UTC)


def find(name: str) -> Backup | None:
    """Return the backup of this name in the folder."""
    return next((backup for backup in listed() if backup.name == name), None)


def problem() -> str:
    """Return what is wrong with the daily backups, as a sentence; empty if nothing is."""
    if not settings.BACKUP_DAYS:
        return ""
    state, newest = _state(), _newest()
    if state.get("error"):
        return f"The last backup failed: {state['error']}"
    if newest and newest.error:
        return f"The newest backup, {newest.name}, is damaged: {newest.error}"
    since = datetime.fromisoformat(state["since"]) if state.get("since") else None
    last = newest.made_at if newest else since
    if last and last < timezone.now() - LATE:
        days = (timezone.now() - last).days
        return f"The newest backup is {days} days old." if newest else f"For {days} days there was no backup."
    return ""


def _newest() -> Backup | None:
    """Return the newest backup of the running state."""
    return next((backup for backup in listed() if not backup.is_from_restore), None)


def _describe() -> Manifest:
    from aitask.version import VERSION

    counts = database.counts()
    installation = Installation.objects.first() if "user" in counts else None
    return Manifest(
        created_at=_now(),
        engine=database.engine(),
        version=VERSION,
        installation=installation.key if installation else "",
        migrations=database.migrations(),
        counts=counts,
    )


def _data_files() -> dict[str, Path]:
    """Return the files of DATA_DIR by member name, without the database, backups and unfinished files."""
    data_dir: Path = settings.DATA_DIR
    found: dict[str, Path] = {}
    kept_out = {folder().resolve(), *(data_dir / name for name in archive.OF_PROCESSES)}
    for path in sorted(_walk(data_dir, kept_out)):
        is_database = path.resolve().as_posix().startswith(_database())
        is_backup = path.parent == data_dir and path.name.endswith(".tar.gz")
        if not (is_database or is_backup or path.name.endswith((".new", ".lock", ".lock-journal"))):
            name = DATA + path.relative_to(data_dir).as_posix()
            archive.check_name(name)
            found[name] = path
    return found


def _database() -> str:
    """Return how the paths of an SQLite database begin: with its log it has three files."""
    return Path(database.name()).resolve().as_posix() if database.engine() == "sqlite" else "\0"


def _walk(top: Path, kept_out: set[Path]) -> Iterator[Path]:
    for path in top.iterdir():
        if path in kept_out or path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path, kept_out)
        elif path.is_file():
            yield path


@contextlib.contextmanager
def _alone() -> Iterator[bool]:
    """Hold the lock of the folder, by SQLite; yield False if another process makes a backup."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = sqlite3.connect(folder() / "backup.lock", isolation_level=None, timeout=0)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            yield False
        else:
            yield True
    finally:
        lock.close()


def _now() -> str:
    return timezone.now().isoformat(timespec="seconds")


def _state() -> dict[str, Any]:
    try:
        found = json.loads((folder() / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(**values: Any) -> None:
    """Keep what is known of the backups beside them: the database may be what is broken."""
    state = {**_state(), **values}
    with contextlib.suppress(OSError):  # a full disk
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder() / f".{STATE}.new"
        temporary.write_text(json.dumps(state, indent=1))
        temporary.chmod(0o600)
        temporary.replace(folder() / STATE)


def _note_check(name: str, error: str) -> None:
    names = {backup.name for backup in listed()}
    kept = {key: value for key, value in _state().get("checked", {}).items() if key in names}
    _note(checked={**kept, name: {"at": _now(), "error": error}})


def copy_as_it_is(target: Path) -> None:
    """Copy the files of a database that can't be read, before a restore replaces them."""
    target.mkdir(mode=0o700, parents=True)
    for suffix in ("", "-wal", "-shm"):
        path = Path(database.name() + suffix)
        if path.exists():
            shutil.copy2(path, target)

"""Going back to a backup. Whenever it is killed, the installation has the old state or the new one."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from aitask.backup import archive, database, services, switch
from aitask.backup.archive import DATA, Manifest
from aitask.lib.errors import Refused
from aitask.supervisor import preflight


@dataclass(frozen=True)
class Restored:
    """The result of a restore."""

    manifest: Manifest
    kept: str
    "Where the state of before is kept; empty if there was none."


def inspect(path: Path) -> Manifest:
    """Return the manifest of a backup that can be restored here. Raises Refused."""
    try:
        manifest = archive.verify(path)
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror or error}.") from error
    here = database.engine()
    if manifest.engine != here:
        hint = "Set DATABASE_URL to a database of that kind, or restore it where it was made."
        raise Refused(f"It is a backup of {manifest.engine}, but this installation uses {here}.", hint)
    _refuse_newer(manifest)
    return manifest


def _refuse_newer(manifest: Manifest) -> None:
    known = set(MigrationLoader(None).disk_migrations)
    unknown = [
        f"{app}.{name}"
        for app, names in manifest.migrations.items()
        for name in names
        if (app, name) not in known
    ]
    if unknown:
        reason = f"It was made by a newer version ({manifest.version}): this one does not know {unknown[0]}."
        raise Refused(reason, "Install that version or a newer one, then restore.")


def restore(path: Path) -> Restored:
    """Replace the database and the files of DATA_DIR by those of a backup. Raises Refused.

    The app must be stopped. The state of before becomes a backup first.
    """
    try:
        lock = preflight.take_data_dir(settings.DATA_DIR)
    except preflight.NotReady as error:
        raise Refused(str(error)) from error
    try:
        inspect(path)
        for left in settings.DATA_DIR.glob(".restore-*"):  # by a restore that was killed
            shutil.rmtree(left, ignore_errors=True)
        database.recover_postgresql()
        database.refuse_if_in_use()
        staging = settings.DATA_DIR / f".restore-{secrets.token_hex(6)}"
        try:
            manifest = archive.extract(path, staging)
            kept = _keep_present()
            _put_in_place(manifest, staging)
        finally:
            _discard(staging)
        return Restored(manifest, kept)
    finally:
        lock.close()


def recover() -> bool:
    """Undo or complete a restore that was interrupted; return whether there was one."""
    return database.recover_postgresql()


def _keep_present() -> str:
    """Make a backup of the present state; copy the files of a database that can't be read."""
    try:
        if not database.counts():
            return ""
        return str(services.make_in_folder("before-restore").path)
    except (DatabaseError, Refused) as error:
        if database.engine() != "sqlite":
            reason = error.reason if isinstance(error, Refused) else " ".join(str(error).split())
            raise Refused(
                f"The present state could not be kept, so nothing was restored: {reason}"
            ) from error
        target = services.folder() / f"before-restore-{datetime.now(UTC):{services.STAMP}}"
        services.copy_as_it_is(target)
        return str(target)
    finally:
        connection.close()


def _put_in_place(manifest: Manifest, staging: Path) -> None:
    data_dir: Path = settings.DATA_DIR
    names = [name for name in manifest.members if name.startswith(DATA)]
    moves = [(staging / name, data_dir / name.removeprefix(DATA)) for name in names]
    if manifest.engine == "postgresql":
        database.load_postgresql(staging / manifest.database)
        switch.decide(data_dir, staging, moves, [])
    else:
        database.check_sqlite(staging / manifest.database)
        target = Path(database.name())
        near = target.with_name(f".{target.name}.restored")  # on the same disk, so that it can be renamed
        shutil.copyfile(staging / manifest.database, near)
        near.chmod(0o600)
        with near.open("rb+") as copy:
            os.fsync(copy.fileno())
        logs = [Path(f"{target}{suffix}") for suffix in ("-wal", "-shm", "-journal")]
        switch.decide(data_dir, staging, [(near, target), *moves], logs)
    switch.finish(data_dir)


def _discard(staging: Path) -> None:
    """Remove what was unpacked, unless a restore that was decided still needs it."""
    if not (settings.DATA_DIR / switch.PLAN).exists():
        shutil.rmtree(staging, ignore_errors=True)

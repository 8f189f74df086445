"""Copies of the database that are consistent while it is being written to, and the way back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from aitask.backup.archive import BadBackup
from aitask.lib.errors import Refused

KEPT_SCHEMA = "aitask_before_restore"
"""Holds the tables of before while a PostgreSQL backup is restored. If it exists, the restore did not end."""
SECONDS = 6 * 3600
CLIENT_HINT = (
    "Install PostgreSQL's client programs of the server's version, for example: apt install postgresql-client"
)
COUNTED = ("auth_user", "workspaces_workspace", "tasks_task", "tasks_run", "tasks_event")


def engine() -> str:
    """Return sqlite or postgresql."""
    return str(connection.vendor)


def name() -> str:
    return str(connection.settings_dict["NAME"])


def dump(target: Path) -> None:
    """Write a consistent copy of the whole database. Raises Refused."""
    if engine() == "sqlite":
        _copy_sqlite(target)
    else:
        _run_client("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    target.chmod(0o600)


def _copy_sqlite(target: Path) -> None:
    try:
        with closing(sqlite3.connect(name())) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)  # in one step, so that no writer disturbs it
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise Refused(f"The database could not be copied: {error}.", "Is the disk full?") from error
    check_sqlite(target)


def check_sqlite(path: Path) -> None:
    """Raise BadBackup unless the file is a sound database."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("PRAGMA integrity_check(3)").fetchall()
    except sqlite3.Error as error:
        raise BadBackup(f"The database in it is damaged: {error}.") from error
    if found != [("ok",)]:
        raise BadBackup(f"The database in it is damaged: {'; '.join(str(row[0]) for row in found)}.")


def migrations() -> dict[str, list[str]]:
    """Return the applied migrations by app."""
    found: dict[str, list[str]] = {}
    for app, migration in sorted(MigrationRecorder(connection).applied_migrations()):
        found.setdefault(app, []).append(migration)
    return found


def counts() -> dict[str, int]:
    """Return the rows of the main tables."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        found = {}
        for table in COUNTED:
            if table in there:
                cursor.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 (a constant)
                found[table.partition("_")[2]] = cursor.fetchone()[0]
    return found


def refuse_if_in_use() -> None:
    """Raise Refused if another process has the database open."""
    hint = "Stop the app first: `manage.py up`, or each web server, worker and follower."
    if engine() == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            others = cursor.fetchone()[0]
        if others:
            raise Refused(f"The database is in use by {others} other connections.", hint)
        return
    connection.close()
    path = Path(name())
    if not path.exists() or not path.stat().st_size:
        return
    database = sqlite3.connect(path, timeout=1, isolation_level=None)
    try:
        # Leaving the write-ahead log needs the database for oneself. Django turns it on again.
        database.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Refused("The database is in use by another process.", hint) from error
    except sqlite3.DatabaseError:
        pass  # a damaged one can be in nobody's use
    finally:
        database.close()


def load_postgresql(dump: Path) -> None:
    """Replace the tables of the database by those of a dump: all of them, or none. Raises Refused.

    The tables of before stay in a schema of their own until all others are there.
    """
    _run_client("pg_restore", "--list", str(dump))  # before anything is changed
    recover_postgresql()
    _execute(f"ALTER SCHEMA public RENAME TO {KEPT_SCHEMA}", "CREATE SCHEMA public")
    try:
        options = (
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--schema=public",
        )
        _run_client("pg_restore", *options, f"--dbname={name()}", str(dump))
    except BaseException:
        recover_postgresql()
        raise
    _execute(f"DROP SCHEMA {KEPT_SCHEMA} CASCADE")


def recover_postgresql() -> bool:
    """Undo a restore that was interrupted; return whether there was one."""
    if engine() != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [KEPT_SCHEMA])
        if cursor.fetchone() is None:
            return False
    _execute("DROP SCHEMA IF EXISTS public CASCADE", f"ALTER SCHEMA {KEPT_SCHEMA} RENAME TO public")
    return True


def _execute(*statements: str) -> None:
    """Execute the statements in one transaction."""
    from django.db import transaction

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        hint = "The database's user must own the database and its schema “public”."
        raise Refused(f"PostgreSQL refused: {reason}.", hint) from error
    finally:
        connection.close()


def _run_client(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's client programs. Raises Refused."""
    if shutil.which(program) is None:
        raise Refused(f"{program} was not found, which backups of PostgreSQL need.", CLIENT_HINT)
    done = subprocess.run(
        [program, "--no-password", *arguments],
        env=_client_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        hint = CLIENT_HINT if "version" in done.stderr else ""
        raise Refused(f"{program} failed: {' '.join(lines[-3:])[-600:] or done.returncode}.", hint)


def _client_environment() -> dict[str, str]:
    """Return the variables that say where the database is: a password must not be an argument."""
    given = connection.settings_dict
    names = {
        "PGHOST": "HOST",
        "PGPORT": "PORT",
        "PGUSER": "USER",
        "PGPASSWORD": "PASSWORD",
        "PGDATABASE": "NAME",
    }
    values = {variable: str(given.get(key) or "") for variable, key in names.items()}
    options = {"PGSSLMODE": given.get("OPTIONS", {}).get("sslmode")}
    kept = {key: str(value) for key, value in {**values, **options}.items() if value}
    return {**os.environ, **kept}

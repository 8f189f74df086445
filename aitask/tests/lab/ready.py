"""Databases with tables, and with an administrator: they take long, so they are created once and copied."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import shared
from .databases import new_database, url_of
from .tools import PROJECT, search_path

USERNAME, PASSWORD = "ada", "correct horse battery"
MIGRATE = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
"""
ADMINISTRATOR = f"""
call_command("createsuperuser", "--noinput", "-v0", username={USERNAME!r}, email="ada@lab.invalid")
call_command("create_api_token", {USERNAME!r})
connection.close()
"""


@dataclass(frozen=True)
class Ready:
    """A SQLite file or the name of a database on the server, and its administrator's API token."""

    file: Path | None
    name: str
    token: str

    def copy_to(self, folder: Path) -> None:
        """Copy a SQLite file; the server copies its databases by name."""
        if self.file:
            shutil.copy(self.file, folder)


def empty_tables() -> Path:
    """Return a SQLite database with all tables and no rows, in one file to be copied."""
    return shared.made_once("tables", _make_tables) / "db.sqlite3"


def ready_database(server: str) -> Ready:
    """Return the database with an administrator; `server` is the URL of a PostgreSQL server, or empty."""
    kind = hashlib.sha256(server.encode()).hexdigest()[:16] if server else "sqlite"
    made = shared.made_once(f"ready-{kind}", partial(_make_ready, server))
    name, token = (made / "name").read_text(), (made / "token").read_text()
    return Ready(None if server else made / "db.sqlite3", name, token)


def _make_tables(folder: Path) -> None:
    _run(MIGRATE, folder)
    with sqlite3.connect(folder / "db.sqlite3") as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def _make_ready(server: str, folder: Path) -> None:
    name = new_database(server) if server else ""
    if not server:
        shutil.copy(empty_tables(), folder)
    said = _run(MIGRATE + ADMINISTRATOR, folder, url_of(server, name) if server else "")
    (folder / "name").write_text(name)
    (folder / "token").write_text(said.split()[-1])


def _run(code: str, folder: Path, database: str = "") -> str:
    environment = {
        "PATH": search_path(),
        "HOME": str(folder),
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "aitask.settings",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        **({"DATABASE_URL": database} if database else {}),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

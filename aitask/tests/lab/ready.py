"""A database with tables and an administrator, which takes long and so is created once and copied."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .databases import new_database, url_of
from .tools import PROJECT, search_path

USERNAME, PASSWORD = "ada", "correct horse battery"
SET_UP = f"""
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
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


@functools.cache
def ready_database(server: str) -> Ready:
    """Create the database. `server` is the URL of a PostgreSQL server, or empty for SQLite."""
    folder = Path(tempfile.mkdtemp(prefix="aitask-ready-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    name = new_database(server) if server else ""
    environment = {
        "PATH": search_path(),
        "HOME": str(folder),
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "aitask.settings",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        **({"DATABASE_URL": url_of(server, name)} if server else {}),
    }
    done = subprocess.run(
        [sys.executable, "-c", SET_UP],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Ready(None if server else folder / "db.sqlite3", name, done.stdout.split()[-1])

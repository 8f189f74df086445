"""Back to a backup, by the commands, on both databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.backup import database
from aitask.supervisor.preflight import take_data_dir
from aitask.tests.installation import ROOT, Installation, make_installation
from aitask.tests.lab.databases import new_database, url_of
from aitask.tests.lab.ready import ready_database
from aitask.tests.lab.services import PostgreSQL

pytestmark = [pytest.mark.server, pytest.mark.slow]

ADD_USER = "from django.contrib.auth.models import User; User.objects.create(username={!r})"
FILE = "a line of the attached file"
ATTACH = f"""
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from tasks.attachments import services
services.receive(SimpleUploadedFile("a.txt", {FILE.encode()!r}), User.objects.get(username="ada"))
"""
REMOVE = "\nfrom tasks.models import Attachment; Attachment.objects.get().delete()"
READ = (
    "from tasks.attachments import store; from tasks.models import Attachment; "
    "print(b''.join(store.read(Attachment.objects.get().sha256)).decode())"
)
EXECUTE = "from django.db import connection; connection.cursor().execute({!r})"
USERS = "from django.contrib.auth.models import User; print('users:', *map(str, User.objects.all()))"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = make_installation(tmp_path / "data")
    (tmp_path / "data" / "secret_key").write_text("k" * 50)
    yield made
    made.end()


def shell(installation: Installation, code: str) -> str:
    done = installation.run("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def backup(installation: Installation, path: Path) -> None:
    done = installation.run("backup", str(path))
    assert done.returncode == 0, done.stderr


def test_a_restore_brings_rows_and_keys_back_and_keeps_what_was_there(
    installation: Installation, tmp_path: Path
) -> None:
    shell(installation, ADD_USER.format("ada"))
    backup(installation, tmp_path / "b.tar.gz")
    shell(installation, ADD_USER.format("bob"))
    key = installation.data_dir / "secret_key"
    key.write_text("another" * 10)

    done = installation.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
    assert done.returncode == 0, done.stderr
    assert shell(installation, USERS) == "users: ada"
    assert key.read_text() == "k" * 50
    (kept,) = (installation.data_dir / "backups").glob("before-restore-*.tar.gz")
    assert installation.run("restore", str(kept), "--yes").returncode == 0
    assert shell(installation, USERS) == "users: ada bob"
    assert key.read_text() == "another" * 10
    assert not list(installation.data_dir.glob(".*"))


def test_a_restore_asks_and_refuses_while_the_app_runs(installation: Installation, tmp_path: Path) -> None:
    backup(installation, tmp_path / "b.tar.gz")
    unasked = installation.run("restore", str(tmp_path / "b.tar.gz"))
    assert (unasked.returncode, "add --yes" in unasked.stderr) == (1, True)
    lock = take_data_dir(installation.data_dir)
    running = installation.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
    lock.close()
    assert (running.returncode, "already running" in running.stderr) == (1, True)
    worker = sqlite3.connect(installation.data_dir / "db.sqlite3")
    worker.execute("PRAGMA journal_mode=WAL")
    worker.execute("SELECT * FROM auth_user").fetchall()
    in_use = installation.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
    worker.close()
    assert (in_use.returncode, "in use by another process" in in_use.stderr) == (1, True)
    assert not (installation.data_dir / "backups").exists() or not list(
        (installation.data_dir / "backups").glob("before-restore-*")
    )


def test_a_backup_is_consistent_while_others_write(installation: Installation, tmp_path: Path) -> None:
    """Each writer's transaction adds two rows: a copy in the middle of one would have an odd number."""
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        writer = sqlite3.connect(installation.data_dir / "db.sqlite3", timeout=20)
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE pairs (half INTEGER)")
        while not stop.is_set():
            with writer:
                writer.execute("INSERT INTO pairs VALUES (1)")
                writer.execute("INSERT INTO pairs VALUES (2)")
            written.set()
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(20)
        backup(installation, tmp_path / "b.tar.gz")
    finally:
        stop.set()
        thread.join()
    assert installation.run("restore", str(tmp_path / "b.tar.gz"), "--yes").returncode == 0
    rows = (
        sqlite3.connect(installation.data_dir / "db.sqlite3")
        .execute("SELECT COUNT(*), SUM(half = 1) FROM pairs")
        .fetchone()
    )
    assert rows[0] == 2 * rows[1] > 0


def test_a_database_that_can_not_be_read_is_kept_as_it_is(installation: Installation, tmp_path: Path) -> None:
    shell(installation, ADD_USER.format("ada"))
    backup(installation, tmp_path / "b.tar.gz")
    damaged = b"not a database at all" * 1000
    (installation.data_dir / "db.sqlite3").write_bytes(damaged)
    done = installation.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
    assert done.returncode == 0, done.stderr
    assert shell(installation, USERS) == "users: ada"
    (kept,) = (installation.data_dir / "backups").glob("before-restore-*")
    assert (kept / "db.sqlite3").read_bytes() == damaged


def test_a_restore_on_a_new_machine_needs_nothing_there(installation: Installation, tmp_path: Path) -> None:
    shell(installation, ADD_USER.format("ada") + ATTACH)
    backup(installation, tmp_path / "b.tar.gz")
    (tmp_path / "new").mkdir(mode=0o700)
    fresh = Installation(tmp_path / "new")
    done = fresh.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
    assert done.returncode == 0, done.stderr
    assert shell(fresh, USERS) == "users: ada"
    assert (tmp_path / "new" / "secret_key").read_text() == "k" * 50
    assert shell(fresh, READ) == FILE


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_commands_print_any_name_in_any_encoding(
    installation: Installation, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "Größe → 日本.tar.gz"
    done = subprocess.run(
        [sys.executable, "manage.py", "backup", str(path)],
        cwd=ROOT,
        env={**installation.environment, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"is written and checked" in done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    running = PostgreSQL()
    with running:
        yield running


class TestPostgreSQL:
    @pytest.fixture
    def served(self, tmp_path: Path, server: PostgreSQL) -> Iterator[Installation]:
        (tmp_path / "data").mkdir(mode=0o700)
        name = new_database(server.url, ready_database(server.url).name)
        made = Installation(tmp_path / "data", {"DATABASE_URL": url_of(server.url, name)})
        yield made
        made.end()

    @pytest.mark.long("starts PostgreSQL and several commands")
    def test_a_restore_brings_back_all_or_nothing(self, served: Installation, tmp_path: Path) -> None:
        shell(served, ATTACH)
        backup(served, tmp_path / "b.tar.gz")
        shell(served, ADD_USER.format("bob") + REMOVE)
        done = served.run("restore", str(tmp_path / "b.tar.gz"), "--yes")
        assert done.returncode == 0, done.stderr
        assert shell(served, USERS) == "users: ada"
        assert shell(served, READ) == FILE
        (kept,) = (served.data_dir / "backups").glob("before-restore-*.tar.gz")

        interrupted = f"ALTER SCHEMA public RENAME TO {database.KEPT_SCHEMA}; CREATE SCHEMA public"
        shell(served, EXECUTE.format(interrupted))
        done = served.run("restore", str(kept), "--yes")
        assert done.returncode == 0, done.stderr
        assert shell(served, USERS) == "users: ada bob"

    def test_it_says_what_is_missing(self, served: Installation, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", "backup", str(tmp_path / "b.tar.gz")],
            cwd=ROOT,
            env={**served.environment, "PATH": os.fspath(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "pg_dump was not found" in done.stderr
        assert "client programs" in done.stderr

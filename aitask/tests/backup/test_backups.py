"""Daily backups, their folder and their page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django_q.brokers import get_broker
from django_q.models import Schedule
from pytest_django import Settings

from aitask import checks
from aitask.backup import archive, database, jobs, restore, services
from aitask.lib.errors import Refused
from tasks.tests.factories import make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.BACKUP_DIR = settings.DATA_DIR / "backups"
    settings.BACKUP_DIR.mkdir(parents=True)
    (settings.DATA_DIR / "secret_key").write_text("the key")
    return settings.BACKUP_DIR  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of tests is in memory, or within a transaction: `test_restore` has the real copies."""

    def copy(target: Path) -> None:
        target.write_bytes(connection.connection.serialize() if database.engine() == "sqlite" else b"dump")

    monkeypatch.setattr(database, "dump", copy)
    # Tests run without migrations.
    monkeypatch.setattr(database, "migrations", lambda: {"tasks": ["0001_initial"]})


def old(folder: Path, days: float, prefix: str = "aitask") -> str:
    """Put a copy of a backup into the folder that was made so many days ago."""
    made = services.make_in_folder("before-restore")
    name = f"{prefix}-{datetime.now(UTC) - timedelta(days=days):{services.STAMP}}.tar.gz"
    made.path.rename(folder / name)
    return name


def test_a_backup_has_rows_keys_and_other_files(folder: Path, tmp_path: Path) -> None:
    run = make_run()
    (folder.parent / "attachments").mkdir()
    (folder.parent / "attachments" / "1").write_text("attached")
    for name in ("up.lock", "up.lock-journal", "restore.lock", "setup_token.new"):
        (folder.parent / name).write_text("")
    (folder.parent / "link").symlink_to("/etc/passwd")
    (folder / "aitask-20200101T000000Z.tar.gz").write_text("an earlier one")
    manifest = services.make(tmp_path / "b.tar.gz")
    assert (manifest.counts["run"], manifest.counts["task"]) == (1, 1)
    assert "0001_initial" in manifest.migrations["tasks"]
    known = archive.extract(tmp_path / "b.tar.gz", tmp_path / "out").members
    assert set(known) == {manifest.database, "data/secret_key", "data/attachments/1"}
    if manifest.engine == "sqlite":
        assert run.mark.encode() in (tmp_path / "out" / manifest.database).read_bytes()


def test_a_backup_that_can_not_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="could not be written"):
        services.make(tmp_path / "file" / "b.tar.gz")
    (tmp_path / "b.tar.gz").write_text("mine")
    with pytest.raises(Refused, match="exists already"):
        services.make(tmp_path / "b.tar.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "data", "file"]


def test_one_is_made_each_day(folder: Path) -> None:
    jobs.daily()
    jobs.daily()
    (made,) = services.listed()
    assert (made.error, made.checked_at is not None) == ("", True)
    made.path.rename(folder / f"aitask-{datetime.now(UTC) - timedelta(hours=25):{services.STAMP}}.tar.gz")
    jobs.daily()
    assert len(services.listed()) == 2


def test_old_ones_are_removed_but_never_the_last(folder: Path, settings: Settings) -> None:
    settings.BACKUP_DAYS = 14
    kept = [old(folder, 13), old(folder, 1)]
    gone = [old(folder, 15), old(folder, 40, "before-restore")]
    (folder / "mine-20200101T000000Z.tar.gz").write_text("of somebody else")
    assert sorted(services.remove_old()) == sorted(gone)
    assert sorted(backup.name for backup in services.listed()) == sorted(kept)
    assert (folder / "mine-20200101T000000Z.tar.gz").exists()
    settings.BACKUP_DAYS = 1
    (folder / kept[1]).unlink()
    assert services.remove_old() == []


def test_none_are_made_where_they_are_turned_off(settings: Settings) -> None:
    settings.BACKUP_DAYS = 0
    jobs.daily()
    assert services.listed() == []
    assert checks.backups_are_made(None) == []


def test_a_failed_one_is_told_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_target: Path) -> None:
        raise Refused("pg_dump was not found.", "Install it.")

    with monkeypatch.context() as patched:
        patched.setattr(database, "dump", fail)
        jobs.daily()
    (warning,) = checks.backups_are_made(None)
    assert "pg_dump was not found" in warning.msg
    jobs.daily()
    assert checks.backups_are_made(None) == []


def test_a_late_one_is_told_by_the_check(folder: Path) -> None:
    old(folder, 1.5)
    assert services.problem() == ""
    services.listed()[0].path.unlink()
    old(folder, 5)
    assert services.problem() == "The newest backup is 5 days old."
    services.make_in_folder("before-restore")
    assert services.problem() == "The newest backup is 5 days old.", "it is no daily one"


def test_an_installation_that_never_made_one_is_told_after_two_days(folder: Path) -> None:
    assert services.problem() == ""
    since = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    (folder / services.STATE).write_text(json.dumps({"since": since}))
    assert services.problem() == "For 3 days there was no backup."


def test_a_damaged_one_is_found_by_the_daily_check(folder: Path) -> None:
    name = old(folder, 0.5)
    (folder / name).write_bytes((folder / name).read_bytes()[:-200])
    services.check_oldest_check()
    assert name in services.problem()
    assert "damaged" in services.problem()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"checked": {}}'])
def test_a_damaged_list_of_checks_hides_no_backup(folder: Path, content: str) -> None:
    name = old(folder, 0.5)
    (folder / services.STATE).write_text(content)
    assert [backup.name for backup in services.listed()] == [name]


def test_the_schedule_calls_the_job() -> None:
    import_module("aitask.migrations.0001_daily_backup").add(apps, None)
    schedule = Schedule.objects.get(name="daily backup")
    assert (schedule.func, schedule.minutes) == ("aitask.backup.jobs.daily", 60)


class TestPage:
    def browser(self, **rights: bool) -> Client:
        client = Client()
        client.force_login(make_user("", **rights), backend="django.contrib.auth.backends.ModelBackend")
        return client

    def test_staff_see_the_list_and_superusers_a_download(self, folder: Path) -> None:
        name = old(folder, 0.5)
        page = self.browser(is_staff=True).get("/backups").content.decode()
        assert name in page
        assert f"/backups/{name}" not in page
        assert (
            f"/backups/{name}"
            in self.browser(is_staff=True, is_superuser=True).get("/backups").content.decode()
        )

    def test_others_see_nothing(self, folder: Path) -> None:
        name = old(folder, 0.5)
        for path in ("/backups", f"/backups/{name}"):
            assert self.browser().get(path).status_code == 403
            assert Client().get(path).status_code == 302
        assert self.browser(is_staff=True).get(f"/backups/{name}").status_code == 403
        assert self.browser().post("/backups/now").status_code == 403

    def test_a_superuser_downloads_a_backup_and_no_other_file(self, folder: Path) -> None:
        name = old(folder, 0.5)
        client = self.browser(is_superuser=True)
        answer = client.get(f"/backups/{name}")
        assert b"".join(answer.streaming_content) == (folder / name).read_bytes()  # type: ignore[attr-defined]
        assert "attachment" in answer.headers["Content-Disposition"]
        for other in ("state.json", "..%2Fsecret_key", "aitask-20200101T000000Z.tar.gz"):
            assert client.get(f"/backups/{other}").status_code == 404

    def test_one_is_made_on_request(self, django_capture_on_commit_callbacks: object) -> None:
        client = self.browser(is_staff=True)
        before = get_broker().queue_size()
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            assert client.post("/backups/now").status_code == 302
        assert get_broker().queue_size() == before + 1
        assert client.get("/backups/now").status_code in (403, 405)
        jobs.now()
        assert len(services.listed()) == 1


class TestRefusals:
    def test_a_backup_of_another_database_is_refused(self, tmp_path: Path) -> None:
        other = "postgresql" if database.engine() == "sqlite" else "sqlite"
        manifest = archive.Manifest("2026-11-29T10:00:00+00:00", other, "0.1.0", "", {}, {})
        (tmp_path / "db").write_text("x")
        archive.write(tmp_path / "b.tar.gz", manifest, {manifest.database: tmp_path / "db"})
        with pytest.raises(Refused, match=f"a backup of {other}"):
            restore.inspect(tmp_path / "b.tar.gz")

    def test_one_of_a_newer_version_is_refused(self, tmp_path: Path, settings: Settings) -> None:
        settings.MIGRATION_MODULES = {}  # tests run without migrations
        engine = database.engine()
        migrations = {"tasks": ["0001_initial", "9999_from_the_future"]}
        manifest = archive.Manifest("2026-11-29T10:00:00+00:00", engine, "9.9", "", migrations, {})
        (tmp_path / "db").write_text("x")
        archive.write(tmp_path / "b.tar.gz", manifest, {manifest.database: tmp_path / "db"})
        with pytest.raises(Refused, match=r"newer version \(9.9\).*tasks.9999"):
            restore.inspect(tmp_path / "b.tar.gz")

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="No such file"):
            restore.inspect(tmp_path / "none")

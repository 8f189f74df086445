"""A wrong value in the environment stops every command with its name and what would be right."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aitask import environment
from aitask.tests.installation import ROOT, Installation

pytestmark = pytest.mark.server

TELL = "from django.conf import settings; {}; print(settings.{})"


@pytest.fixture
def fresh(tmp_path: Path) -> Installation:
    """Without a database: settings alone are asked."""
    (tmp_path / "data").mkdir(mode=0o700)
    return Installation(tmp_path / "data")


def value(installation: Installation, name: str, first: str = "") -> str:
    """A setting as a new process sees it, that has run the statement `first`."""
    done = subprocess.run(
        [sys.executable, "-c", TELL.format(first or "pass", name)],
        cwd=ROOT,
        env=installation.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("DEBUG", "maybe", "DEBUG must be true or false, not 'maybe'"),
        ("ALLOW_REMOTE", "2", "ALLOW_REMOTE must be true or false"),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS must list the names of this site"),
        ("ALLOWED_HOSTS", "https://tasks.example.com", "ALLOWED_HOSTS must be host names"),
        ("ALLOWED_HOSTS", "localhost:8000", "ALLOWED_HOSTS must be host names"),
        ("CSRF_TRUSTED_ORIGINS", "tasks.example.com", "CSRF_TRUSTED_ORIGINS must be origins"),
        ("CSRF_TRUSTED_ORIGINS", "https://a.example/path", "CSRF_TRUSTED_ORIGINS must be origins"),
        ("DATABASE_URL", "mysql://a:secret@b/c", "DATABASE_URL must be postgres://"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL must be postgres://"),
        ("DATABASE_URL", "postgres://a:secret@b", "DATABASE_URL must be postgres://"),
        ("DATABASE_URL", "postgres://a:secret@b:port/c", "DATABASE_URL must be postgres://"),
        ("CSRF_TRUSTED_ORIGINS", "https://a.example:99999", "CSRF_TRUSTED_ORIGINS must be origins"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must be redis://"),
        ("REDIS_URL", "redis://localhost:port/0", "REDIS_URL must be redis://"),
        ("MAX_REQUEST_MB", "0", "MAX_REQUEST_MB must be a whole number of MB from 1 to 1000"),
        ("MAX_REQUEST_MB", "3MB", "MAX_REQUEST_MB must be a whole number"),
        ("SILENT_MINUTES", "0", "SILENT_MINUTES must be a whole number of minutes from 1"),
        ("SILENT_MINUTES", "ten", "SILENT_MINUTES must be a whole number of minutes from 1"),
        ("SILENT_MINUTES", "99999999999", "SILENT_MINUTES must be a whole number of minutes from 1"),
        ("SSH_CONFIG", "/nonexistent", "SSH_CONFIG must be a readable file"),
        ("SECRET_KEY", "short", "SECRET_KEY must have at least 32 characters"),
        ("SECRET_KEY_FILE", "/nonexistent", "SECRET_KEY_FILE must name a readable text file"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(
    fresh: Installation, name: str, wrong: str, said: str
) -> None:
    fresh.settings[name] = wrong
    refused = fresh.run("check")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"Configuration: {said}")
    assert "a:secret" not in refused.stderr


def test_all_hosts_are_taken_only_while_debugging(fresh: Installation) -> None:
    fresh.settings |= {"ALLOWED_HOSTS": "*", "DEBUG": "true"}
    assert value(fresh, "ALLOWED_HOSTS") == "['*']"


def test_the_data_folder_and_the_secret_key_are_for_their_owner_alone(tmp_path: Path) -> None:
    fresh = Installation(tmp_path / "new" / "data")
    value(fresh, "DEBUG")
    key = fresh.data_dir / "secret_key"
    assert stat.S_IMODE(fresh.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_database_elsewhere_is_for_its_owner_alone_too(fresh: Installation, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.sqlite3"
    fresh.settings["DATABASE_URL"] = f"sqlite:///{file}"
    value(fresh, "DEBUG")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_the_secret_key(fresh: Installation) -> None:
    command = [sys.executable, "-c", TELL.format("pass", "SECRET_KEY")]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=fresh.environment, stdout=subprocess.PIPE) for _ in range(6)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


def test_a_damaged_secret_key_is_told(fresh: Installation) -> None:
    (fresh.data_dir / "secret_key").write_text("x")
    assert "secret_key is damaged; remove it" in fresh.run("check").stderr


def test_a_secret_key_that_can_not_be_read_is_told(fresh: Installation) -> None:
    (fresh.data_dir / "secret_key").mkdir()
    refused = fresh.run("check").stderr
    assert refused.startswith("Configuration: SECRET_KEY: ")
    assert refused.count("\n") == 1


def test_a_secret_may_come_from_a_file(fresh: Installation, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    fresh.settings["SECRET_KEY_FILE"] = str(tmp_path / "key")
    assert value(fresh, "SECRET_KEY") == "k" * 40


def test_a_secret_that_begins_with_a_dollar_is_taken_as_it_is(fresh: Installation) -> None:
    fresh.settings["SECRET_KEY"] = "$HOME" + "x" * 40
    assert value(fresh, "SECRET_KEY") == "$HOME" + "x" * 40


def test_cookies_of_two_installations_on_one_host_do_not_meet(tmp_path: Path) -> None:
    names = {value(Installation(tmp_path / name), "SESSION_COOKIE_NAME") for name in ("one", "two")}
    assert len(names) == 2


def test_cookies_are_secure_where_the_site_is_reached_by_https(fresh: Installation) -> None:
    assert value(fresh, "SESSION_COOKIE_SECURE") == "False"
    fresh.settings["CSRF_TRUSTED_ORIGINS"] = "https://tasks.example.com"
    assert value(fresh, "SESSION_COOKIE_SECURE") == "True"


def test_postgresql_is_pooled_in_the_web_process_only(fresh: Installation) -> None:
    fresh.settings["DATABASE_URL"] = "postgres://ada:x@127.0.0.1/aitask"
    assert "pool" not in value(fresh, "DATABASES")
    assert "pool" in value(fresh, "DATABASES", first="import aitask.asgi")


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    environment.database("NO_SUCH_URL", default=file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_value_is_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_FOLDER", "")
    assert environment.folder("SOME_FOLDER", tmp_path / "data") == tmp_path / "data"

"""Strict reading of the environment: a wrong value stops the start with its name and what would be right.

Each value may also come from a file named by <NAME>_FILE, as secrets do in containers.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
POSTGRES_SCHEMES = ("postgres", "postgresql")
SHORTEST_SECRET = 32
MINUTES_OF_A_YEAR = 525_600
HOST = re.compile(r"\.?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)
ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9_.-]+(:\d+)?|https?://\[[0-9a-f:.]+\](:\d+)?", re.IGNORECASE)

_values = environ.FileAwareEnv()


def text(name: str, default: str = "") -> str:
    """A value without the white space around it, which files end with."""
    try:
        value: str = _values.ENVIRON.get(name, default)
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE must name a readable text file: {error}.") from error
    return value.strip()


def boolean(name: str, default: bool) -> bool:
    raw = text(name, str(default)).lower()
    if raw not in TRUE + FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.")
    return raw in TRUE


def minutes(name: str, default: int) -> int:
    """A whole number above zero, at most a year."""
    raw = text(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and 1 <= int(raw) <= MINUTES_OF_A_YEAR):
        right = f"a whole number of minutes from 1 to {MINUTES_OF_A_YEAR}"
        raise ImproperlyConfigured(f"{name} must be {right}, not {raw!r}.")
    return int(raw)


def words(name: str, default: list[str]) -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in text(name, ",".join(default)).split(",") if word.strip()]


def hosts(name: str, default: list[str], *, debug: bool) -> list[str]:
    """Names by which browsers may call us; a star would let any site's name stand for ours."""
    found = words(name, default)
    for host in found:
        if host == "*" and not debug:
            raise ImproperlyConfigured(
                f"{name} must list the names of this site, such as tasks.example.com; "
                "* would let any site's name stand for it, and is taken only with DEBUG=true."
            )
        if host != "*" and not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name} must be host names separated by commas, without scheme and port, not {host!r}."
            )
    return found


def origins(name: str) -> list[str]:
    found = words(name, [])
    for origin in found:
        if not (ORIGIN.fullmatch(origin) and _has_a_possible_port(origin)):
            raise ImproperlyConfigured(
                f"{name} must be origins separated by commas, like https://tasks.example.com, not {origin!r}."
            )
    return found


def redis_url(name: str) -> str:
    url = text(name)
    if url and (urlsplit(url).scheme not in ("redis", "rediss", "unix") or not _has_a_possible_port(url)):
        raise ImproperlyConfigured(f"{name} must be redis://HOST:PORT/NUMBER, rediss://… or unix://PATH.")
    return url


def _has_a_possible_port(url: str) -> bool:
    """None at all is possible too."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Django's description of the database; the URL is not repeated in an error, it may hold a password."""
    url = text(name)
    if not url:
        try:
            default.touch(mode=0o600)  # SQLite gives its other files the same rights
        except OSError as error:
            raise ImproperlyConfigured(f"{default} can't be written: {error.strerror}.") from error
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
    right = f"{name} must be postgres://USER:PASSWORD@HOST/NAME or sqlite:////PATH"
    if url.partition("://")[0] not in (*POSTGRES_SCHEMES, "sqlite"):
        raise ImproperlyConfigured(f"{right}.")
    try:
        found: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"{right}.") from error
    if not found["NAME"]:
        raise ImproperlyConfigured(f"{right}: the name of the database is missing.")
    return found


def file(name: str) -> str:
    """The whole path of a file that can be read; empty when none is named."""
    if not (given := text(name)):
        return ""
    path = Path(given).expanduser().resolve()
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ImproperlyConfigured(f"{name} must be a file that can be read, and {path} is none.")
    return str(path)


def folder(name: str, default: Path) -> Path:
    """A folder of our own that can be written; made when missing, open to its owner alone."""
    path = Path(text(name) or default).expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImproperlyConfigured(f"{name} must be a folder that can be made: {path}: {reason}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name} must be a folder that can be written, and {path} can't.")
    return path


def secret(name: str, file: Path) -> str:
    """A secret from the environment, else made once and kept in `file`, which its owner alone can read."""
    given = text(name)
    if given:
        if len(given) < SHORTEST_SECRET:
            raise ImproperlyConfigured(f"{name} must have at least {SHORTEST_SECRET} characters.")
        return given
    try:
        _make_secret(file)
        kept = _read_secret(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}: {file} can't be read: {error}.") from error
    if len(kept) < SHORTEST_SECRET:
        raise ImproperlyConfigured(f"{name}: {file} is damaged; remove it (everybody must log in again).")
    return kept


def _make_secret(file: Path) -> None:
    """Of several processes that start together one makes it."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as out:
        out.write(secrets.token_urlsafe(50))


def _read_secret(file: Path) -> str:
    """Another process may be writing it this moment."""
    deadline = time.monotonic() + 2
    while len(kept := file.read_text().strip()) < SHORTEST_SECRET and time.monotonic() < deadline:
        time.sleep(0.01)
    return kept

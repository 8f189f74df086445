"""Strict parsing of environment variables: for an invalid value, the error says what would be valid.

Each value may also come from a file named by <NAME>_FILE, for secrets in containers.
"""

from __future__ import annotations

import importlib.util
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
MIN_SECRET_LENGTH = 32
MINUTES_PER_YEAR = 525_600
MAX_DIGITS = 18
HOST = re.compile(r"\.?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
MAX_PORT = 65_535
ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9_.-]+(:\d+)?|https?://\[[0-9a-f:.]+\](:\d+)?", re.IGNORECASE)

_values = environ.FileAwareEnv()
_known: set[str] = set()
"""Names of all variables that were asked for."""


def text(name: str, default: str = "") -> str:
    """Return a value without surrounding white space: files end with a newline."""
    _known.add(name)
    try:
        value: str = _values.ENVIRON.get(name, default)
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE must name a readable text file: {error}.") from error
    return value.strip()


def given() -> dict[str, str]:
    """Return the variables of this process that the settings have asked for, also `<NAME>_FILE`."""
    names = sorted(each for name in _known for each in (name, f"{name}_FILE"))
    return {name: os.environ[name] for name in names if name in os.environ}


def boolean(name: str, default: bool) -> bool:
    raw = text(name, str(default)).lower()
    if raw not in TRUE + FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {raw!r}.")
    return raw in TRUE


def minutes(name: str, default: int) -> int:
    """Return a whole number from 1 to the minutes of a year."""
    return number(name, default, least=1, most=MINUTES_PER_YEAR, unit=" of minutes")


def number(name: str, default: int, *, least: int, most: int, unit: str = "") -> int:
    """Return a whole number from `least` to `most`; `unit` is for the error."""
    raw = text(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= MAX_DIGITS and least <= int(raw) <= most):
        expected = f"a whole number{unit} from {least} to {most}"
        raise ImproperlyConfigured(f"{name} must be {expected}, not {raw!r}.")
    return int(raw)


def items(name: str, default: list[str]) -> list[str]:
    """Return the items of a list separated by commas."""
    return [item.strip() for item in text(name, ",".join(default)).split(",") if item.strip()]


def hosts(name: str, default: list[str], *, debug: bool) -> list[str]:
    """Return the host names of this site. A star is allowed only with DEBUG."""
    found = items(name, default)
    for host in found:
        if host == "*" and not debug:
            raise ImproperlyConfigured(
                f"{name} must list the names of this site, for example tasks.example.com; "
                "* would accept any name, and is allowed only with DEBUG=true."
            )
        if host != "*" and not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name} must be host names separated by commas, without scheme and port, not {host!r}."
            )
    return found


def origins(name: str) -> list[str]:
    found = items(name, [])
    for origin in found:
        if not (ORIGIN.fullmatch(origin) and _has_valid_port(origin)):
            raise ImproperlyConfigured(
                f"{name} must be origins separated by commas, like https://tasks.example.com, not {origin!r}."
            )
    return found


def preview_domain(name: str, origins: list[str]) -> str:
    """Return the domain of previews, with a port if it is not the usual one; empty if none is set."""
    domain = text(name).lower()
    host, _, port = domain.partition(":")
    is_valid = DOMAIN.fullmatch(host) and (not port or (port.isdecimal() and 0 < int(port) <= MAX_PORT))
    if domain and not (domain.isascii() and is_valid):
        raise ImproperlyConfigured(
            f"{name} must be a domain of its own such as preview.example.com, without scheme and star, "
            f"not {domain!r}."
        )
    if domain and not (origins and all(origin.startswith("https://") for origin in origins)):
        raise ImproperlyConfigured(
            f"{name} needs HTTPS: set CSRF_TRUSTED_ORIGINS to the origin of this site, such as "
            "https://tasks.example.com."
        )
    if domain and any(_is_at_or_below(origin, host) for origin in origins):
        raise ImproperlyConfigured(
            f"{name} must be a domain that this site is not part of: agents decide what its pages do."
        )
    return domain


def _is_at_or_below(origin: str, domain: str) -> bool:
    """Return whether the host of an origin is part of a domain."""
    host = origin.lower().partition("://")[2].partition(":")[0].removeprefix("*.")
    return host == domain or host.endswith(f".{domain}")


def redis_url(name: str) -> str:
    url = text(name)
    if url and (urlsplit(url).scheme not in ("redis", "rediss", "unix") or not _has_valid_port(url)):
        raise ImproperlyConfigured(f"{name} must be redis://HOST:PORT/NUMBER, rediss://… or unix://PATH.")
    return url


def _has_valid_port(url: str) -> bool:
    """Return whether the port of a URL is valid or absent."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Return Django's database settings. Errors don't repeat the URL, which may contain a password."""
    url = text(name)
    if not url:
        _create_private(default)
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
    expected = f"{name} must be postgres://USER:PASSWORD@HOST/NAME or sqlite:////PATH"
    if url.partition("://")[0] not in (*POSTGRES_SCHEMES, "sqlite"):
        raise ImproperlyConfigured(f"{expected}.")
    try:
        found: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"{expected}.") from error
    if not found["NAME"]:
        raise ImproperlyConfigured(f"{expected}: the name of the database is missing.")
    if found["ENGINE"].endswith("sqlite3") and found["NAME"] != ":memory:":
        _create_private(Path(found["NAME"]))
    return found


def _create_private(file: Path) -> None:
    """Create a database that only its owner can read. SQLite creates its other files with the same rights."""
    try:
        file.touch(mode=0o600)
    except OSError as error:
        raise ImproperlyConfigured(f"{file} is not writable: {error.strerror}.") from error


def file(name: str) -> str:
    """Return the absolute path of a readable file; empty if none is set."""
    if not (value := text(name)):
        return ""
    path = Path(value).expanduser().resolve()
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ImproperlyConfigured(f"{name} must be a readable file, but {path} is not.")
    return str(path)


def folder(name: str, default: Path) -> Path:
    """Return a writable folder. A missing one is created with access for its owner only."""
    path = Path(text(name) or default).expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImproperlyConfigured(f"{name}: the folder {path} can't be created: {reason}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name} must be a writable folder, but {path} is not.")
    return path


def secret(name: str, file: Path) -> str:
    """Return a secret from the environment, else from `file`, which is created with a random one."""
    value = text(name)
    if value:
        if len(value) < MIN_SECRET_LENGTH:
            raise ImproperlyConfigured(f"{name} must have at least {MIN_SECRET_LENGTH} characters.")
        return value
    try:
        _create_secret(file)
        stored = _read_secret(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}: {file} can't be read: {error}.") from error
    if len(stored) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(f"{name}: {file} is damaged; remove it (all users must log in again).")
    return stored


def _create_secret(file: Path) -> None:
    """Create the file, unless another process has created it."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as out:
        out.write(secrets.token_urlsafe(50))


def _read_secret(file: Path) -> str:
    """Read the file, and wait if another process is still writing it."""
    deadline = time.monotonic() + 2
    while len(stored := file.read_text().strip()) < MIN_SECRET_LENGTH and time.monotonic() < deadline:
        time.sleep(0.01)
    return stored


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ImproperlyConfigured(f"The package {name} is not installed: pip install -r requirements.txt")
    return Path(found.origin).parent

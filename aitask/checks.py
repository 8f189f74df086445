"""System checks of the installation for `manage.py check`: each message says what to do."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from aitask.lib import winapi
from aitask.lib.shell import command_line
from workspaces.hosts import local, ssh_config

NETWORK_FILE_SYSTEMS = {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs"}
OLDEST_SQLITE = (3, 35, 0)
BUILT_AFTER = datetime(2026, 11, 1, tzinfo=UTC)
PROGRAMS = {
    "ssh": "Needed for workspaces on other machines: install OpenSSH's client.",
    "git": "Needed for workspaces on this machine: install git.",
    "tmux": "Needed for workspaces on this machine: install tmux 3.2 or newer.",
}

GROUPS_OF_WINDOWS = {"WD": "everyone", "AU": "all who can log in", "BU": "all users of this machine"}
"Their codes in access lists."
SYNCHRONIZED = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")
"Variables of Windows with folders that a program copies to other machines."

INSTALLATION = "installation"
"The tag of checks that depend on the machine or the settings, not on the source."

Checks = list[CheckMessage]
Apps = Sequence[AppConfig] | None


@register(Tags.security)
def data_dir_is_private(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    """Warn if others can read the folder with the secret key and all prompts."""
    if os.name == "nt":
        return _access_on_windows(settings.DATA_DIR)
    found: Checks = []
    files = [settings.DATA_DIR / "secret_key"]
    if _uses_sqlite():
        files.append(Path(settings.DATABASES["default"]["NAME"]))
    for path, wanted in ((settings.DATA_DIR, 0o700), *((file, 0o600) for file in files)):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & ~wanted:
            hint = command_line("chmod", f"{wanted:o}", str(path))
            found.append(Warning(f"{path} can be read by others.", hint=hint, id="aitask.W001"))
    return found


def _access_on_windows(folder: Path) -> Checks:
    """There, a folder outside the user's own one is open to all users, unless it was made private."""
    try:
        others = readers(winapi.access_list(folder))
    except OSError:
        return []
    if not others:
        return []
    hint = f'icacls "{folder}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"'
    return [Warning(f"{folder} can be read by {' and '.join(others)}.", hint=hint, id="aitask.W001")]


def readers(sddl: str) -> list[str]:
    """Return which groups of many users an access list of Windows allows something."""
    allowed = set(re.findall(r"\(A;[^;]*;[^;]*;[^;]*;[^;]*;(\w+)\)", sddl))
    return [name for code, name in GROUPS_OF_WINDOWS.items() if code in allowed]


@register(Tags.security)
def proxies_are_counted(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    """Behind a proxy that is not counted, one client that guesses passwords would slow down all others."""
    if settings.TRUSTED_PROXIES or not settings.SESSION_COOKIE_SECURE:
        return []
    hint = "Set TRUSTED_PROXIES=1 if your proxy sets X-Forwarded-For; more if there are several in a row."
    message = "The site uses HTTPS, so it is behind a proxy, but TRUSTED_PROXIES is 0."
    return [Warning(message, hint=hint, id="aitask.W005")]


@register(Tags.security)
def debug_is_off(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    if not settings.DEBUG:
        return []
    hint = "Unset DEBUG: its error pages show settings and source code to everyone."
    return [Warning("DEBUG is on.", hint=hint, id="aitask.W002")]


@register(INSTALLATION)
def programs_are_there(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    return [
        Warning(f"{name} was not found.", hint=hint, id="aitask.W003")
        for name, hint in PROGRAMS.items()
        if is_missing(name)
    ]


def is_missing(program: str) -> bool:
    """Return whether workspaces need a program that is not there; ssh is not always on Windows' PATH."""
    if program == "ssh":
        return ssh_config.program() is None
    return local.supported() and shutil.which(program) is None


@register(INSTALLATION)
def sqlite_is_new_enough(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    if not _uses_sqlite() or sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return []
    hint = "Use a newer Python, or set DATABASE_URL to a PostgreSQL database."
    return [Error(f"SQLite {sqlite3.sqlite_version} is too old.", hint=hint, id="aitask.E001")]


@register(INSTALLATION)
def sqlite_is_on_a_local_disk(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    """SQLite's write-ahead log needs shared memory, which network drives do not support.

    A program that copies the files elsewhere, one after the other, may copy or restore a broken database.
    """
    if not _uses_sqlite():
        return []
    hint = "Set DATA_DIR to a folder on a local disk."
    if kind := network_drive(settings.DATA_DIR):
        message = f"The database is on a network drive ({kind}), where SQLite may lose data."
        return [Error(message, hint=hint, id="aitask.E002")]
    if os.name == "nt" and (folder := synchronized(settings.DATA_DIR)):
        message = f"The database is in {folder}, which OneDrive synchronizes while it is written to."
        return [Warning(message, hint=hint, id="aitask.W007")]
    return []


@register(INSTALLATION)
def redis_answers(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    if not settings.REDIS_URL:
        return []
    from redis import Redis, RedisError  # 6 MB that most installations do not need

    try:
        with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=3, socket_timeout=3) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        hint = "Start Redis, or unset REDIS_URL to run without it."
        return [Error(f"Redis does not answer: {error}.", hint=hint, id="aitask.E003")]
    return []


@register(INSTALLATION)
def backups_are_made(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    from aitask.backup import services  # its models are not loaded yet when the checks are registered

    if not (problem := services.problem()):
        return []
    hint = "Look at the worker's log. `manage.py backup FILE` makes one; BACKUP_DAYS=0 turns them off."
    return [Warning(problem, hint=hint, id="aitask.W006")]


@register(INSTALLATION)
def clock_is_plausible(app_configs: Apps, **kwargs: Any) -> Checks:  # noqa: ARG001
    if datetime.now(UTC) >= BUILT_AFTER:
        return []
    hint = "Set this machine's clock: logins, leases and SSH certificates depend on it."
    return [
        Warning("The clock is set to a date before this version was released.", hint=hint, id="aitask.W004")
    ]


def network_drive(path: Path) -> str:
    """Return the kind of network drive that a path is on; empty if it is a local disk."""
    if os.name != "nt":
        kind = file_system_of(path)
        return kind if kind in NETWORK_FILE_SYSTEMS else ""
    try:
        return path.anchor if winapi.is_on_network_drive(path) else ""
    except OSError:
        return ""


def synchronized(path: Path) -> str:
    """Return the folder of OneDrive that a path is in; empty if there is none."""
    folders = [os.environ[name] for name in SYNCHRONIZED if os.environ.get(name)]
    return next((folder for folder in folders if path.is_relative_to(folder)), "")


def file_system_of(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the file system type of a path, for example ext4 or nfs4; empty if it is unknown."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    mounted = {Path(point.replace("\\040", " ")): kind for _, point, kind, *_ in lines}
    return next((mounted[folder] for folder in (path, *path.parents) if folder in mounted), "")


def _uses_sqlite() -> bool:
    engine: str = settings.DATABASES["default"]["ENGINE"]
    return engine.endswith("sqlite3")
